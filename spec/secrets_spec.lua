-- No token, code, verifier, client secret or state in any error, log line, traceback or event: every public function
-- goes through every kind of failure that its servers and the user's own code can make, with canaries for secrets.
-- takes: 12

local authgear = require "authgear"
local canary = require "spec.support.canary"
local fake = require "spec.support.fake_provider"

local CLIENT_SECRET = canary.text("client secret")

local function forget(list, value)
  for i = #list, 1, -1 do
    if list[i] == value then
      table.remove(list, i)
    end
  end
end

-- A client of a provider whose secrets are all watched for, logged in unless told otherwise. `known`: those that are
-- alive. A code, verifier and state that have been used are nobody's any more, and forgotten here.
local function setting(more, logged_out)
  local watch, p = canary.watch(), fake.new()
  local known, once = {}, {}
  p.on_secret = function(name, value)
    watch:plant(name, value)
    forget(known, once[name])
    known[#known + 1], once[name] = value, value
  end
  p.on_secret("client secret", CLIENT_SECRET)
  local options = p:options {
    client_secret = CLIENT_SECRET, storage = fake.storage(),
    log = function(level, message) watch:look("log", level, message) end,
    on_session_state_change = function(_, state, reason) watch:look("event", state, reason) end,
  }
  local s = { watch = watch, provider = p, known = known, once = once, options = options, storage = options.storage }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  s.client = assert(authgear.new(options))
  if not logged_out then
    assert(p:log_in(s.client))
    for _, name in ipairs { "code", "code verifier", "state" } do
      forget(known, once[name])
    end
  end
  return s
end

-- The public functions that talk to somebody, each in a state in which it does.
local OPERATIONS = {
  log_in = { logged_out = true, run = function(s)
    local request, err = s.client:start_authentication { redirect_uri = fake.REDIRECT_URI }
    if not request then
      return nil, err
    end
    return s.client:finish_authentication(s.provider:callback(request))
  end },
  authenticate = { logged_out = true, run = function(s)
    return s.client:authenticate { redirect_uri = fake.REDIRECT_URI, ui = function(request)
      return s.provider:callback(request)
    end }
  end },
  refresh = { run = function(s) return s.client:refresh_access_token() end },
  refresh_if_needed = { run = function(s)
    s.provider.ahead = 4000
    return s.client:refresh_access_token_if_needed()
  end },
  fetch = { run = function(s)
    s.provider.ahead = 4000
    return s.client:fetch(fake.APP .. "/me", { on_unauthorized = "clear" })
  end },
  fetch_after_401 = { run = function(s)
    s.provider["access token"] = nil
    return s.client:fetch(fake.APP .. "/me", { body = "x", on_unauthorized = function() return "clear" end })
  end },
  user_info = { run = function(s)
    s.provider.ahead = 4000
    return s.client:fetch_user_info()
  end },
  handle_unauthorized = { run = function(s)
    local action, err = s.client:handle_unauthorized { status = 401 }
    if action then
      return true
    end
    return nil, err
  end },
  wrap = { run = function(s)
    s.provider.ahead = 4000
    return s.client:wrap(function() return { status = 401 } end)()
  end },
  logout = { run = function(s) return s.client:logout() end },
  forced_logout = { run = function(s) return s.client:logout { force = true } end },
  clear = { run = function(s) return s.client:clear_session_state() end },
  configure = { run = function(s)
    return s.client:configure(s.options)
  end },
}

local NAMES = {}
for name in pairs(OPERATIONS) do
  NAMES[#NAMES + 1] = name
end
table.sort(NAMES)

-- What a call gave that is no good answer: looked through. A good answer may hold what it is for.
local function look(s, where, ok, value, err)
  if not ok then
    s.watch:look(where .. " raised", value)
  elseif value == nil or value == false then
    s.watch:look(where .. " answered", err)
    assert.is_table(err, where)
    assert.is_boolean(err.retryable)
    assert.is_not_nil(require("authgear.core").retryable(err.code), "an unknown code: " .. tostring(err.code))
  end
  return ok and value
end

local function run(s, name)
  return look(s, name, xpcall(function()
    return OPERATIONS[name].run(s)
  end, debug.traceback))
end

-- Afterwards the client answers still, and what it says is as clean.
local function use_after(s, name)
  s.provider.answers = {}
  look(s, name .. ", then fetch", xpcall(function()
    return s.client:fetch(fake.APP .. "/me")
  end, debug.traceback))
  s.client:close()
end

local function each_operation(change, options)
  local failures = 0
  for _, name in ipairs(NAMES) do
    local s = setting(options, OPERATIONS[name].logged_out)
    change(s)
    if not run(s, name) then
      failures = failures + 1
    end
    use_after(s, name)
    s.watch:check()
  end
  return failures
end

local TARGETS = { "discovery", "token", "userinfo", "revoke", "app" }

-- Has `answer(secrets, request)` stand in for every answer of one server after the other.
local function each_target(answer, options)
  local failures = 0
  for _, target in ipairs(TARGETS) do
    failures = failures + each_operation(function(s)
      s.provider.answers[target] = function(request)
        return answer(s.known, request)
      end
    end, options)
  end
  return failures
end

describe("the canary", function()
  local secret = canary.text("of the self-test")

  it("is found however it is written", function()
    for name, encode in pairs(canary.ENCODINGS) do
      local watch = canary.watch()
      watch:plant("canary", secret)
      watch:look("a text", "it says '" .. encode(secret) .. "', no less")
      assert.has_error(function() watch:check() end, nil, name)
    end
  end)

  it("is found in any field of an error made with it, and in its text", function()
    local errors = require "authgear.errors"
    for _, make in ipairs {
      function() return errors.new("network", "sent " .. secret) end,
      function() local e = errors.new("network", "x") e.cause = { deep = { secret } } return e end,
      function() local e = errors.new("network", "x") e.oauth_error_description = secret:sub(3, 10) return e end,
      function() local e = errors.new("network", "x") e[secret] = true return e end,
      function() return select(2, xpcall(function() error("at " .. secret) end, debug.traceback)) end,
    } do
      local watch = canary.watch()
      watch:plant("canary", secret)
      watch:look("err", make())
      assert.has_error(function() watch:check() end)
    end
  end)

  it("is not found where it is not", function()
    local watch = canary.watch()
    watch:plant("canary", secret)
    watch:look("a text", secret:sub(1, 7), "a token, a code, a verifier: no secrets", canary.base64(canary.text("another")))
    watch:check()
    assert.truthy(watch.looked >= 3)
  end)

  it("shows up when a leak is planted in the SDK itself", function()
    local core = require "authgear.core"
    local real = core.error
    core.error = function(flow)
      local code, message, retryable = real(flow)
      return code, message .. " for " .. canary.text("refresh token 3"), retryable
    end
    local ok = pcall(each_operation, function(s)
      s.provider.answers.token = function() return nil, { code = "network" } end
    end)
    core.error = real
    assert.is_false(ok)
  end)
end)

describe("no secret", function()
  it("comes out of what goes well", function()
    assert.equal(0, each_operation(function() end))
  end)

  it("comes back from a server that echoes it in an OAuth error", function()
    local answers = 0
    -- The next secret each time, in one of the two fields.
    local function echo(encode)
      return function(known)
        answers = answers + 1
        local body = { error = "invalid_request", error_description = "no" }
        body[answers % 2 == 0 and "error" or "error_description"] = "got " .. encode(known[answers % #known + 1])
        return fake.json(400, body)
      end
    end
    for name, encode in pairs(canary.ENCODINGS) do
      assert.truthy(each_target(echo(encode)) > 10, name)
    end
    for _ = 1, 8 do
      each_target(echo(canary.ENCODINGS.raw))
    end
  end)
end)
