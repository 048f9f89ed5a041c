-- protect{} over all workers of a real nginx, against the development server: one question for many who ask, keys fetched once, what
-- revocation, failures and killed workers do.
-- runs-on: jit
-- takes: 40
-- luacheck: max line length 170

local json = require "dkjson"
local nginx = require "spec.support.nginx"
local protected = require "spec.support.protected"
local server = require "spec.support.server"

local dev, n

local function start(init, options)
  options = options or {}
  local all = {
    init = [[
      local verifying = require "authgear.verify"
      local function guard(name, options)
        options.endpoint, options.mode = options.endpoint or "${endpoint}", options.mode or name
        options.client_options = options.client_options or { timeout = 5, retry = false }
        guards[name] = authgear.protect(options)
      end
    ]] .. init,
    workers = options.workers or 4, guards = options.guards, level = options.level or "warn",
    server = "location = /pid { content_by_lua_block { ngx.print(ngx.worker.pid()) } } add_header X-Worker $pid always;" .. (options.server or ""),
    values = { endpoint = dev.endpoint, resolver = dev.resolver, host = dev.endpoint:match "//(.*)" },
  }
  n = protected.start(all)
end

local function count(target)
  return #dev:log { target = target, event = "received" }
end

local function bearer(token)
  return "Authorization: Bearer " .. token
end

local function status(path, token)
  return protected.request(n, path, { bearer(token) }).status
end

before_each(function()
  dev = server.shared()
end)

