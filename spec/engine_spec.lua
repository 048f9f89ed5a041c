-- takes: 10
-- The engine: transfers on its own thread, as Lua sees them: everything that transfers do on the calling one, news told
-- once, cancelling, limits. Its threads, forks and memory have specs of their own (engine_life_spec, spec/c).
local raw_server = require "spec.support.raw_server"
local engines = require "spec.support.engine"
local core = require "authgear.core"
local curl = require "authgear.curl"

describe("the engine", function()
  local server, world

  setup(function()
    server = raw_server.start()
    world = engines.new(server)
  end)
  teardown(function()
    server:stop()
  end)
  after_each(function()
    assert.equal(0, world.engine:running())
    assert.is_nil(world.engine:ready())
  end)

  it("is one for the whole state", function()
    assert.equal(curl.engine(), curl.engine())
  end)

  describe("requests", function()
    it("gives what a transfer on the calling thread gives", function()
      local status, headers, body, version = world:get("/echo?a=1", { headers = "X-One: 1\r\nX-Empty:\r\n" })
      assert.equal(200, status)
      assert.truthy(headers:find("\r\n[%w-]+: [^\r]+\r\n$"))
      assert.truthy(body:find("^GET /echo%?a=1 HTTP/1.1\n"))
      assert.truthy(body:find("x-one: 1\nx-empty: \n", 1, true))
      assert.equal("1.1", version)
      status, headers, body = world:get("/404")
      assert.same({ 404, "not here" }, { status, body })
      assert.truthy(headers)
    end)

    it("gives the answer as often as wanted, in both shapes", function()
      local job = world:submit("/zero")
      world:finish(job)
      for _ = 1, 2 do
        assert.equal("a\0b\0", (select(3, job:answer())))
        local res = job:result()
        assert.same({ 200, "a\0b\0", "1.1" }, { res.status, res.body, res.http_version })
      end
      job:close()
    end)

    it("begins with what need not be begun at once, whether its thread sleeps, naps or works", function()
      world.engine:patient(true)
      for _, pause in ipairs { 0, 0, 0.001, 0.003, 0.15, 0 } do
        core.sleep(pause)
        world:all(20, "/zero")
      end
      local patient = world:submit("/zero")
      world.engine:patient(false)
      local hurried = world:submit("/zero")
      world:finish(patient, hurried)
      patient:close()
      hurried:close()
    end)

    it("gives the answer and is closed by one call, once it is over", function()
      local job = world:submit("/wait/50")
      assert.equal("wait", job:take())
      world:finish(job)
      local status, headers, body, version = job:take()
      assert.same({ 200, "string", "1.1" }, { status, type(headers), version })
      assert.truthy(body)
      assert.equal("closed", (select(2, job:take())))
      local broken = world:submit("http://127.0.0.1:1/")
      world:finish(broken)
      local nothing, code = broken:take()
      assert.is_nil(nothing)
      assert.equal("network", code)
      assert.equal("closed", (select(2, broken:take())))
    end)

    it("sends bodies, and keeps its own copy of all it was given", function()
      local body = ("b\0"):rep(100000)
      local job = world:submit("/echo", { method = "POST", body = body .. "!", headers = "X-A: " .. ("h"):rep(100) .. "\r\n" })
      collectgarbage()
      world:finish(job)
      local _, _, answer = job:answer()
      assert.equal(body .. "!", answer:sub(-200001))
      job:close()
    end)

    it("goes from one client's settings to another's and back", function()
      local proxied = curl.settings { proxy = server:url("proxy", "") }
      for _ = 1, 3 do
        local before = server:stats().proxied
        assert.equal("a\0b\0", (select(3, world:get("/zero"))))
        local job = assert(world.engine:submit(proxied, nil, "GET", "http://somewhere.test/zero", nil, nil, 10))
        world:finish(job)
        assert.equal("a\0b\0", (select(3, job:answer())))
        job:close()
        assert.equal(before + 1, server:stats().proxied)
      end
    end)

    it("trusts for a client what it trusts, on kept connections too", function()
      local stranger = curl.settings { proxy = "" }
      for _ = 1, 3 do
        assert.equal(200, (world:get("https:/zero")))
        local job = assert(world.engine:submit(stranger, nil, "GET", "https://localhost:" .. server.tls .. "/zero", nil, nil, 10))
        world:finish(job)
        local status, code = job:answer()
        assert.same({ nil, "tls" }, { status, code })
        job:close()
      end
    end)
  end)

  describe("what goes wrong", function()
    it("is said with code, message, retryable and sent", function()
      local cases = {
        { server:url("raw", "/truncated"), "network", true, true },
        { "http://127.0.0.1:" .. server.dead .. "/", "network", true, false },
        { "http://nowhere.invalid/", "dns", true, false },
        { "ftp://127.0.0.1/", "invalid_url", false, false },
        { "https://localhost:" .. server.expired .. "/", "tls", false, false },
        { world:url "/bytes/2000", "too_large", false, true, { max_body = 1999 } },
        { world:url "/stall", "timeout", true, true, { timeout = 0.05 } },
        { world:url "/zero", "invalid_argument", false, false, { headers = "no header\r\n" } },
      }
      for _, case in ipairs(cases) do
        local status, code, message, retryable, sent = world:get(case[1], case[5])
        assert.is_nil(status)
        assert.same({ case[2], case[3], case[4] }, { code, retryable, sent }, case[1] .. ": " .. tostring(message))
      end
    end)

    it("is the same error from step", function()
      local job = world:submit("http://127.0.0.1:" .. server.dead .. "/")
      world:finish(job)
      for _ = 1, 2 do
        local event, code, message, retryable, sent = job:step()
        assert.same({ "error", "network", true, false }, { event, code, retryable, sent })
        assert.truthy(message:find("could not connect to 127.0.0.1:" .. server.dead, 1, true))
      end
      job:close()
      assert.same({ "error", "closed" }, { (job:step()), (select(2, job:step())) })
      assert.equal("closed", (select(2, job:answer())))
    end)

    it("in the call raises", function()
      local e, s = world.engine, world.settings
      assert.has_error(function() e:submit(s, "GET") end)
      assert.has_error(function() e:submit(s, 1, "http://x/") end)
      assert.has_error(function() e:submit({}, "GET", "http://x/") end)
      assert.has_error(function() e:submit(s, "GET", "http://x/", nil, nil, -1) end)
      assert.has_error(function() e:submit(s, "GET", "http://x/", nil, "body", nil, nil, nil, nil, nil, true) end)
      assert.has_error(function() e:limits(0, 1) end)
      assert.has_error(function() e.wait(s, 1) end)
      local job = world:submit("/stall")
      assert.has_error(function() job:result() end)
      assert.has_error(function() job:answer() end)
      job:close()
    end)
  end)
end)
