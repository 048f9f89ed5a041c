-- takes: 3
-- What user code does while the client is at work: calls it again, closes it, configures it anew, raises, yields.
-- After each the client answers, nothing is held, and what belongs to nobody is let go of.
local fake_storage = require "spec.support.fake_storage"
local task_world = require "spec.support.task_world"

local new_world, logged_in, log_in = task_world.new, task_world.logged_in, task_world.log_in
local LIFETIME = task_world.LIFETIME

-- Logged in, with a host that can only block. Second what says how many seconds it was asked to wait so far.
local function blocking_world()
  local slept, world = 0, nil
  local medium = fake_storage.medium()
  world = new_world { host = { sleep = function(seconds)
    slept = slept + seconds
    world.host.time = world.host.time + seconds
  end }, storage = fake_storage.new(medium), lock_timeout = 120 }
  world.medium = medium
  world:in_task(function()
    return log_in(world)
  end)
  return world, function()
    return slept
  end
end

describe("a listener", function()
  it("can refresh, fetch and log out", function()
    local world = new_world()
    local did = {}
    world.client:on_session_state_change(function(client, state)
      if state == "AUTHENTICATED" then
        did[1] = client:refresh_access_token_if_needed()
        did[2] = client:refresh_access_token()
        did[3] = client:fetch(world.server.app .. "/x")
        did[4] = client:logout()
      end
    end)
    world:in_task(function()
      return log_in(world)
    end)
    assert.same({ true, true, 200, true }, { did[1], did[2], did[3] and did[3].status, did[4] })
    assert.equal("NO_SESSION", world.client:session_state())
    assert.same({ "AUTHENTICATED AUTHENTICATED", "NO_SESSION LOGOUT" }, world.events)
  end)

  it("that is called because a refresh found the session revoked can ask for a refresh", function()
    for _, blocking in ipairs { false, true } do
      local world = logged_in()
      if blocking then
        world.client._runtime.host = { sleep = world.host.host.sleep }
      end
      local ok, err
      world.client:on_session_state_change(function(client, state)
        if state == "NO_SESSION" then
          ok, err = client:refresh_access_token_if_needed()
        end
      end)
      world.server:revoke_all()
      world:expire()
      assert.is_true(world:in_task(function()
        return world.client:refresh_access_token_if_needed()
      end))
      assert.is_true(ok, tostring(err))
      assert.equal("NO_SESSION INVALID", world.events[#world.events])
    end
  end)

  it("hears of events in their order, whatever those before it do", function()
    local world = new_world()
    local heard = {}
    world.client:on_session_state_change(function(client, state)
      if state == "AUTHENTICATED" then
        world.host:pause(1)
        assert(client:clear_session_state())
      end
    end)
    world.client:on_session_state_change(function(_, state, reason)
      heard[#heard + 1] = state .. " " .. reason
      world.host:pause(1)
    end)
    world:in_task(function()
      return log_in(world)
    end)
    assert.same({ "AUTHENTICATED AUTHENTICATED", "NO_SESSION CLEAR" }, heard)
  end)

  it("that raises makes its caller raise, and keeps nothing else from happening", function()
    local world = logged_in()
    local later = {}
    local mark = {}
    world.client:on_session_state_change(function()
      error(mark)
    end)
    world.client:on_session_state_change(function(_, state)
      later[#later + 1] = state
    end)
    local ok, raised = pcall(world.in_task, world, function()
      return world.client:logout()
    end)
    assert.is_false(ok)
    assert.equal(mark, raised)
    assert.is_nil(world.medium.records.default)
    assert.is_nil(world.medium.owner)
    assert.same({}, later)
    world:in_task(function() -- the next call delivers what is still due
      return world.client:refresh_access_token_if_needed()
    end)
    assert.same({ "NO_SESSION" }, later)
  end)

  it("that was taken off is not called any more, even when its event is due", function()
    local world = new_world()
    local called = 0
    local function second()
      called = called + 1
    end
    world.client:on_session_state_change(function(client)
      client:remove_session_state_listener(second)
    end)
    world.client:on_session_state_change(second)
    world:in_task(function()
      return log_in(world)
    end)
    assert.equal(0, called)
  end)

  it("can close the client, or configure it anew", function()
    for _, what in ipairs { "close", "configure" } do
      local world = new_world()
      world.client:on_session_state_change(function(client, _, reason)
        if reason == "AUTHENTICATED" then
          if what == "close" then
            client:close()
          else
            assert(client:configure(world.options))
          end
        end
      end)
      assert.is_table(world:in_task(function()
        return log_in(world)
      end))
      local state = what == "close" and "UNKNOWN" or "AUTHENTICATED"
      assert.equal(state, world.client:session_state())
    end
  end)
end)

-- Closes or configures anew at every moment of a refresh in turn, with others waiting for it.
describe("a client that is closed or configured anew in the middle of a refresh", function()
  for _, what in ipairs { "close", "configure" } do
    it("finishes and stores it, and everybody has an answer (" .. what .. ")", function()
      local moment, over = 0
      repeat
        moment = moment + 1
        local world = logged_in()
        local closed = false
        world.client._runtime.transport.close = function()
          closed = true
        end
        world:expire()
        local tasks = {}
        for i = 1, 3 do
          tasks[i] = world:go(function()
            return world.client:fetch(world.server.app .. "/x")
          end)
        end
        local steps, done = 0, false
        world.host:run(function()
          steps = steps + 1
          if steps == moment then
            done = true
            world.host.current = nil
            world.client[what](world.client, what == "configure" and world.options or nil)
          end
        end)
        over = not done
        local where = what .. " at step " .. moment
        for _, task in ipairs(tasks) do
          assert.is_not_true(task.failed, where .. ": " .. tostring(task.raised))
          local value, err = task.results[1], task.results[2]
          assert.is_true(value ~= nil or err.code == "closed" or err.code == "not_configured",
            where .. ": " .. tostring(err))
        end
        assert.is_nil(world.medium.owner, where .. ": the lock is held")
        assert.is_true(world.server:agrees(world.medium.records.default), where)
        assert.is_true(over or closed, where .. ": the transport was not closed")
      until over
      assert.is_true(moment > 20)
    end)
  end
end)

describe("a call from inside the work it would have to wait for", function()
  it("is refused, and the work goes on", function()
    local world = logged_in()
    world:expire()
    local err
    local send = world.server.send
    world.server.send = function(self, request)
      if request.url:find("/token", 1, true) then
        err = select(2, world.client:refresh_access_token_if_needed())
      end
      return send(self, request)
    end
    assert.is_true(world:in_task(function()
      return world.client:refresh_access_token_if_needed()
    end))
    assert.equal("host", err and err.code)
    assert.equal(1, world.server.counts.refresh)
  end)

  it("is refused in a host that can only block, too", function()
    local world = logged_in()
    world.client._runtime.host = { sleep = world.host.host.sleep }
    world:expire()
    local err
    local get = world.options.storage.get
    world.options.storage.get = function(self, name)
      local mine
      if not err then
        err = "asked"
        mine, err = world.client:refresh_access_token_if_needed()
        assert(mine == nil)
      end
      return get(self, name)
    end
    assert.is_true(world:in_task(function()
      return world.client:refresh_access_token_if_needed()
    end))
    assert.equal("host", err and err.code)
  end)
end)

describe("a call that needs a lock which another process keeps", function()
  it("ends with its time, and has tried only as often as it has waited", function()
    local world, slept = blocking_world()
    local lock, tries = world.options.storage.lock, 0
    world.options.storage.lock = function(self, name)
      tries = tries + 1
      if tries > 10000 then
        error "tried too often"
      end
      return lock(self, name)
    end
    world.medium.owner = "another process"
    local ok, err = world.client:clear_session_state()
    assert.is_nil(ok)
    assert.equal("timeout", err.code)
    assert.is_true(slept() > 59 and slept() <= 60, slept())
    world.medium.owner = nil
    assert.is_true(world.client:clear_session_state())
  end)
end)

describe("a call that needs the lock, made from inside the work that holds it", function()
  it("by the storage, is refused at once, and the work goes on", function()
    local world, slept = blocking_world()
    local del, ok, err = world.options.storage.del, nil, nil
    world.options.storage.del = function(self, name)
      ok, err = world.client:clear_session_state()
      return del(self, name)
    end
    assert.is_true(world.client:clear_session_state())
    assert.is_nil(ok)
    assert.equal("host", err.code)
    assert.equal(0, slept())
    assert.is_nil(world.medium.owner)
    world.options.storage.del = del
    assert.is_true(world.client:clear_session_state())
  end)

  it("by a finalizer, is refused at once, and the work goes on", function()
    local world, slept = blocking_world()
    local del, errs = world.options.storage.del, {}
    local here, apart = coroutine.running(), false
    local function finalizer()
      apart = apart or coroutine.running() ~= here -- newer LuaJITs: it cannot be seen there
      errs[#errs + 1] = select(2, world.client:clear_session_state())
    end
    local function leave_garbage()
      for _ = 1, 3 do
        if newproxy then
          getmetatable(newproxy(true)).__gc = finalizer
        else
          setmetatable({}, { __gc = finalizer })
        end
      end
    end
    world.options.storage.del = function(self, name)
      leave_garbage()
      collectgarbage()
      collectgarbage()
      return del(self, name)
    end
    assert.is_true(world.client:clear_session_state())
    assert.is_true(#errs > 1) -- Lua 5.1's stack may still hold the last
    for _, err in ipairs(errs) do
      assert.equal(apart and "timeout" or "host", err.code)
    end
    assert.equal(not apart, slept() == 0)
  end)

  it("is not refused when that work is gone", function()
    local world, slept = blocking_world()
    local runtime = world.client._runtime
    local unlock = runtime.storage.unlock
    runtime.storage.unlock = function()
      error "no"
    end
    assert.is_false(pcall(world.client.clear_session_state, world.client))
    runtime.storage.unlock = unlock
    assert.is_true(runtime.lock_taken)
    assert.is_true(world.client:clear_session_state())
    assert.equal(0, slept())
  end)
end)

describe("user code that raises", function()
  it("in a fetch's own functions leaves the client usable", function()
    local world = logged_in()
    local function try(init)
      local ok, value, err = pcall(world.in_task, world, function()
        return world.client:fetch(world.server.app .. "/x", init)
      end)
      assert.is_true(not ok or value == nil and type(err.code) == "string")
      local response = world:in_task(function()
        return world.client:fetch(world.server.app .. "/x")
      end)
      assert.equal(200, response.status)
    end
    local function bad()
      error({})
    end
    try { sink = bad }
    try { body = bad }
    try { cancelled = bad }
    world.server.tokens[world.client:access_token()].born = -LIFETIME
    try { on_unauthorized = bad }
    collectgarbage()
    assert.is_nil(next(world.client._runtime.runs))
  end)
end)
