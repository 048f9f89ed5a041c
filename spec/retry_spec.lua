-- Retries: what is tried again, how often, after what pauses, and what is never sent twice. Time is ours here: a pause is
-- an entry in a list.
local authgear = require "authgear"
local fake_server = require "spec.support.fake_server"
local with = require "spec.support.with"

local ALL = { "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH" }
local IDEMPOTENT = { GET = true, HEAD = true, OPTIONS = true, PUT = true, DELETE = true }

-- A client at a server in Lua; `script` holds what comes instead of the next answers of the target ("app", "token", ...):
-- a status, { status, retry_after }, or an error; "answered" errors come after the server has acted.
local function world(options)
  local self = { time = 1000, slept = {}, script = {}, sent = {} }
  self.server = fake_server.new { now = function() return self.time end }
  local function target_of(request)
    return request.url:match "^https://auth%.example/([%w%.%-]+)" or "app"
  end
  local all = with({
    endpoint = self.server.endpoint, client_id = self.server.client_id, timeout = 60,
    clock = { monotonic = function() return self.time end, wall = function() return self.time + 1.7e9 end },
    host = { sleep = function(seconds)
      table.insert(self.slept, seconds)
      self.time = self.time + seconds
      if self.while_asleep then
        self.while_asleep()
      end
    end },
    transport = function(request)
      local target = target_of(request)
      self.sent[target] = (self.sent[target] or 0) + 1
      local list = self.script[target]
      local next_one = list and table.remove(list, 1)
      if type(next_one) == "number" then
        return { status = next_one, headers = {}, body = "" }
      elseif next_one and next_one.status then
        return { status = next_one.status, headers = { ["Retry-After"] = tostring(next_one.retry_after) }, body = "" }
      elseif next_one then
        if next_one.acted then
          self.server:act(request)
        end
        return nil, next_one
      end
      return self.server:act(request)
    end,
  }, options)
  self.client = assert(authgear.new(all))
  return self
end

local function log_in(w)
  local request = assert(w.client:start_authentication { redirect_uri = w.server.redirect_uri })
  assert(w.client:finish_authentication(w.server:visit(request.url)))
  w.sent, w.slept = {}, {}
  return w
end

local function logged_in(options)
  return log_in(world(options))
end


local NETWORK = { code = "network", message = "no answer" }
local DNS = { code = "dns", message = "no such name", sent = false }
local URL = "https://app.example/x"

