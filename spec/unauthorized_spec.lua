-- 401 for those who use another HTTP library: handle_unauthorized says what to do, wrap does it. With LuaSocket, as a
-- user would.

local authgear = require "authgear"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local socket_http = require "socket.http"
local ltn12 = require "ltn12"

describe("with another HTTP library", function()
  local dev, storage, clock, client, seen

  before_each(function()
    dev = server.shared()
    storage, clock = authgear.storage.memory(), sdk.clock()
    client, seen = sdk.client(dev, { storage = storage, clock = clock })
    sdk.log_in(dev, client)
  end)

  local function refreshes()
    return sdk.refreshes(dev)
  end

  local function handle(status, token)
    return client:handle_unauthorized { status = status, headers = {}, access_token = token }
  end

  describe("handle_unauthorized", function()
    it("leaves every other status alone", function()
      for _, status in ipairs { 200, 204, 302, 400, 403, 404, 500 } do
        assert.equal("return", handle(status))
      end
      assert.equal(0, refreshes())
    end)

    it("refreshes once, and says to send it again with the new token", function()
      local before = client:access_token()
      local action, header = handle(401, before)
      assert.equal("retry", action)
      assert.not_equal(before, client:access_token())
      assert.equal(client:authorization_header(), header)
      assert.equal(1, refreshes())
    end)

    it("takes the present token for the one that was sent, where that is not said", function()
      assert.equal("retry", (handle(401)))
      assert.equal(1, refreshes())
    end)

    it("asks nobody about a token that has been replaced", function()
      local before = client:access_token()
      assert.equal("retry", (handle(401, before)))
      local action, header = handle(401, before)
      assert.equal("retry", action)
      assert.equal(client:authorization_header(), header)
      assert.equal(1, refreshes())
    end)

    it("never refreshes twice for one token", function()
      assert.equal("retry", (handle(401, client:access_token())))
      for _ = 1, 10 do
        assert.equal("return", (handle(401, client:access_token())))
      end
      assert.equal(1, refreshes())
    end)

    it("returns when the session turns out to be revoked", function()
      dev:revoke {}
      assert.equal("return", (handle(401, client:access_token())))
      assert.equal("NO_SESSION", client:session_state())
      assert.equal("NO_SESSION INVALID", seen[#seen])
      assert.equal("return", (handle(401)))
      assert.equal(1, refreshes())
    end)

    it("gives the error of a refresh that failed", function()
      client = assert(sdk.client(dev, { storage = storage, clock = clock, retry = false }))
      dev:fault { target = "token", kind = "429", retry_after = 3 }
      local action, err = handle(401, client:access_token())
      assert.is_nil(action)
      assert.equal("rate_limited", err.code)
      assert.equal(3, err.retry_after)
      assert.equal("AUTHENTICATED", client:session_state())
      clock.ahead = clock.ahead + 3
      assert.equal("retry", (handle(401, client:access_token())))
    end)

    it("raises at wrong use", function()
      for _, options in ipairs { {}, { status = "401" }, { status = 401, token = "x" }, { status = 401, access_token = 1 } } do
        assert.is_false((pcall(client.handle_unauthorized, client, options)))
      end
      assert.is_false((pcall(client.handle_unauthorized, client)))
      assert.equal(0, refreshes())
    end)
  end)

  describe("wrap", function()
    local sent, get

    before_each(function()
      sent = {}
      -- In LuaSocket's manner: body, status, headers.
      get = client:wrap(function(authorization, url)
        sent[#sent + 1] = authorization or "none"
        local body = {}
        local ok, status, headers = socket_http.request {
          url = url, sink = ltn12.sink.table(body), headers = { Authorization = authorization },
        }
        return ok and table.concat(body), status, headers
      end)
    end)

    it("sends the token, and gives back what the function does", function()
      local body, status, headers = get(dev.app .. "/api/hello")
      assert.equal(200, status)
      assert.truthy(body:find '"hello"')
      assert.equal("application/json", headers["content-type"])
      assert.same({ client:authorization_header() }, sent)
    end)

    it("refreshes before it sends, when the token is old", function()
      local old = client:authorization_header()
      clock.ahead = 1700
      local _, status = get(dev.app .. "/api/hello")
      assert.equal(200, status)
      assert.equal(1, refreshes())
      assert.same({ client:authorization_header() }, sent)
      assert.not_equal(old, sent[1])
    end)

    it("refreshes and sends once more after a 401", function()
      local old = client:authorization_header()
      dev:expire {}
      local body, status = get(dev.app .. "/api/hello")
      assert.equal(200, status)
      assert.truthy(body:find '"hello"')
      assert.same({ old, client:authorization_header() }, sent)
      assert.equal(1, refreshes())
    end)

    it("never twice for one token", function()
      for _ = 1, 5 do
        local _, status = get(dev.app .. "/api/always401")
        assert.equal(401, status)
      end
      assert.equal(6, #sent)
      assert.equal(1, refreshes())
    end)

    it("gives the 401 when the session is revoked, and sends without a token afterwards", function()
      dev:revoke {}
      local _, status = get(dev.app .. "/api/hello")
      assert.equal(401, status)
      assert.equal("NO_SESSION", client:session_state())
      assert.equal(1, #sent)
      _, status = get(dev.app .. "/public/hello")
      assert.equal(200, status)
      assert.equal("none", sent[2])
    end)

    it("gives the error of a refresh, and the function is not called", function()
      clock.ahead = 1700
      dev:fault { target = "token", kind = "status", status = 502 }
      local body, err = get(dev.app .. "/api/hello")
      assert.is_nil(body)
      assert.equal("server", err.code)
      assert.same({}, sent)
      local _, status = get(dev.app .. "/api/hello")
      assert.equal(200, status)
    end)

    it("gives the function's own failure as it is", function()
      local fails = client:wrap(function()
        return nil, "connection refused"
      end)
      assert.same({ nil, "connection refused" }, { fails() })
      assert.equal(0, refreshes())
    end)

    it("finds the status where libraries put it, or where it is told to look", function()
      local shapes = {
        { function(status) return { status = status } end },
        { function(status) return { status_code = status } end },
        { function(status) return { code = status } end },
        { function(status) return "body", status end },
        { function(status) return status, {} end },
        { function(status) return nil, nil, { s = status } end, function(_, _, third) return third.s end },
      }
      for i, shape in ipairs(shapes) do
        local calls = 0
        local call = client:wrap(function()
          calls = calls + 1
          return shape[1](calls == 1 and 401 or 200)
        end, shape[2] and { status = shape[2] })
        assert.is_true(client:refresh_access_token()) -- so that the token is not one from a 401
        call()
        assert.equal(2, calls, i)
      end
    end)

    it("passes arguments on, nils and all, both times", function()
      local heard = {}
      local call = client:wrap(function(_, ...)
        heard[#heard + 1] = { n = select("#", ...), ... }
        return { status = #heard == 1 and 401 or 200 }
      end)
      call("a", nil, "c", nil)
      assert.same({ { n = 4, "a", nil, "c" }, { n = 4, "a", nil, "c" } }, heard)
    end)

    it("lets through what the function raises", function()
      local call = client:wrap(function()
        error({ "mine" }, 0)
      end)
      local ok, raised = pcall(call)
      assert.is_false(ok)
      assert.same({ "mine" }, raised)
    end)
  end)
end)
