-- takes: 6
-- Interruptions: an error is raised by a debug hook at every single instruction of a call in turn, as a Ctrl-C or a
-- time limit of the program's own would. Afterwards the stored record is the server's, no lock is held, and the next
-- call works. AUTHGEAR_SOAK=1 adds many more with two interruptions in one call.
local authgear = require "authgear"
local core = require "authgear.core"
local fake_server = require "spec.support.fake_server"
local fake_storage = require "spec.support.fake_storage"
local files = require "spec.support.files"

if rawget(_G, "jit") then
  require("jit").off() -- hooks are not called by compiled code
end

-- Local, since a global of a spec is looked up by a function of busted's, which could be interrupted.
local pcall, error, sethook, getinfo = pcall, error, debug.sethook, debug.getinfo

local LIFETIME = 100
local INTERRUPTED = setmetatable({}, { __tostring = function()
  return "interrupted by the spec"
end })

local World = {}
World.__index = World

local function new_world(options)
  options = options or {}
  local world = setmetatable({ time = 1000, medium = fake_storage.medium() }, World)
  local clock = {
    monotonic = function()
      return world.time
    end,
    wall = function()
      return 1700000000 + world.time
    end,
  }
  world.server = fake_server.new { now = clock.monotonic, lifetime = LIFETIME, dpop = options.dpop }
  world.storage = options.storage or fake_storage.new(world.medium)
  world.client = assert(authgear.new {
    endpoint = world.server.endpoint, client_id = world.server.client_id, storage = world.storage, clock = clock, dpop = options.dpop,
    transport = world.server, host = { sleep = function(seconds)
      world.time = world.time + seconds
    end },
  })
  if not options.friendly then
    world.client._runtime.transport = world.server:port(function(fn)
      world:undisturbed(fn)
    end)
  end
  return world
end

-- Runs fn uncounted: what happens in another process, or inside a C function.
function World:undisturbed(fn)
  local before = self.away
  self.away = true
  fn()
  self.away = before
end

-- Calls fn and raises an error after that many instructions, and another one after `again` more. How often it did.
local interrupt

function interrupt(world, after, fn, again)
  local strikes, left = 0, after
  local function count()
    if world.away then
      return
    end
    left = left - 1
    if left == 0 and not (strikes > 0 and getinfo(2, "f").func == interrupt) then
      strikes = strikes + 1
      left, again = again or 0, nil
      error(INTERRUPTED, 0)
    end
  end
  local value, err
  local ok, raised = pcall(function()
    sethook(count, "", 1)
    value, err = fn()
    sethook()
  end)
  sethook()
  if not ok then
    return strikes, ok, raised
  end
  return strikes, ok, value, err
end

function World:log_in()
  local request = assert(self.client:start_authentication { redirect_uri = self.server.redirect_uri })
  return assert(self.client:finish_authentication(self.server:visit(request.url)))
end

function World:record()
  local runtime = self.client._runtime
  local text = runtime.storage:get()
  return text
end

function World:check(where)
  local runtime = self.client._runtime
  assert.is_nil(self.medium.owner, where .. ": the lock is held")
  assert.is_false(runtime.lock_taken, where .. ": the client believes that it holds the lock")
  assert.is_true(self.server:agrees(self:record()), where .. ": the stored refresh token is not the server's")
  assert.equal(0, self.server.counts.reused, where .. ": a refresh token was sent twice")
  assert.equal(0, self.server.counts.replayed, where .. ": a proof was sent twice")
  local token = self.client:access_token()
  if token and runtime.storage.kind == "custom" then
    assert.is_true(self.medium.history[token], where .. ": a token is shown that was never stored")
  end
end

-- Interrupts the call at every instruction, or at every third where it is long. prepare(world) is called before each.
local function at_every_instruction(world, prepare, call, check, stride)
  local after, struck = 0, true
  stride = os.getenv "AUTHGEAR_SOAK" and 1 or stride or 3
  while struck do
    after = after + stride
    prepare(world)
    local strikes, ok, value, err = interrupt(world, after, function()
      return call(world)
    end)
    struck = strikes > 0
    local where = "interrupted after " .. after .. " instructions"
    assert.is_true(ok or value == INTERRUPTED, where .. ": " .. tostring(value))
    if not struck then
      assert.is_true(value ~= nil and ok, where .. ": " .. tostring(err))
    end
    world:check(where)
    check(world, where)
  end
  return after
end

local function expire(world)
  world.time = world.time + LIFETIME
end

local function still_logged_in(world, where)
  local ok, err = world.client:refresh_access_token_if_needed()
  assert.is_true(ok, where .. ": the next call: " .. tostring(err))
  local response
  response, err = world.client:fetch(world.server.app .. "/x")
  assert.equal(200, response and response.status, where .. ": the next fetch: " .. tostring(err))
  assert.equal("AUTHENTICATED", world.client:session_state())
  assert.equal(core.json_decode(world:record()).access_token, world.client:access_token(), where)
end