after_each(function()
  if n then
    assert.same({}, (function()
      local bad = {}
      for _, line in ipairs(n:errors()) do
        if not line:find("a caller could not be judged", 1, true) and not line:find("signal 9", 1, true) then
          bad[#bad + 1] = line
        end
      end
      return bad
    end)())
    n:stop()
    n = nil
  end
end)

-- Sends `many` requests before any is answered; how often each status came back.
local function storm(many, path, token_of)
  local sockets, statuses = {}, {}
  for i = 1, many do
    sockets[i] = protected.send(n, ("GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n\r\n"):format(path, bearer(token_of(i))))
  end
  for i = 1, many do
    local code = protected.receive(sockets[i]).status or 0
    statuses[code] = (statuses[code] or 0) + 1
  end
  return statuses
end

describe("a stampede", function()
  it("of 1,000 requests with one new token is one question over all workers", function()
    start('guard("resolver", { resolver_ttl = 60 })', { guards = { "resolver" } })
    local session = dev:session { client = "native", user = "storm" }
    dev:fault { target = "resolve", kind = "slow", ms = 1500 }
    local before = count "resolve"
    assert.same({ [200] = 1000 }, storm(1000, "/resolver", function() return session.access_token end))
    assert.equal(1, count "resolve" - before)
    assert.equal(200, status("/resolver", session.access_token))
    assert.equal(1, count "resolve" - before)
  end)

  it("with a bad one is one as well", function()
    start('guard("resolver", { resolver_ttl = 60, negative_ttl = 60 })', { guards = { "resolver" } })
    dev:fault { target = "resolve", kind = "slow", ms = 1000 }
    local before = count "resolve"
    assert.same({ [401] = 200 }, storm(200, "/resolver", function() return "bad" end))
    assert.equal(1, count "resolve" - before)
  end)

  it("is one question for each token", function()
    start('guard("resolver", { resolver_ttl = 60 })', { guards = { "resolver" } })
    local sessions = {}
    for i = 1, 10 do
      sessions[i] = dev:session { client = "opaque", user = "storm" .. i }
    end
    local before = count "resolve"
    assert.same({ [200] = 200 }, storm(200, "/resolver", function(i) return sessions[i % 10 + 1].access_token end))
    assert.equal(10, count "resolve" - before)
  end)

  it("begins with one fetch of the keys over all workers", function()
    start('guard("jwt", {})', { guards = { "jwt" } })
    local session = dev:session { client = "native", user = "keys" }
    assert.same({ [200] = 300 }, storm(300, "/jwt", function() return session.access_token end))
    assert.equal(1, count "jwks")
    assert.equal(1, count "discovery")
  end)
end)

describe("a killed worker", function()
  it("keeps no token from being asked about", function()
    start('guard("resolver", { resolver_ttl = 60, client_options = { timeout = 2, retry = false } })', { guards = { "resolver" } })
    local session = dev:session { client = "native", user = "killed" }
    dev:fault { target = "resolve", kind = "hang" }
    local before = count "resolve"
    local first = protected.send(n, ("GET /resolver HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n"):format(bearer(session.access_token)))
    nginx.wait("the question", function() return count "resolve" - before == 1 end)
    for _, pid in ipairs(n:workers()) do
      n:kill_worker(pid)
    end
    first:close()
    nginx.wait("an answer", function() return status("/resolver", session.access_token) == 200 end)
    assert.equal(2, count "resolve" - before)
  end)
end)

describe("a caller who hangs up", function()
  it("does not take the answer away from those who wait with it", function()
    start('guard("resolver", { resolver_ttl = 60, client_options = { timeout = 600, retry = false } })',
      { guards = { "resolver" }, server = "lua_check_client_abort on;", workers = 1, level = "info" })
    local session = dev:session { client = "native", user = "hangs up" }
    local before = count "resolve"
    local line = bearer(session.access_token)
    dev:fault { target = "resolve", kind = "hold" }
    local first = protected.send(n, ("GET /resolver HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n"):format(line))
    nginx.wait("the question", function() return count "resolve" - before == 1 end)
    local others = {}
    for i = 1, 20 do
      others[i] = protected.send(n, ("GET /resolver HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n\r\n"):format(line))
    end
    first:close()
    nginx.wait("its end", function()
      return n:log():find("client prematurely closed connection", 1, true)
    end)
    dev:release()
    for i = 1, 20 do
      assert.equal(200, protected.receive(others[i]).status)
    end
    assert.equal(1, count "resolve" - before)
  end)
end)

describe("a session that was revoked", function()
  it("is seen by the resolver's modes and not by the token's own", function()
    start('guard("jwt", {}) guard("resolver", { resolver_ttl = 0 }) guard("jwt+resolver", { resolver_ttl = 1 })',
      { guards = { "jwt", "resolver", "jwt+resolver" } })
    local session = dev:session { client = "native", user = "revoked" }
    for _, path in ipairs { "/jwt", "/resolver", "/jwt+resolver" } do
      assert.equal(200, status(path, session.access_token))
    end
    dev:revoke { session = session.session }
    assert.equal(401, status("/resolver", session.access_token)) -- at once
    nginx.wait("the end of what is kept", function() return status("/jwt+resolver", session.access_token) == 401 end)
    assert.equal(200, status("/jwt", session.access_token))
  end)

  it("is asked about at most as often as is set", function()
    start('guard("jwt+resolver", { resolver_ttl = 60 }) guard("resolver", { resolver_ttl = 60 })', { guards = { "jwt+resolver", "resolver" } })
    local session = dev:session { client = "native", user = "asked" }
    local before = count "resolve"
    assert.same({ [200] = 100 }, storm(100, "/jwt+resolver", function() return session.access_token end))
    assert.same({ [200] = 100 }, storm(100, "/resolver", function() return session.access_token end)) -- the same answers
    assert.equal(1, count "resolve" - before)
    local other = dev:session { client = "opaque", user = "asked" }
    assert.equal(401, status("/jwt+resolver", other.access_token)) -- refused here: nobody is asked
    assert.equal(1, count "resolve" - before)
  end)

  it("is seen when the token is over, however long answers are kept", function()
    start('guard("resolver", { resolver_ttl = 3600 }) guard("jwt", {})', { guards = { "resolver", "jwt" } })
    local session = dev:session { client = "short", user = "over", ttl = 2 }
    assert.equal(200, status("/resolver", session.access_token))
    assert.equal(200, status("/jwt", session.access_token))
    nginx.wait("the token's end", function() return status("/resolver", session.access_token) == 401 end)
    nginx.wait("the token's end", function() return status("/jwt", session.access_token) == 401 end)
  end)
end)

describe("an internal resolver", function()
  it("knows the project by its host", function()
    start([[guard("resolver", { resolver_url = "${resolver}/resolve", resolver_host = "${host}" })
      guard("wrong", { mode = "resolver", resolver_url = "${resolver}/resolve", resolver_host = "other.example" })]], { guards = { "resolver", "wrong" } })
    local session = dev:session { client = "native", user = "internal" }
    assert.equal(200, status("/resolver", session.access_token))
    assert.equal(401, status("/wrong", session.access_token))
  end)
end)

describe("a resolver that is down", function()
  local FAULTS = { { kind = "status", status = 503 }, { kind = "reset" }, { kind = "close" }, { kind = "hang" }, { kind = "status", status = 404 },
    { kind = "redirect", location = "http://127.0.0.1:1/" },
    { kind = "answer", status = 200, headers = { ["X-Authgear-Session-Valid"] = "yes", ["X-Authgear-User-Id"] = "root" } },
    { kind = "not_http" } }

  it("lets nobody in, unless the token may speak for itself", function()
    start([[guard("resolver", { client_options = { timeout = 0.5, retry = false } })
      guard("fallback", { mode = "resolver", on_resolver_error = "jwt", client_options = { timeout = 0.5, retry = false } })
      guard("both", { mode = "jwt+resolver", on_resolver_error = "jwt", client_options = { timeout = 0.5, retry = false } })]],
      { guards = { "resolver", "fallback", "both" } })
    for _, fault in ipairs(FAULTS) do
      local session = dev:session { client = "native", user = "down" }
      local opaque = dev:session { client = "opaque", user = "down" }
      fault.target, fault.times = "resolve", 1000
      dev:fault(fault)
      local name = json.encode(fault)
      assert.equal(503, status("/resolver", session.access_token), name)
      assert.equal(200, status("/fallback", session.access_token), name)
      assert.equal(200, status("/both", session.access_token), name)
      assert.equal(503, status("/fallback", opaque.access_token), name)
      assert.equal(401, status("/fallback", session.access_token .. "A"), name)
      dev:control("/faults", nil, "DELETE")
      nginx.wait("the resolver", function() return status("/resolver", session.access_token) == 200 end)
      assert.equal(200, status("/fallback", opaque.access_token), name)
    end
  end)
end)

describe("the issuer's keys", function()
  local KID = "eyJhbGciOiJSUzI1NiIsImtpZCI6Im5vbmUtJWQiLCJ0eXAiOiJhdCtqd3QifQ"

  local function unknown(i) -- the header {"alg":"RS256","kid":"none-..","typ":"at+jwt"} before another token's claims
    local mime = require "mime"
    local header = mime.b64('{"alg":"RS256","kid":"none-' .. i .. '","typ":"at+jwt"}'):gsub("=", ""):gsub("+", "-"):gsub("/", "_")
    return header .. ".e30.AAAA", KID
  end

  it("are asked for again for an unknown one, once in a while, by one worker", function()
    start('verifying.INTERVAL = 2 guard("jwt", {})', { guards = { "jwt" } })
    local session = dev:session { client = "native", user = "unknown" }
    assert.equal(200, status("/jwt", session.access_token))
    assert.equal(1, count "jwks")
    local began = require("authgear.core").now()
    local rounds = 0
    repeat
      assert.same({ [401] = 50 }, storm(50, "/jwt", unknown))
      rounds = rounds + 1
    until count "jwks" >= 2
    local took = require("authgear.core").now() - began
    assert.truthy(count "jwks" - 1 <= took / 2 + 1, count "jwks" .. " fetches in " .. took .. " s and " .. rounds .. " rounds")
    assert.equal(200, status("/jwt", session.access_token))
  end)

  it("are used on while the server is away, and not for ever", function()
    start('verifying.MAX_AGE, verifying.INTERVAL, verifying.STALE = 1, 1, 6 guard("jwt", {})', { guards = { "jwt" } })
    local session = dev:session { client = "native", user = "stale" }
    assert.equal(200, status("/jwt", session.access_token))
    dev:fault { target = "jwks", kind = "status", status = 503, times = 100000 }
    dev:fault { target = "discovery", kind = "status", status = 503, times = 100000 }
    nginx.wait("attempts to have newer ones", function()
      local code = status("/jwt", session.access_token)
      return code == 200 and count "jwks" + count "discovery" >= 4
    end)
    nginx.wait("their end", function() return status("/jwt", session.access_token) == 503 end)
    dev:control("/faults", nil, "DELETE")
    nginx.wait("new ones", function() return status("/jwt", session.access_token) == 200 end)
  end)

  it("are fetched before anybody needs them", function()
    start('guard("jwt", {})', { guards = { "jwt" } })
    nginx.wait("the keys", function() return count "jwks" == 1 end)
    local session = dev:session { client = "native", user = "warm" }
    dev:fault { target = "jwks", kind = "status", status = 503, times = 100000 }
    assert.equal(200, status("/jwt", session.access_token))
  end)
end)

describe("a full dictionary", function()
  it("costs questions, and lets nobody in", function()
    start([[guard("resolver", { resolver_ttl = 60 })
      local i = 0
      repeat i = i + 1 until not ngx.shared.authgear:safe_set("filler" .. i .. ngx.worker.pid(), ("x"):rep(4000))
      repeat i = i + 1 until not ngx.shared.authgear:safe_set("f" .. i .. ngx.worker.pid(), "")]], { guards = { "resolver" } })
    local session = dev:session { client = "native", user = "full" }
    assert.same({ [200] = 40 }, storm(40, "/resolver", function() return session.access_token end))
    assert.same({ [401] = 40 }, storm(40, "/resolver", function() return "bad" end))
    dev:revoke { session = session.session }
  end)
end)
