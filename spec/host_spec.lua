-- takes: 2
-- What hosts may do: block only, lose tasks, wake early, late or on the spot; and what two clients with one storage see
-- of each other while everything waits.
local authgear = require "authgear"
local fake_server = require "spec.support.fake_server"
local fake_storage = require "spec.support.fake_storage"
local task_world = require "spec.support.task_world"

local logged_in, LIFETIME = task_world.logged_in, task_world.LIFETIME

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
    world:go(function() -- is resumed now and then while the others wait
      for _ = 1, 100 do
        world.host:pause(0.005)
      end
    end)
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

  it("a look that takes long finds a change that another call has read meanwhile, and not yet taken over", function()
    local world = pair()
    world:in_task(function()
      return world.other:clear_session_state()
    end)
    local changed, get = world.options.storage.changed, world.options.storage.get
    local looks, reads = 0, 0
    world.options.storage.changed = function(self)
      looks = looks + 1
      if looks == 1 then
        world.host:sleep(2)
      end
      return changed(self)
    end
    world.options.storage.get = function(self, name)
      reads = reads + 1
      local text, why = get(self, name)
      if reads == 1 then
        world.host:sleep(5)
      end
      return text, why
    end
    local shown = "nothing yet"
    world:go(function()
      assert(world.client:refresh_access_token_if_needed())
      shown = world.client:access_token()
    end)
    world:in_task(function()
      world.host:sleep(1)
      assert(world.client:fetch(world.server.app .. "/x"))
    end)
    assert.is_nil(shown)
    assert.is_true(looks >= 2 and reads >= 2)
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
