-- takes: 3
-- What user code does while the client is at work: calls it again, closes it, configures it anew, raises, yields.
-- After each the client answers, nothing is held, and what belongs to nobody is let go of.
local authgear = require "authgear"
local fake_server = require "spec.support.fake_server"
local fake_storage = require "spec.support.fake_storage"
local yield_host = require "spec.support.yield_host"

local LIFETIME = 100

local World = {}
World.__index = World

--- options: host (nil: blocks), and more of configure's
local function new_world(options)
  local host = yield_host.new(7)
  local world = setmetatable({ host = host, medium = fake_storage.medium(), events = {} }, World)
  world.server = fake_server.new { now = host.clock.monotonic, lifetime = LIFETIME, pause = function()
    host:pause(0.02)
  end }
  local storage = fake_storage.new(world.medium, function()
    host:pause()
  end)
  world.options = {
    endpoint = world.server.endpoint, client_id = world.server.client_id, storage = storage, transport = world.server,
    host = host.host, clock = host.clock,
  }
  for key, value in pairs(options or {}) do
    world.options[key] = value
  end
  world.client = assert(authgear.new(world.options))
  world.client:on_session_state_change(function(_, state, reason)
    world.events[#world.events + 1] = state .. " " .. reason
  end)
  return world
end

local function log_in(world)
  local request = assert(world.client:start_authentication { redirect_uri = world.server.redirect_uri })
  return assert(world.client:finish_authentication(world.server:visit(request.url)))
end

function World:go(fn, name)
  return self.host:go(name or "a task", fn)
end

function World:run()
  self.host:run()
  assert.is_nil(self.medium.owner, "the lock is held")
end

--- Runs fn in a task, with everything else, to the end; gives what it gave.
function World:in_task(fn)
  local task = self:go(fn)
  self:run()
  if task.failed then
    error(task.raised, 0)
  end
  return task.results[1], task.results[2]
end

local function logged_in(options)
  local world = new_world(options)
  world:in_task(function()
    return log_in(world)
  end)
  return world
end

function World:expire()
  self.host.time = self.host.time + LIFETIME
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

describe("in a host that can only block, a coroutine of the program's own", function()
  local function blocking()
    local world = logged_in()
    world.client._runtime.host = { sleep = world.host.host.sleep }
    world:expire()
    return world
  end

  it("gets an error while another one refreshes", function()
    local world = blocking()
    local errors = 0
    for _ = 1, 10 do
      world:go(function()
        local ok, err = world.client:refresh_access_token_if_needed()
        if not ok then
          assert.equal("host", err.code)
          errors = errors + 1
        end
        return true
      end)
    end
    world:run()
    assert.equal(9, errors)
    assert.equal(1, world.server.counts.refresh)
  end)

  it("that is thrown away in the middle of a refresh leaves room for the next, at any moment before it is sent", function()
    local moment, sent = 0
    repeat
      moment = moment + 1
      local world = blocking()
      local task = world:go(function()
        return world.client:refresh_access_token_if_needed()
      end)
      local steps = 0
      world.host:run(function(host)
        steps = steps + 1
        if steps == moment then
          host:drop(task)
        end
      end)
      sent = world.server.counts.refresh > 0
      if not sent then
        local ok, err = world:in_task(function()
          return world.client:refresh_access_token_if_needed()
        end)
        assert.is_true(ok, "thrown away at step " .. moment .. ": " .. tostring(err))
        assert.equal(1, world.server.counts.refresh)
        assert.equal("AUTHENTICATED", world.client:session_state())
      end
    until sent
    assert.is_true(moment > 5)
  end)
end)

describe("a host", function()
  it("that cannot start a task leads to an error, and nobody waits", function()
    for _, spawn in ipairs { function()
      error "no task left"
    end, function()
      return false
    end } do
      local world = logged_in()
      world:expire()
      local good = world.client._runtime.host
      world.client._runtime.host = { sleep = good.sleep, await = good.await, spawn = spawn }
      local ok, err = world:in_task(function()
        return world.client:refresh_access_token_if_needed()
      end)
      assert.is_nil(ok)
      assert.equal("host", err.code)
      world.client._runtime.host = good
      assert.is_true(world:in_task(function()
        return world.client:refresh_access_token_if_needed()
      end))
    end
  end)

  it("that ends a task in the middle leaves nobody waiting", function()
    local world = logged_in()
    world:expire()
    local done = {}
    for i = 1, 5 do
      world:go(function()
        done[i] = { world.client:refresh_access_token_if_needed() }
      end)
    end
    local killed
    pcall(world.host.run, world.host, function(host)
      for _, task in ipairs(host.tasks) do
        if task.spawned and not killed and task.ticket then
          killed = task
          host:drop(task) -- its coroutine is never resumed again
        end
      end
    end)
    assert.is_table(killed)
    for i = 1, 5 do
      assert.is_table(done[i], "caller " .. i .. " waits for ever")
      assert.is_true(done[i][1] or done[i][2].code == "timeout")
    end
  end)

  it("needs spawn and await, or neither", function()
    local options = { endpoint = "https://auth.example", client_id = "x" }
    local function nothing() end
    for _, host in ipairs { { sleep = nothing, spawn = nothing }, { sleep = nothing, await = nothing }, {} } do
      options.host = host
      assert.has_error(function()
        authgear.new(options)
      end)
    end
    options.host = { sleep = nothing, spawn = nothing, await = nothing }
    assert.is_table(authgear.new(options))
  end)

  -- One whose wake resumes on the spot, and which knows no time.
  local function tiny_host()
    local running = require("authgear.running").running
    local host, queue = {}, {}
    function host.sleep()
      queue[#queue + 1] = running()
      coroutine.yield()
    end
    function host.spawn(fn)
      queue[#queue + 1] = coroutine.create(fn)
    end
    function host.await(start)
      local co, woken, waiting = running(), false, false
      start(function()
        if waiting and not woken then
          assert(coroutine.resume(co))
        end
        woken = true
      end)
      if not woken then
        waiting = true
        coroutine.yield()
      end
      return true
    end
    function host.update()
      local due = queue
      queue = {}
      for _, co in ipairs(due) do
        assert(coroutine.resume(co))
      end
      return #queue > 0
    end
    return host
  end

  -- The one that docs/hosts.md shows, made from its text.
  local function documented_host()
    local file = assert(io.open "docs/hosts.md")
    local text = file:read "*a"
    file:close()
    for block in text:gmatch "```lua\n(.-)```" do
      if block:find("function host.update", 1, true) then
        local time = 0
        local chunk = assert((loadstring or load)("local now = ...\n" .. block .. "\nreturn host, function() return #queue end"))
        local host, waiting = chunk(function()
          return time
        end)
        local update = host.update
        function host.update()
          time = time + 1 / 60
          update()
          return waiting() > 0
        end
        return host
      end
    end
  end

  local function twenty_callers(host)
    local medium = fake_storage.medium()
    local server = fake_server.new { lifetime = LIFETIME, pause = function()
      host.sleep(0.02)
    end }
    local client, answers = nil, 0
    host.spawn(function()
      client = assert(authgear.new { endpoint = server.endpoint, client_id = server.client_id, transport = server,
        storage = fake_storage.new(medium), host = host })
      local request = assert(client:start_authentication { redirect_uri = server.redirect_uri })
      assert(client:finish_authentication(server:visit(request.url)))
      for _ = 1, 20 do
        host.spawn(function()
          assert(client:refresh_access_token())
          answers = answers + 1
        end)
      end
    end)
    repeat until not host.update()
    assert.equal(20, answers)
    assert.equal(1, server.counts.refresh)
    assert.is_nil(medium.owner)
  end

  it("may resume the waiter from inside wake", function()
    twenty_callers(tiny_host())
  end)

  it("can be the one of docs/hosts.md", function()
    twenty_callers(documented_host())
  end)
end)

describe("two clients with one storage", function()
  local function pair()
    local world = logged_in()
    local options = {}
    for key, value in pairs(world.options) do
      options[key] = value
    end
    options.storage = fake_storage.new(world.medium)
    world.other = assert(authgear.new(options))
    return world
  end

  it("a record that took long to read does not replace a newer one", function()
    local world = pair()
    local get, slow = world.options.storage.get, true
    world.options.storage.get = function(self, name)
      local text = get(self, name)
      if slow then
        slow = false
        world.host:sleep(5)
      end
      return text
    end
    world:expire()
    world:in_task(function()
      return world.other:refresh_access_token_if_needed()
    end)
    world:go(function() -- reads what that brought, for five seconds
      return world.client:fetch(world.server.app .. "/x")
    end)
    world:in_task(function()
      world.host:sleep(1)
      assert(world.other:refresh_access_token())
      assert(world.client:refresh_access_token_if_needed())
      assert.equal(world.other:access_token(), world.client:access_token())
    end)
    assert.is_false(slow)
    assert.equal(world.other:access_token(), world.client:access_token())
  end)

  it("what a fetch learns from the storage is shown while it is still under way", function()
    local world = pair()
    world:in_task(function()
      return world.other:refresh_access_token()
    end)
    local shown
    local send = world.server.send
    world.server.send = function(self, request)
      shown = world.client:access_token()
      return send(self, request)
    end
    world:in_task(function()
      return world.client:fetch(world.server.app .. "/x")
    end)
    assert.equal(world.other:access_token(), shown)
  end)

  it("who waited for a refresh that came to nothing has one of its own", function()
    local world = pair()
    world:expire()
    local sleep = world.host.host.sleep
    local mark = {}
    local failing = false
    world.client._runtime.host = { spawn = world.host.host.spawn, await = world.host.host.await, sleep = function(seconds)
      if failing then
        failing = false
        error(mark)
      end
      return sleep(seconds)
    end }
    world.medium.owner = "another process"
    local first = world:go(function()
      return world.client:refresh_access_token_if_needed()
    end)
    local second = world:go(function()
      sleep(0.001)
      return world.client:refresh_access_token_if_needed()
    end)
    world:go(function()
      sleep(0.1)
      failing = true
      sleep(0.1)
      world.medium.owner = nil
    end)
    world:run()
    assert.equal(mark, first.raised)
    assert.is_true(second.results[1], tostring(second.results[2]))
    assert.equal(1, world.server.counts.refresh)
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
