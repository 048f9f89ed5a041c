-- takes: 4
-- Proofs of possession in each host (spec/support/loops.lua), against the provider with the whole of RFC 9449: many coroutines at
-- once, none of which knows a nonce yet, each of them proved by itself.

local authgear = require "authgear"
local dpop = require "spec.support.dpop"
local loops = require "spec.support.loops"
local protect = require "authgear.protect"
local task_world = require "spec.support.task_world"

local N = 12

for _, row in ipairs((loops.all())) do
  describe("in " .. row.name .. ", DPoP", function()
    local dev, loop

    setup(function()
      loop = row.open()
    end)

    before_each(function()
      dev = dpop.reset()
    end)

    -- Runs n coroutines of the loop to their end; what one raises is raised here.
    local function run(n, fn)
      local raised
      for i = 1, n do
        loop.go(function()
          local ok, what = protect(fn, i)
          raised = raised or (not ok and what)
        end)
      end
      loop.run()
      assert(not raised, raised)
    end

    it("logs in once, refreshes once, and proves every fetch by itself", function()
      local client
      run(1, function()
        client = dpop.open(true, { host = loop.host })
        dpop.log_in(client)
      end)
      assert.equal("400 200", dpop.answers "token")
      run(N, function(i)
        local response = assert(client:fetch(dev.strict.app .. "/hello?n=" .. i, i % 2 == 0 and { method = "POST", body = "b" } or nil))
        assert.equal(200, response.status)
      end)
      local proofs = dpop.proofs()
      assert.is_true(#proofs >= N + 3 and #proofs <= 2 * N + 3)
      run(N, function()
        assert(client:refresh_access_token())
      end)
      assert.equal("400 200 200", dpop.answers "token")
      assert.equal(dpop.field "dpop_jkt", dpop.proofs()[#proofs + 1].jkt)
    end)

    it("never has the engine send a proof again by itself", function()
      local client
      run(1, function()
        client = dpop.open(true, { host = loop.host })
        dpop.log_in(client)
        assert(client:fetch(dev.strict.app .. "/hello"))
      end)
      dev:fault { target = "app", kind = "close_kept", times = 3 }
      run(3, function()
        assert.equal(200, assert(client:fetch(dev.strict.app .. "/hello")).status)
      end)
      assert.is_true(dev:faults()[1].fired > 0)
      dpop.proofs()
    end)

    it("makes one key for those who need it at once", function()
      local clients = {}
      for i = 1, N do
        clients[i] = dpop.open(false, { host = loop.host })
      end
      local jkts = {}
      run(N, function(i)
        local request = assert(clients[i]:start_authentication { redirect_uri = "http://127.0.0.1:8989/callback" })
        jkts[request.url:match "[?&]dpop_jkt=([^&]+)"] = true
      end)
      local jkt = next(jkts)
      assert.equal(43, #jkt)
      assert.is_nil(next(jkts, jkt))
    end)

    it("lets nobody wait for a proof of a session whose key is lost", function()
      local client
      run(1, function()
        client = dpop.open(true, { host = loop.host })
        dpop.log_in(client)
        dpop.change_record('"dpop_key":"[^"]+",', "")
        client = dpop.open(true, { host = loop.host })
      end)
      run(N, function()
        dpop.fails("dpop_key", client:fetch(dev.strict.app .. "/hello"))
        dpop.fails("dpop_key", client:refresh_access_token())
      end)
      assert.equal("AUTHENTICATED", client:session_state())
    end)
  end)
end

describe("a program that is not asynchronous, DPoP", function()
  it("takes over what a task has begun", function()
    local dev = dpop.reset()
    local client = dpop.open(true)
    dpop.log_in(client)
    local handle = authgear.async(client.fetch, client, dev.strict.app .. "/hello")
    assert.equal(200, assert(client:fetch(dev.strict.app .. "/hello")).status)
    assert.equal(200, assert(handle:wait()).status)
    dpop.proofs()
  end)
end)

describe("in a host where everything yields, DPoP", function()
  local function start(world)
    return world.client:start_authentication { redirect_uri = world.server.redirect_uri }
  end

  it("leaves no lock behind with a caller who is thrown away while the key is made", function()
    local steps, done = 0, false
    while not done do
      steps = steps + 1
      local world, n = task_world.new { dpop = true }, 0
      local caller = world:go(function()
        return start(world)
      end)
      world.host:run(function(host)
        n = n + 1
        if n == steps then
          host:drop(caller)
        end
      end)
      done = n < steps -- it was over before
      assert.is_nil(world.medium.owner, "dropped after " .. steps .. " steps: the lock is held")
      local request = assert(world:in_task(function()
        return start(world)
      end))
      assert.matches("[?&]dpop_jkt=", request.url)
    end
    assert.is_true(steps > 10)
  end)
end)