describe("an error raised in the middle", function()
  it("of a refresh loses nothing", function()
    local world = new_world()
    world:log_in()
    local n = at_every_instruction(world, expire, function()
      return world.client:refresh_access_token_if_needed()
    end, still_logged_in, 1)
    assert.is_true(n > 300, "only " .. n .. " instructions were interrupted")
    assert.equal(world.server.counts.refresh, #world.server.refreshes)
  end)

  it("of a refresh with proofs loses nothing, and sends none twice", function()
    local world = new_world { dpop = true }
    world:log_in()
    at_every_instruction(world, expire, function()
      return world.client:refresh_access_token_if_needed()
    end, still_logged_in, 2)
  end)

  it("of a log-in or user info with proofs sends none twice", function()
    local world = new_world { dpop = true }
    world:log_in()
    local request
    at_every_instruction(world, function()
      request = assert(world.client:start_authentication { redirect_uri = world.server.redirect_uri })
    end, function()
      return world.client:finish_authentication(world.server:visit(request.url))
    end, still_logged_in, 5)
    at_every_instruction(world, expire, function()
      return world.client:fetch_user_info()
    end, still_logged_in, 5)
    assert.equal(0, world.server.counts.wrong_key)
  end)

  it("of a fetch that refreshes loses nothing", function()
    local world = new_world()
    world:log_in()
    at_every_instruction(world, expire, function()
      return world.client:fetch(world.server.app .. "/x")
    end, still_logged_in)
  end)

  it("of a fetch that is refused, refreshes and is sent again loses nothing", function()
    local world = new_world()
    world:log_in()
    at_every_instruction(world, function()
      expire(world)
      assert(world.client:refresh_access_token_if_needed())
      world.server.tokens[world.client:access_token()].born = -LIFETIME
    end, function()
      return world.client:fetch(world.server.app .. "/x")
    end, function(_, where)
      expire(world)
      still_logged_in(world, where)
    end)
  end)

  it("of a log-in leaves the old session or the new one", function()
    local world = new_world()
    world:log_in()
    local url
    at_every_instruction(world, function()
      local request = assert(world.client:start_authentication { redirect_uri = world.server.redirect_uri })
      url = world.server:visit(request.url)
    end, function()
      return world.client:finish_authentication(url)
    end, still_logged_in)
  end)

  it("of a logout leaves the session, or none", function()
    local world = new_world()
    at_every_instruction(world, function()
      if world.client:session_state() ~= "AUTHENTICATED" then
        world:log_in()
      end
    end, function()
      return world.client:logout()
    end, function(_, where)
      local ok, err = world.client:refresh_access_token_if_needed()
      assert.is_true(ok, where .. ": " .. tostring(err))
      assert(world.client:logout { force = true })
      assert.is_nil(world:record())
      assert.equal("NO_SESSION", world.client:session_state())
    end)
  end)

  it("of user info and of clearing a refused session leaves no lock", function()
    local world = new_world()
    at_every_instruction(world, function()
      world:log_in()
      world.server.tokens[world.client:access_token()].born = -LIFETIME
      world.server:revoke_all()
    end, function()
      local info, err = world.client:fetch_user_info()
      assert.is_nil(info)
      return err
    end, function(_, where)
      assert(world.client:clear_session_state(), where)
    end)
  end)
end)

describe("an interrupted refresh", function()
  it("holds no lock of a storage in memory or in files", function()
    local dir = files.temp_dir(true)
    for _, storage in ipairs { authgear.storage.memory(), authgear.storage.file { dir = dir } } do
      local world = new_world { storage = storage }
      local other = assert(authgear.new { endpoint = world.server.endpoint, client_id = world.server.client_id,
        storage = storage, transport = world.server })
      world:log_in()
      at_every_instruction(world, expire, function()
        return world.client:refresh_access_token_if_needed()
      end, function(_, where)
        local theirs = other._runtime.storage
        assert.is_true(theirs:try_lock(), where .. ": the lock is held")
        theirs:unlock()
        still_logged_in(world, where)
      end)
      other:close()
      world.client:close()
    end
    files.remove(dir)
  end)

  -- What a user's own client in Lua gives back can be lost between its return and our first instruction.
  it("through a transport in Lua loses the session only while the answer is handed over", function()
    local lost, at = 0, 0
    local world = new_world { friendly = true }
    world.server.send = function(server, request)
      local answer
      world:undisturbed(function()
        answer = server:act(request)
      end)
      return answer
    end
    repeat
      at = at + 1
      if world.client:session_state() ~= "AUTHENTICATED" then
        world:log_in()
      end
      expire(world)
      local strikes = interrupt(world, at, function()
        return world.client:refresh_access_token_if_needed()
      end)
      assert.is_nil(world.medium.owner, "the lock is held")
      if not world.server:agrees(world:record()) then
        lost = lost + 1
      end
      local ok, err = world.client:refresh_access_token_if_needed()
      assert.is_true(ok, "after " .. at .. ": " .. tostring(err))
    until strikes == 0
    assert.is_true(at > 300)
    assert.is_true(lost <= 12, lost .. " places where the answer is lost")
  end)
end)

-- Two in one call: the second may come where the first is being dealt with, so a session can be lost. Locks can't.
describe("two errors in one call", function()
  it("leave no lock and no refresh under way", function()
    local world = new_world()
    local seed = 12345
    local function random(n)
      seed = seed * 16807 % 2147483647
      return seed % n + 1
    end
    for _ = 1, os.getenv "AUTHGEAR_SOAK" and 8000 or 1500 do
      if world.client:session_state() ~= "AUTHENTICATED" then
        world:log_in()
      end
      expire(world)
      local first, second = random(600), random(100)
      interrupt(world, first, function()
        return world.client:refresh_access_token_if_needed()
      end, second)
      local where = ("interrupted after %d and %d instructions"):format(first, second)
      local ok, err = world.client:refresh_access_token_if_needed()
      assert.is_true(ok, where .. ": " .. tostring(err))
      assert.is_nil(world.medium.owner, where .. ": the lock is held")
      assert.is_nil(world.client._runtime.refreshing[1], where)
    end
  end)
end)
