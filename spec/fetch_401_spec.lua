-- fetch and the token: refreshed before it is sent, and what is done about a 401.

local fetchers = require "spec.support.fetcher"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

-- Both ways that a request can go (spec/support/fetcher.lua).
local function show(at_once)
  local dev, fetcher, client, seen

  before_each(function()
    dev = server.shared()
    fetcher = fetchers.new(dev, at_once)
  end)

  local function begin(more)
    client, seen = fetcher:log_in(more)
  end

  local function refreshes()
    return sdk.refreshes(dev)
  end

  local function arrived()
    return sdk.arrived(dev)
  end

  local function grow_old()
    sdk.grow_old(fetcher.storage)
  end

  local function echo(init, path)
    return sdk.echo(dev, client, init, path)
  end

  describe("refreshes", function()
    before_each(function()
      begin()
    end)

    it("before it sends, when the token is old", function()
      grow_old()
      local before = client:access_token()
      assert.is_true(echo().token_valid)
      assert.not_equal(before, client:access_token())
      assert.equal(1, refreshes())
      assert.same({ "app /api/echo" }, arrived())
    end)

    it("not at all for a request without a token", function()
      grow_old()
      assert.is_false(echo({ authorization = false }, "/public/echo").authorization)
      assert.equal(0, refreshes())
    end)
  end)

  describe("on a 401", function()
    before_each(function()
      begin()
    end)

    it("refreshes once and sends once more (retry)", function()
      dev:expire {}
      local before = client:access_token()
      local saw = echo { body = "again" }
      assert.equal("again", saw.body)
      assert.is_true(saw.token_valid)
      assert.not_equal(before, client:access_token())
      assert.equal(1, refreshes())
      assert.same({ "app /api/echo", "app /api/echo" }, arrived())
    end)

    it("never twice for one token: a server that always says 401 is no load on the login server", function()
      for _ = 1, 10 do
        assert.equal(401, assert(client:fetch(dev.app .. "/api/always401")).status)
      end
      assert.equal(1, refreshes())
      assert.equal(11, #arrived())
      assert.equal("AUTHENTICATED", client:session_state())
      -- Another process that shares the session knows it, too.
      assert.equal(401, assert(fetcher:open():fetch(dev.app .. "/api/always401")).status)
      assert.equal(1, refreshes())
      -- The token is good elsewhere, and grows old as any.
      assert.is_true(echo().token_valid)
      grow_old()
      assert.equal(401, assert(client:fetch(dev.app .. "/api/always401")).status)
      assert.equal(3, refreshes()) -- one since it was old, and one for the 401
      for _ = 1, 5 do
        assert.equal(401, assert(client:fetch(dev.app .. "/api/always401")).status)
      end
      assert.equal(3, refreshes())
    end)

    it("sends no request when the token has been replaced meanwhile", function()
      local other = fetcher:open()
      dev:expire {}
      assert.is_true(other:refresh_access_token())
      assert.equal(1, refreshes())
      -- The client looks at the storage before it sends; a 401 for the old token needs it to miss the change.
      local action, header = client:handle_unauthorized { status = 401, access_token = client:access_token() }
      assert.equal("retry", action)
      assert.equal(other:authorization_header(), header)
      assert.equal(1, refreshes())
    end)

    it("gives the 401 when the session turns out to be revoked", function()
      dev:revoke {}
      local response = assert(client:fetch(dev.app .. "/api/hello"))
      assert.equal(401, response.status)
      assert.equal("NO_SESSION", client:session_state())
      assert.equal("NO_SESSION INVALID", seen[#seen])
      assert.same({ "app /api/hello" }, arrived())
      assert.is_nil(client:access_token())
    end)

    it("gives the error of a refresh that failed, and keeps the session", function()
      dev:expire {}
      dev:fault { target = "token", kind = "status", status = 503, times = 5 }
      local response, err = client:fetch(dev.app .. "/api/hello")
      assert.is_nil(response)
      assert.equal("server", err.code)
      assert.is_true(err.retryable)
      assert.equal("AUTHENTICATED", client:session_state())
      dev:control("/faults", nil, "DELETE")
      assert.is_true(echo().token_valid)
    end)

    it("leaves it to the caller (return)", function()
      dev:expire {}
      assert.equal(401, sdk.hello(dev, client, { on_unauthorized = "return" }))
      assert.equal(0, refreshes())
      client = fetcher:open { on_unauthorized = "return" }
      assert.equal(401, sdk.hello(dev, client))
      assert.equal(0, refreshes())
      assert.equal(200, sdk.hello(dev, client, { on_unauthorized = "retry" }))
    end)

    it("ends the session if it stays (clear)", function()
      dev:expire {}
      assert.equal(200, sdk.hello(dev, client, { on_unauthorized = "clear" }))
      assert.equal(1, refreshes())
      local response, err = client:fetch(dev.app .. "/api/always401", { on_unauthorized = "clear" })
      assert.is_nil(response)
      assert.equal("session_revoked", err.code)
      assert.equal(401, err.status)
      assert.is_false(err.retryable)
      assert.equal("NO_SESSION CLEAR", seen[#seen])
      assert.equal("NO_SESSION", fetcher:open():session_state())
    end)

    it("says the same when the server had revoked it (clear)", function()
      dev:revoke {}
      local response, err = client:fetch(dev.app .. "/api/hello", { on_unauthorized = "clear" })
      assert.is_nil(response)
      assert.equal("session_revoked", err.code)
      assert.equal("NO_SESSION", client:session_state())
      assert.equal("NO_SESSION INVALID", seen[#seen])
    end)

    it("asks a function, once, which sees the response", function()
      local calls = {}
      local function policy(word)
        return { on_unauthorized = function(response)
          calls[#calls + 1] = { response.status, response.headers["WWW-Authenticate"], response:json().error }
          return word
        end }
      end
      dev:expire {}
      assert.equal(401, sdk.hello(dev, client, policy "return"))
      assert.equal(0, refreshes())
      assert.equal(200, sdk.hello(dev, client, policy "retry"))
      assert.equal(1, refreshes())
      assert.same({ 401, 'Bearer error="invalid_token"', "unauthorized" }, calls[1])
      assert.equal(2, #calls)
      assert.equal(200, sdk.hello(dev, client, policy "clear"))
      assert.equal(2, #calls) -- not a 401
      local _, err = client:fetch(dev.app .. "/api/always401", policy "clear")
      assert.equal("session_revoked", err.code)
      assert.equal(3, #calls)
    end)

    it("survives a function that raises or says nonsense", function()
      for _, policy in ipairs {
        function() error({ "mine" }, 0) end, function() return "perhaps" end, function() end,
      } do
        local response, err = client:fetch(dev.app .. "/api/always401", { on_unauthorized = policy })
        assert.is_nil(response)
        assert.equal("user_code", err.code)
      end
      local _, err = client:fetch(dev.app .. "/api/always401", { on_unauthorized = function()
        error({ "mine" }, 0)
      end })
      assert.same({ "mine" }, err.cause)
      assert.equal(0, refreshes())
      assert.equal("AUTHENTICATED", client:session_state())
    end)

    it("never sends a function's body again", function()
      dev:expire {}
      local calls = 0
      local response = assert(client:fetch(dev.app .. "/api/upload", { body = function()
        calls = calls + 1
        return calls == 1 and "once" or nil
      end }))
      assert.equal(401, response.status)
      assert.same({ "app /api/upload" }, arrived())
      assert.equal("AUTHENTICATED", client:session_state())
    end)

    it("of a hop on another origin, does nothing: the token was not sent there", function()
      assert.equal(401, assert(client:fetch(dev.app .. "/api/redirect/302?cross=/api/hello")).status)
      assert.equal(0, refreshes())
    end)

    it("of a later hop on the same origin, sends that hop again", function()
      dev:expire {}
      local saw = echo(nil, "/public/redirect/302?path=/api/echo")
      assert.is_true(saw.token_valid)
      assert.equal(1, refreshes())
    end)

    it("to a request without the token, does nothing", function()
      assert.equal(401, sdk.hello(dev, client, { authorization = false }))
      assert.equal(401, sdk.hello(dev, client, { headers = { Authorization = "Bearer x" } }))
      assert.equal(0, refreshes())
    end)
  end)
end

describe("fetch", function()
  show(false)
end)

describe("fetch, at once where it can be", function()
  show(true)
end)
