-- takes: 8
-- Anonymous users: with a device key the same one comes back whatever happens to the session, without one as long as the
-- session is stored; a promotion keeps the user and ends the key, or changes nothing at all.
local authgear = require "authgear"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

local names = 0

-- A name that nobody has at the server yet.
local function new_name()
  names = names + 1
  return ("promoted-%d-%s"):format(names, tostring({}):match "%x+$")
end

local function key_in(record)
  return record and record:match '"anonymous_key":"([^"]+)"'
end

describe("an anonymous user", function()
  local dev, storage, client, seen

  local function open(options)
    options = options or {}
    options.storage = options.storage or storage
    client, seen = assert(sdk.client(dev, options))
    return client
  end

  before_each(function()
    dev = server.shared()
    storage = authgear.storage.memory()
    open()
  end)

  after_each(function()
    client:close()
  end)

  local function restart(options)
    client:close()
    return open(options)
  end

  local function count(grant)
    return dev:token_count(grant or "urn:authgear:params:oauth:grant-type:anonymous-request", "native").requests
  end

  -- Starts a promotion and has the server's page end with that name.
  local function promotion(name)
    local request = assert(client:start_promotion { redirect_uri = sdk.REDIRECT_URI })
    dev:login { user = name }
    return dev:visit(request.url).location
  end

  describe("with a device key", function()
    it("is logged in", function()
      local info = assert(client:authenticate_anonymously())
      assert.is_true(info.is_anonymous)
      assert.is_nil(info.partial)
      assert.same({ "NO_SESSION NO_TOKEN", "AUTHENTICATED AUTHENTICATED" }, seen)
      assert.equal(info.sub, sdk.echo(dev, client).sub)
      assert.is_string(key_in(sdk.record(storage)))
      assert.equal(1, count())
    end)

    it("comes back after a restart, a log-out, a cleared and a revoked session", function()
      local sub = assert(client:authenticate_anonymously()).sub
      local key = key_in(sdk.record(storage))
      restart()
      assert.equal(sub, sdk.echo(dev, client).sub)
      assert(client:logout())
      assert.equal("NO_SESSION", restart():session_state())
      assert.equal(sub, assert(client:authenticate_anonymously()).sub)
      assert(client:clear_session_state())
      assert.equal(sub, assert(restart():authenticate_anonymously()).sub)
      dev:revoke {}
      assert.equal(401, client:fetch(dev.app .. "/api/hello").status)
      assert.equal("NO_SESSION", client:session_state())
      assert.equal(sub, assert(client:authenticate_anonymously()).sub)
      assert.equal(key, key_in(sdk.record(storage)))
    end)

    it("comes back after somebody else was logged in", function()
      local sub = assert(client:authenticate_anonymously()).sub
      assert.is_true(sdk.log_in(dev, client).sub ~= sub)
      assert(client:refresh_access_token())
      assert.equal(sub, assert(client:authenticate_anonymously()).sub)
      assert(client:logout { force = true })
      assert.equal(sub, assert(client:authenticate_anonymously()).sub)
    end)

    it("has one key however many ask at once", function()
      local others, list = {}, {}
      for i = 1, 3 do
        others[i] = assert(sdk.client(dev, { storage = storage }))
      end
      for i = 1, 9 do
        list[i] = function()
          return others[i % 3 + 1]:authenticate_anonymously()
        end
      end
      local results, errs = authgear.all(list):wait()
      for i = 1, 9 do
        assert.equal(results[1] and results[1].sub, results[i] and results[i].sub, tostring(errs and errs[i]))
      end
      assert.equal(results[1].sub, assert(client:authenticate_anonymously()).sub)
      for i = 1, 3 do
        others[i]:close()
      end
    end)

    it("is told when the stored key is none", function()
      assert(client:authenticate_anonymously())
      local store = storage.open "default"
      store:set((store:get():gsub('"anonymous_key":"[^"]+"', '"anonymous_key":"AAAA"')))
      restart()
      local info, err = client:authenticate_anonymously()
      assert.is_nil(info)
      assert.equal("storage_damaged", err.code)
      assert.equal("AUTHENTICATED", client:session_state())
    end)
  end)

  describe("without a key", function()
    it("is logged in, and goes on as long as the session does", function()
      local info = assert(client:authenticate_anonymously { key = false })
      assert.is_true(info.is_anonymous)
      assert.is_nil(key_in(sdk.record(storage)))
      assert.equal(info.sub, sdk.echo(dev, client).sub)
      local refresh_token = sdk.refresh_token(sdk.record(storage))
      assert.equal(info.sub, assert(restart():authenticate_anonymously { key = false }).sub)
      assert.equal(refresh_token, sdk.refresh_token(sdk.record(storage)))
      assert(client:refresh_access_token())
      assert.equal(info.sub, sdk.echo(dev, client).sub)
      assert(client:logout())
      assert.is_true(assert(client:authenticate_anonymously { key = false }).sub ~= info.sub)
    end)

    it("is what a storage in memory gives, unless a key is asked for", function()
      client:close()
      client = assert(sdk.client(dev, { storage = "memory" }))
      local sub = assert(client:authenticate_anonymously()).sub
      assert.equal(0, count())
      assert(client:logout())
      assert.is_true(assert(client:authenticate_anonymously()).sub ~= sub)
      sub = assert(client:authenticate_anonymously { key = true }).sub
      assert(client:logout())
      assert.equal(sub, assert(client:authenticate_anonymously { key = true }).sub)
    end)

    it("is a new one when the session turns out to be over", function()
      local sub = assert(client:authenticate_anonymously { key = false }).sub
      dev:revoke {}
      assert.is_true(assert(client:authenticate_anonymously { key = false }).sub ~= sub)
      assert.equal("AUTHENTICATED", client:session_state())
    end)

    it("does not replace a user who has an account", function()
      local sub = sdk.log_in(dev, client).sub
      local info, err = client:authenticate_anonymously { key = false }
      assert.is_nil(info)
      assert.same({ "oauth", "Invalid", "user logged in as normal user" },
        { err.code, err.oauth_error, err.oauth_error_description })
      assert.equal(sub, sdk.echo(dev, client).sub)
    end)
  end)

  for _, key in ipairs { true, false } do
    describe("promoted by " .. (key and "key" or "code"), function()
      local sub

      before_each(function()
        sub = assert(client:authenticate_anonymously { key = key }).sub
      end)

      it("stays the same user, and the key is gone", function()
        local name, before = new_name(), sdk.refresh_token(sdk.record(storage))
        local info = assert(client:finish_promotion(promotion(name)))
        assert.same({ sub, false, name }, { info.sub, info.is_anonymous, info.preferred_username })
        assert.equal("AUTHENTICATED AUTHENTICATED", seen[#seen])
        assert.is_true(sdk.refresh_token(sdk.record(storage)) ~= before)
        assert.is_nil(key_in(sdk.record(storage)))
        assert.equal(sub, sdk.echo(dev, restart()).sub)
        assert(client:logout())
        assert.is_nil(sdk.record(storage))
        assert.is_true(assert(client:authenticate_anonymously { key = key }).sub ~= sub)
      end)

      it("in one call, through a user interface", function()
        local name = new_name()
        dev:login { user = name }
        local info = assert(client:promote_anonymous_user { redirect_uri = "com.example.app://callback", ui_locales = "fr",
          ui = function(request)
            return dev:visit(request.url).location
          end })
        assert.same({ sub, name }, { info.sub, info.preferred_username })
      end)

      it("in a task", function()
        local info, err = authgear.async(function()
          return client:finish_promotion(promotion(new_name()))
        end):wait()
        assert.truthy(info, tostring(err))
        assert.equal(sub, info.sub)
      end)

      it("stays anonymous when the chosen account exists already", function()
        local before = sdk.record(storage)
        local live = #dev:control "/sessions"
        local info, err = client:finish_promotion(promotion "user")
        assert.is_nil(info)
        assert.same({ "promotion_conflict", false }, { err.code, err.retryable })
        assert.equal(before, sdk.record(storage))
        assert.equal(sub, sdk.echo(dev, client).sub)
        assert.equal(live, #dev:control "/sessions", "the other account's session was given back")
        info = assert(client:finish_promotion(promotion(new_name())))
        assert.equal(sub, info.sub)
      end)

      it("stays anonymous when the chosen account exists and its session cannot be given back", function()
        dev:fault { target = "revoke", kind = "status", status = 500, times = 5 }
        local _, err = client:finish_promotion(promotion "user")
        assert.equal("promotion_conflict", err.code)
        assert.equal(sub, sdk.echo(dev, client).sub)
      end)

      it("stays anonymous when the person does not want it", function()
        local before = sdk.record(storage)
        local request = assert(client:start_promotion { redirect_uri = sdk.REDIRECT_URI })
        dev:login { error = "access_denied", error_description = "no" }
        local info, err = client:finish_promotion(dev:visit(request.url).location)
        assert.is_nil(info)
        assert.same({ "oauth", "access_denied" }, { err.code, err.oauth_error })
        assert.equal(before, sdk.record(storage))
        assert.equal(sub, assert(client:finish_promotion(promotion(new_name()))).sub)
      end)

      it("is known to have an account when the answer was lost", function()
        local location = promotion(new_name())
        dev:fault { target = "token", kind = "close", when = "after", times = 1 }
        local info, err = client:finish_promotion(location)
        assert.is_nil(info)
        assert.equal("network", err.code)
        info, err = client:start_promotion { redirect_uri = sdk.REDIRECT_URI }
        assert.is_nil(info)
        assert.equal("not_anonymous", err.code)
        assert.equal(sub, sdk.echo(dev, client).sub)
        assert(client:logout())
        assert(client:authenticate_anonymously { key = key })
      end)

      it("is finished by its own half alone", function()
        local info, err = client:finish_authentication(promotion(new_name()))
        assert.is_nil(info)
        assert.equal("state_mismatch", err.code)
        info, err = client:finish_promotion((sdk.callback(dev, client)))
        assert.is_nil(info)
        assert.equal("state_mismatch", err.code)
      end)
    end)
  end

  it("whose session is another than the key's is promoted by code, and the key stays", function()
    local of_key = assert(client:authenticate_anonymously()).sub
    local key = key_in(sdk.record(storage))
    assert(client:logout())
    local sub = assert(client:authenticate_anonymously { key = false }).sub
    assert.is_true(sub ~= of_key)
    assert.equal(sub, assert(client:finish_promotion(promotion(new_name()))).sub)
    assert.equal(key, key_in(sdk.record(storage)))
    assert(client:logout())
    assert.equal(of_key, assert(client:authenticate_anonymously()).sub)
  end)

  it("is needed for a promotion", function()
    local function code_of(_, err)
      return err.code
    end
    assert.equal("no_session", code_of(client:start_promotion { redirect_uri = sdk.REDIRECT_URI }))
    assert(client:authenticate_anonymously())
    dev:revoke {}
    assert.equal("session_revoked", code_of(client:start_promotion { redirect_uri = sdk.REDIRECT_URI }))
    sdk.log_in(dev, client)
    assert.equal("not_anonymous", code_of(client:start_promotion { redirect_uri = sdk.REDIRECT_URI }))
  end)
end)

-- Whatever goes wrong on the way: an error or a log-in, the key stays, and the next call works and is the same user.
describe("an anonymous user, with faults on the way,", function()
  local dev, client, storage

  local function open()
    if client then
      client:close()
    end
    client = assert(sdk.client(dev, { storage = storage, retry = false, timeout = 20 }))
  end

  before_each(function()
    dev = server.shared()
    storage = authgear.storage.memory()
    open()
  end)

  after_each(function()
    client:close()
  end)

  local KINDS = { "reset", "close", "garbage", "empty", "status", "not_http" }
  local CODES = { network = true, invalid_response = true, server = true, json = true, discovery = true }

  -- What a target's fault did: true, or the error's code.
  local function try(key, fault)
    dev:fault(fault)
    local info, err = client:authenticate_anonymously { key = key }
    dev:control("/faults", nil, "DELETE")
    if not info then
      assert.is_true(CODES[err.code], err.code)
      assert.equal("NO_SESSION", client:session_state())
    end
    return info
  end

  for _, case in ipairs {
    { true, "discovery", "before" }, { true, "challenge", "before" }, { true, "challenge", "after" }, { true, "token", "before" },
    { true, "token", "after" }, { true, "userinfo", "before" }, { false, "anonymous_signup", "before" },
    { false, "anonymous_signup", "after" }, { false, "userinfo", "before" },
  } do
    local key, target, moment = case[1], case[2], case[3]
    it(("%s %s the server acted, %s a key"):format(target, moment, key and "with" or "without"), function()
      for _, kind in ipairs(KINDS) do
        open() -- the metadata are not there yet
        local info = try(key, { target = target, kind = kind, when = moment, times = 20 })
        assert.equal(target == "userinfo", info ~= nil, kind)
        local stored = key_in(sdk.record(storage))
        local next_one = assert(client:authenticate_anonymously { key = key })
        assert.equal("AUTHENTICATED", client:session_state())
        assert.is_true(not stored or stored == key_in(sdk.record(storage)))
        assert.is_true(not info or info.sub == nil or info.sub == next_one.sub)
        assert(client:logout())
      end
    end)
  end

  it("user info that cannot be fetched leave the log-in as it is", function()
    dev:fault { target = "userinfo", kind = "status", status = 500, times = 3 }
    local info = assert(client:authenticate_anonymously())
    assert.same({ true, true }, { info.partial, info.is_anonymous })
    assert.equal(info.sub, sdk.echo(dev, client).sub)
    assert(client:logout())
    dev:fault { target = "userinfo", kind = "status", status = 500, times = 3 }
    info = assert(client:authenticate_anonymously { key = false })
    assert.is_true(info.partial)
    assert.equal("AUTHENTICATED", client:session_state())
  end)

  it("a promotion that cannot be started changes nothing", function()
    for _, case in ipairs { { true, "challenge" }, { false, "promotion_code" }, { true, "userinfo" } } do
      local sub = assert(client:authenticate_anonymously { key = case[1] }).sub
      for _, kind in ipairs(KINDS) do
        dev:fault { target = case[2], kind = kind, times = 20 }
        local request, err = client:start_promotion { redirect_uri = sdk.REDIRECT_URI }
        dev:control("/faults", nil, "DELETE")
        assert.is_nil(request)
        assert.is_true(CODES[err.code], err.code)
      end
      assert(client:start_promotion { redirect_uri = sdk.REDIRECT_URI })
      assert.equal(sub, sdk.echo(dev, client).sub)
      assert(client:logout())
    end
  end)
end)
