-- takes: 12
-- What every host has to do, at the development server: one list of cases, run in each loop (spec/support/loops.lua).
-- What is said of "the others" is shown by a coroutine that counts while a call waits; nothing is timed.
local authgear = require "authgear"
local protect = require "authgear.protect"
local loops = require "spec.support.loops"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local with = require "spec.support.with"

local here, elsewhere = loops.all()
for _, name in ipairs(elsewhere) do
  print("no package of " .. name .. " for this Lua: left out")
end

for _, row in ipairs(here) do
  describe("in " .. row.name .. ",", function()
    local dev, loop, client, clock

    -- Runs functions in coroutines of the loop until it ends. What they raise is raised here.
    local function run(...)
      local failed, raised = false, nil
      for _, fn in ipairs { ... } do
        loop.go(function()
          local ok, what = protect(fn)
          if not ok and not failed then
            failed, raised = true, what
          end
        end)
      end
      loop.run()
      if failed then
        error(raised, 0)
      end
    end

    local function new_client(options)
      return assert(sdk.client(dev, with({ host = loop.host, clock = clock }, options)))
    end

    -- Runs fn while another coroutine counts its turns; with the fifth, enough() is called. Raises if fn was over before.
    local function beside(fn, enough)
      local turns, over = 0, false
      run(function()
        local ok, raised = protect(fn)
        over = true
        assert(ok, raised)
      end, function()
        while not over do
          loop.sleep(0.002)
          turns = turns + 1
          if turns == 5 and not over then
            enough()
          end
        end
      end)
      assert.is_true(turns >= 5, "only " .. turns .. " turns")
    end

    local function release()
      dev:release()
    end

    setup(function()
      loop = row.open()
    end)

    before_each(function()
      dev = server.shared()
      clock = sdk.clock()
      client = new_client()
      run(function()
        sdk.log_in(dev, client)
      end)
    end)

    it("both halves of a log-in, user info, fetch, refresh and logout give what they give elsewhere", function()
      run(function()
        assert.equal("AUTHENTICATED", client:session_state())
        local info = assert(client:fetch_user_info())
        assert.equal(info.sub, assert(client:fetch(dev.app .. "/api/hello")):json().hello)
        local before = client:access_token()
        assert(client:refresh_access_token())
        assert.not_equal(before, client:access_token())
        assert(client:logout())
        assert.equal("NO_SESSION", client:session_state())
        assert.equal(401, sdk.hello(dev, client))
      end)
    end)

    it("the doctor waits as calls do", function()
      dev:fault { target = "discovery", kind = "hold" }
      beside(function()
        local findings, well = authgear.doctor { endpoint = dev.endpoint, client_id = "native", host = loop.host }
        assert.is_true(well, findings[#findings].message)
      end, release)
    end)

    it("the others go on while a call waits", function()
      dev:fault { target = "app", kind = "hold" }
      beside(function()
        assert.equal(200, sdk.hello(dev, client))
      end, release)
    end)

    it("calls wait side by side", function()
      dev:fault { target = "app", kind = "hold", times = 5 }
      local under_way, most = 0, 0
      local function one()
        under_way = under_way + 1
        most = math.max(most, under_way)
        assert.equal(200, sdk.hello(dev, client))
        under_way = under_way - 1
      end
      run(one, one, one, one, one, function()
        while under_way < 5 or #dev:log { event = "received", target = "app" } < 5 do
          loop.sleep(0.002)
        end
        dev:release()
      end)
      assert.equal(5, most)
      assert.equal(0, under_way)
    end)

    it("a hundred coroutines at expiry make one refresh, and each gets its answer", function()
      clock.ahead = 3600
      local fns, answered = {}, 0
      for i = 1, 100 do
        fns[i] = function()
          local response = assert(client:fetch(dev.app .. "/api/hello"))
          assert.equal(200, response.status)
          answered = answered + 1
        end
      end
      run((unpack or table.unpack)(fns))
      assert.equal(100, answered)
      assert.equal(1, sdk.refreshes(dev))
    end)

    it("the others go on during a slow refresh", function()
      clock.ahead = 3600
      dev:fault { target = "token", kind = "hold" }
      beside(function()
        assert.equal(200, sdk.hello(dev, client))
      end, release)
      assert.equal(1, sdk.refreshes(dev))
    end)

    it("a caller that gives up does not end the refresh", function()
      clock.ahead = 3600
      dev:fault { target = "token", kind = "hold" }
      local before = client:access_token()
      run(function()
        local response, err = client:fetch(dev.app .. "/api/hello", { timeout = 0.1 })
        assert.is_nil(response)
        assert.equal("timeout", err.code)
        assert.equal(before, client:access_token())
        dev:release()
      end)
      assert.not_equal(before, client:access_token())
      assert.equal(1, sdk.refreshes(dev))
    end)

    it("a refused token is refreshed once", function()
      run(function()
        dev:expire {}
        assert.equal(200, sdk.hello(dev, client))
        assert.equal(1, sdk.refreshes(dev))
      end)
    end)

    it("calls under way while a refused token is refreshed all get their answer", function()
      dev:expire {}
      local fns, statuses = {}, {}
      for i = 1, 40 do
        fns[i] = function()
          loop.sleep(i % 5 * 0.004)
          local status = sdk.hello(dev, client)
          statuses[status] = (statuses[status] or 0) + 1
        end
      end
      run((unpack or table.unpack)(fns))
      assert.same({ [200] = 40 }, statuses)
      assert.equal(1, sdk.refreshes(dev))
    end)

    it("a revoked session ends", function()
      run(function()
        dev:revoke {}
        assert.equal(401, sdk.hello(dev, client))
        assert.equal("NO_SESSION", client:session_state())
      end)
    end)

    it("a call ends with its time, or when it is cancelled, and the next one works", function()
      run(function()
        local response, err = client:fetch(dev.app .. "/api/hang", { timeout = 0.1 })
        assert.is_nil(response)
        assert.equal("timeout", err.code)
        local asked = 0
        response, err = client:fetch(dev.app .. "/api/hang", { cancelled = function()
          asked = asked + 1
          return asked > 2
        end })
        assert.is_nil(response)
        assert.equal("cancelled", err.code)
        assert.equal(200, sdk.hello(dev, client))
      end)
    end)

    it("errors come back as errors", function()
      run(function()
        local response, err = client:fetch("http://127.0.0.1:1/")
        assert.is_nil(response)
        assert.equal("network", err.code)
        dev:fault { target = "token", kind = "status", status = 503, times = 10 }
        local ok, refused = client:refresh_access_token()
        assert.is_nil(ok)
        assert.is_true(refused.retryable)
        assert.equal("AUTHENTICATED", client:session_state())
      end)
    end)

    it("what a sink raises gets to the caller, and the loop goes on", function()
      run(function()
        local ok, raised = protect(client.fetch, client, dev.app .. "/api/big?n=100000", { sink = function()
          error("a mistake in the sink", 0)
        end })
        assert.is_false(ok)
        assert.equal("a mistake in the sink", raised)
        assert.equal(200, sdk.hello(dev, client))
      end)
    end)

    it("a slow consumer holds up the sender, not the others", function()
      local size, got, looked = 24 * 1024 * 1024, 0, nil
      beside(function()
        local response = assert(client:fetch(dev.app .. "/api/big?n=" .. size, { sink = function(piece)
          got = got + #piece
          while not looked do
            loop.sleep(0.02)
          end
        end }))
        assert.equal(200, response.status)
      end, function()
        looked = dev:log { event = "answered", target = "app" }
      end)
      assert.equal(size, got)
      assert.same({}, looked)
    end)

    it("a body is sent in pieces that come slowly", function()
      run(function()
        local left = 5
        local response = assert(client:fetch(dev.app .. "/api/upload", { method = "POST", body = function()
          loop.sleep(0.01)
          left = left - 1
          return left >= 0 and ("x"):rep(100000) or nil
        end }))
        assert.equal(500000, response:json().bytes)
      end)
    end)

    it("authgear.async works as well, begun inside and outside of the loop", function()
      local plain = assert(sdk.client(dev))
      local outside = authgear.async(function()
        authgear.sleep(0.01)
        return assert(plain:fetch(dev.app .. "/public/hello")).status
      end)
      local inside, last
      run(function()
        assert.equal(200, sdk.hello(dev, client))
        inside = authgear.async(function()
          authgear.sleep(0.01)
          last = authgear.async(function()
            return sdk.hello(dev, client)
          end)
          return sdk.hello(dev, client)
        end)
      end)
      assert.equal(200, (outside:result()))
      assert.equal(200, (inside:result()))
      assert.equal(200, (last:result()))
    end)

    it("several clients have each their own session", function()
      local other = new_client { client_id = "rotating" }
      run(function()
        sdk.log_in(dev, other)
        clock.ahead = 3600
        assert.equal(200, sdk.hello(dev, other))
      end, function()
        assert.equal(200, sdk.hello(dev, client))
      end)
      assert.equal(1, sdk.refreshes(dev, "rotating"))
      assert.not_equal(client:access_token(), other:access_token())
    end)

    it("a coroutine that the program forgot does no harm, nor keep the loop", function()
      for _, path in ipairs { "/api/hello", "/api/hang" } do
        run(function()
          coroutine.resume(coroutine.create(function()
            return client:fetch(dev.app .. path, { timeout = 0.5 })
          end))
          assert.equal(200, sdk.hello(dev, client))
          collectgarbage()
          collectgarbage()
        end)
      end
      run(function()
        assert.equal(200, sdk.hello(dev, client))
      end)
    end)

    it("a client can be collected when nothing is under way", function()
      local other = new_client()
      local weak = setmetatable({ other }, { __mode = "v" })
      run(function()
        assert.equal(401, sdk.hello(dev, other))
      end)
      other = nil
      collectgarbage()
      collectgarbage()
      assert.is_nil(weak[1])
    end)
  end)
end