describe("a fetch", function()
  for _, what in ipairs { 429, 502, 503, 504, NETWORK, DNS, { code = "timeout", message = "x" } } do
    local name = type(what) == "table" and what.code or what
    it("is tried again after " .. name, function()
      local w = logged_in()
      w.script.app = { what, what }
      local response = assert(w.client:fetch(URL))
      assert.equal(200, response.status)
      assert.equal(3, w.sent.app)
      assert.equal(2, #w.slept)
      assert.is_true(w.slept[1] <= 0.25 and w.slept[2] <= 0.5)
    end)

    it("is given back as it is when the tries are over: " .. name, function()
      local w = logged_in { retry = { retries = 3, base = 0.1, max = 0.2 } }
      w.script.app = { what, what, what, what, 200 }
      local response, err = w.client:fetch(URL)
      assert.equal(4, w.sent.app)
      if type(what) == "number" then
        assert.equal(what, response.status)
      else
        assert.equal(what.code, err.code)
        assert.is_true(err.retryable)
      end
      for i = 1, 3 do
        assert.is_true(w.slept[i] <= 0.2)
      end
    end)
  end

  for _, what in ipairs { 200, 400, 403, 404, 500, 501, { code = "tls", message = "x" }, { code = "too_large", message = "x" } } do
    it("is not tried again after " .. (type(what) == "table" and what.code or what), function()
      local w = logged_in()
      w.script.app = { what }
      w.client:fetch(URL)
      assert.equal(1, w.sent.app)
      assert.equal(0, #w.slept)
    end)
  end

  for _, method in ipairs(ALL) do
    it(method .. " is " .. (IDEMPOTENT[method] and "" or "not ") .. "sent twice", function()
      local w = logged_in()
      w.script.app = { 503, 200 }
      local response = assert(w.client:fetch(URL, { method = method, body = method:find "^P" and "text" or nil }))
      assert.equal(IDEMPOTENT[method] and 200 or 503, response.status)
      assert.equal(IDEMPOTENT[method] and 2 or 1, w.sent.app)
    end)
  end

  it("waits as long as the server asks, within the call's time", function()
    local w = logged_in()
    w.script.app = { { status = 503, retry_after = 20 } }
    assert.equal(200, w.client:fetch(URL).status)
    assert.same({ 20 }, w.slept)
  end)

  it("gives the answer at once when the server asks for more time than there is", function()
    local w = logged_in()
    w.script.app = { { status = 503, retry_after = 61 } }
    local response = assert(w.client:fetch(URL))
    assert.equal(503, response.status)
    assert.equal("61", response.headers["retry-after"])
    assert.same({}, w.slept)
    assert.equal(1, w.sent.app)
  end)

  it("gives the error at once when no time is left for a pause", function()
    local w = logged_in { retry = { retries = 50, base = 30, max = 30 }, timeout = 1 }
    local many = {}
    for i = 1, 50 do
      many[i] = NETWORK
    end
    w.script.app = many
    local began = w.time
    local response, err = w.client:fetch(URL)
    assert.is_nil(response)
    assert.equal("network", err.code)
    assert.is_true(w.time - began < 1)
  end)

  it("is sent again with a fresh token when the old one ran out meanwhile", function()
    local w = logged_in()
    w.script.app = { { status = 503, retry_after = 50 } }
    w.time = w.time + 3600 * 0.9 - 10
    assert.equal(200, w.client:fetch(URL).status)
    assert.equal(1, w.sent.token)
    assert.equal(2, w.sent.app)
  end)

  it("can be told otherwise, for all or for one", function()
    local w = logged_in { retry = false }
    w.script.app = { 503, 503, 200 }
    assert.equal(503, w.client:fetch(URL).status)
    assert.equal(200, w.client:fetch(URL, { retry = { retries = 1 } }).status)
    w.script.app = { 503, 200 }
    local other = logged_in()
    other.script.app = { 503 }
    assert.equal(503, other.client:fetch(URL, { retry = false }).status)
    assert.equal(1, other.sent.app)
  end)

  it("sends no body twice that it has only once", function()
    local w = logged_in()
    w.script.app = { 503, 200 }
    local pieces = { "a", "b" }
    local response = assert(w.client:fetch(URL, { method = "PUT", body = function() return table.remove(pieces, 1) end }))
    assert.equal(503, response.status)
    assert.equal(1, w.sent.app)
  end)

  it("gives a sink the last answer only", function()
    local w = logged_in()
    w.script.app = { 503, NETWORK }
    local got = {}
    local response = assert(w.client:fetch(URL, { sink = function(piece) got[#got + 1] = piece end }))
    assert.equal(200, response.status)
    assert.equal('{"hello":"world"}', table.concat(got))
    assert.equal(3, w.sent.app)
  end)

  it("ends its pause when it is cancelled", function()
    local w = logged_in()
    w.script.app = { { status = 503, retry_after = 30 } }
    local began = w.time
    local response, err = w.client:fetch(URL, { cancelled = function() return w.time - began > 1 end })
    assert.is_nil(response)
    assert.equal("cancelled", err.code)
    assert.is_true(w.time - began < 1.5)
    assert.equal(1, w.sent.app)
  end)

  it("ends its pause with the client", function()
    local w
    w = world { host = { sleep = function(seconds)
      w.time = w.time + seconds
      w.client:close()
    end } }
    log_in(w)
    w.script.app = { 503 }
    local response, err = w.client:fetch(URL)
    assert.is_nil(response)
    assert.equal("closed", err.code)
  end)
end)

describe("the protocol's own questions", function()
  it("are asked again: discovery and user info", function()
    local w = world()
    w.script[".well-known"] = { NETWORK, 503 }
    log_in(w)
    w.script.userinfo = { 502, NETWORK }
    assert.equal("user", assert(w.client:fetch_user_info()).sub)
    assert.equal(3, w.sent.userinfo)
  end)

  it("fail as before when it does not pass", function()
    local w = world()
    w.script[".well-known"] = { 503, 503, 503 }
    local url, err = w.client:start_authentication { redirect_uri = w.server.redirect_uri }
    assert.is_nil(url)
    assert.equal("server", err.code)
    assert.equal(503, err.status)
    assert.equal(3, w.sent[".well-known"])
  end)
end)

describe("a refresh", function()
  local function expired(options)
    local w = logged_in(options)
    w.time = w.time + 3500
    return w
  end

  for _, what in ipairs { 429, 503, DNS } do
    it("is tried again when the server surely did nothing: " .. (type(what) == "table" and what.code or what), function()
      local w = expired()
      w.script.token = { what, what }
      assert(w.client:refresh_access_token_if_needed())
      assert.equal(3, w.sent.token)
      assert.equal(1, w.server.counts.refresh)
      assert.equal(200, w.client:fetch(URL).status)
    end)
  end

  for _, what in ipairs { 500, 502, 504, NETWORK, { code = "timeout", message = "x" } } do
    it("is left to the next call when it may have been acted on: " .. (type(what) == "table" and what.code or what), function()
      local w = expired()
      w.script.token = { what }
      local ok, err = w.client:refresh_access_token_if_needed()
      assert.is_nil(ok)
      assert.is_true(err.retryable)
      assert.equal(1, w.sent.token)
      assert.equal("AUTHENTICATED", w.client:session_state())
      assert(w.client:refresh_access_token_if_needed())
    end)
  end

  it("never sends a token that the server has rotated, when the answer got lost", function()
    local w = expired()
    w.script.token = { { code = "network", message = "cut", acted = true } }
    assert.is_nil(w.client:refresh_access_token_if_needed())
    assert.equal(0, w.server.counts.reused)
    assert.equal("AUTHENTICATED", w.client:session_state())
  end)

  it("gives the lock back while it waits, and looks again afterwards", function()
    local storage = authgear.storage.memory()
    local w = logged_in { storage = storage }
    local other = world { storage = storage }
    other.server, other.time = w.server, w.time + 3500
    w.time = w.time + 3500
    w.script.token = { 503 }
    w.while_asleep = function()
      other.time = w.time
      assert(other.client:refresh_access_token_if_needed())
    end
    assert(w.client:refresh_access_token_if_needed())
    assert.equal(1, w.sent.token) -- the other's was enough
    assert.equal(1, w.server.counts.refresh)
  end)

  it("is one retry for a thousand who wait", function()
    local threads, logged = {}, false
    local w = expired { host = {
      sleep = function()
        if logged then
          coroutine.yield()
        end
      end,
      spawn = function(fn)
        if not logged then
          return fn()
        end
        threads[#threads + 1] = coroutine.create(fn)
      end,
      await = function(start)
        local awake = false
        start(function() awake = true end)
        while not awake do
          coroutine.yield()
        end
      end,
    } }
    logged = true
    local done = 0
    for _ = 1, 1000 do
      threads[#threads + 1] = coroutine.create(function()
        assert(w.client:refresh_access_token_if_needed())
        done = done + 1
      end)
    end
    w.script.token = { 503 }
    local turns = 0
    while done < 1000 and turns < 100 do
      turns = turns + 1
      for i = 1, #threads do
        if coroutine.status(threads[i]) ~= "dead" then
          assert(coroutine.resume(threads[i]))
        end
      end
    end
    assert.equal(1000, done)
    assert.equal(2, w.sent.token)
    assert.equal(1, w.server.counts.refresh)
  end)

  it("leaves the server alone for as long as it asked, whoever calls", function()
    local w = expired { retry = { retries = 2, base = 0.1, max = 0.1 }, refresh_timeout = 10 }
    w.script.token = { { status = 429, retry_after = 40 } }
    local ok, err = w.client:refresh_access_token_if_needed()
    assert.is_nil(ok)
    assert.equal("rate_limited", err.code)
    assert.equal(40, err.retry_after)
    for _ = 1, 5 do
      w.time = w.time + 5
      local response, why = w.client:fetch(URL)
      assert.is_nil(response)
      assert.equal("rate_limited", why.code)
      assert.is_true(why.retryable and why.retry_after <= 35)
    end
    assert.equal(1, w.sent.token)
    w.time = w.time + 16
    assert.equal(200, w.client:fetch(URL).status)
    assert.equal(2, w.sent.token)
  end)

  it("does not believe that a server wants to be left alone for a day", function()
    local w = expired()
    w.script.token = { { status = 503, retry_after = 86400 } }
    assert.is_nil(w.client:refresh_access_token_if_needed())
    w.time = w.time + 301
    assert(w.client:refresh_access_token_if_needed())
  end)

  it("has one time limit for its tries and pauses", function()
    local w = expired { refresh_timeout = 3, retry = { retries = 100, base = 1, max = 1 } }
    local many = {}
    for i = 1, 100 do
      many[i] = 503
    end
    w.script.token = many
    local began = w.time
    local ok, err = w.client:refresh_access_token_if_needed()
    assert.is_nil(ok)
    assert.equal("server", err.code)
    assert.is_true(w.time - began <= 3)
    assert.is_true(w.sent.token > 2)
  end)

  it("is bounded by its caller's time while nothing is out", function()
    local w = expired { timeout = 5 }
    w.script.token = { { status = 503, retry_after = 20 } }
    local began = w.time
    local response, err = w.client:fetch(URL)
    assert.is_nil(response)
    assert.equal("server", err.code)
    assert.is_true(w.time - began < 5)
  end)
end)
