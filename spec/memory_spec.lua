-- takes: 10
-- Out of memory: every allocation of our own, and of cJSON's, fails in turn, alone or with all that come after it,
-- in every call and with every storage. An error each time, no leak, no lock held, the stored session the server's.
-- And how much memory a client takes.
local authgear = require "authgear"
local core = require "authgear.core"
local fake_server = require "spec.support.fake_server"
local fake_storage = require "spec.support.fake_storage"
local files = require "spec.support.files"

local LIFETIME = 100
-- Under a tool that is slow (valgrind) every eighth allocation of a call has to do, with each storage another one.
local STEP = os.getenv "AUTHGEAR_STEADY_TURNS" and 8 or 1
local FIRST = { custom = 1, memory = 3, file = 5, dpop = 7 }

-- Which allocation fails, not counting those of the spec's own server and storage.
local meter = { used = 0 }

function meter.start(n, onwards)
  meter.n, meter.onwards, meter.used = n, onwards, 0
  core.test_alloc(onwards and -n or n)
end

--- How many allocations there were; from now on none fails.
function meter.stop()
  local count = core.test_alloc(0)
  meter.used = meter.used + (meter.n and count or 0)
  meter.n = nil
  return meter.used
end

local function away(fn, ...)
  local n, onwards = meter.n, meter.onwards
  if not n then
    return fn(...)
  end
  meter.stop()
  local a, b = fn(...)
  local left = n - meter.used
  meter.n, meter.onwards = n, onwards
  if onwards then
    core.test_alloc(left > 0 and -left or -1)
  else
    core.test_alloc(left > 0 and left or 0)
  end
  return a, b
end

local World = {}
World.__index = World

local function uncounted(storage)
  local wrapped = {}
  for name, fn in pairs(storage) do
    wrapped[name] = function(_, ...)
      return away(fn, storage, ...)
    end
  end
  return wrapped
end

local dir = files.temp_dir(true)

local storages = {
  custom = function(world)
    return uncounted(fake_storage.keeping(fake_storage.new(world.medium), world.medium))
  end,
  memory = function()
    return authgear.storage.memory()
  end,
  dpop = function(world)
    return uncounted(fake_storage.new(world.medium))
  end,
  file = function()
    return authgear.storage.file { dir = dir }
  end,
}

local worlds = 0

local function new_world(kind)
  local world = setmetatable({ time = 1000, medium = fake_storage.medium(), kind = kind }, World)
  local clock = {
    monotonic = function()
      return world.time
    end,
    wall = function()
      return 1700000000 + world.time
    end,
  }
  world.server = fake_server.new { now = clock.monotonic, lifetime = LIFETIME, dpop = kind == "dpop" }
  worlds = worlds + 1
  world.options = { name = "world " .. worlds,
    endpoint = world.server.endpoint, client_id = world.server.client_id, storage = storages[kind](world), clock = clock,
    dpop = kind == "dpop", pre_authenticated_url_enabled = true,
    client_secret = "not so secret", allowed_origins = { world.server.app }, transport = world.server,
    host = { sleep = function(seconds)
      world.time = world.time + seconds
    end },
  }
  world:open()
  return world
end

function World:open()
  local client, err = authgear.new(self.options)
  if client then
    client._runtime.transport = self.server:port(function(fn)
      away(fn)
    end)
    self.client = client
  end
  return client, err
end

function World:close()
  self.client:close()
end

function World:log_in()
  local request = assert(self.client:start_authentication { redirect_uri = self.server.redirect_uri })
  return assert(self.client:finish_authentication(self.server:visit(request.url)))
end

function World:record()
  return self.client._runtime.storage:get()
end

local calls = {
  {
    name = "configure", before = World.log_in, call = function(world)
      local client, err = authgear.new(world.options)
      if client then
        client:close()
      end
      return client ~= nil or nil, err
    end,
  }, {
    name = "start_authentication", call = function(world)
      return world.client:start_authentication { redirect_uri = world.server.redirect_uri, ui_locales = "fr" }
    end,
  }, {
    name = "finish_authentication", before = function(world)
      local request = assert(world.client:start_authentication { redirect_uri = world.server.redirect_uri })
      world.url = world.server:visit(request.url)
    end, call = function(world)
      return world.client:finish_authentication(world.url)
    end,
    spent = true, -- a code is tried once
  }, {
    name = "refresh_access_token_if_needed", before = function(world)
      world:log_in()
      world.time = world.time + LIFETIME
    end, call = function(world)
      return world.client:refresh_access_token_if_needed()
    end,
  }, {
    name = "the first refresh of a program", before = function(world)
      world:log_in()
      world.time = world.time + LIFETIME
      world.client:close()
      assert(world:open())
    end, call = function(world)
      return world.client:refresh_access_token_if_needed()
    end,
  }, {
    name = "a refresh that finds the session revoked", before = function(world)
      world:log_in()
      world.time = world.time + LIFETIME
      world.server:revoke_all()
    end, call = function(world)
      return world.client:refresh_access_token_if_needed()
    end,
  }, {
    name = "fetch, refused and replayed", before = function(world)
      world:log_in()
      world.server.tokens[world.client:access_token()].born = -LIFETIME
    end, call = function(world)
      local response, err = world.client:fetch(world.server.app .. "/x", { headers = { A = "b" }, query = { c = "d" } })
      return response and response.status == 200, err
    end,
  }, {
    name = "fetch with the policy clear", before = function(world)
      world:log_in()
      world.server:revoke_all()
    end, call = function(world)
      local _, err = world.client:fetch(world.server.app .. "/x", { on_unauthorized = "clear" })
      return err.code == "session_revoked" or nil, err
    end, spent = true, -- nobody is refused any more once the session is gone
  }, {
    name = "dpop_proof", only = "dpop", before = World.log_in, call = function(world)
      return world.client:dpop_proof("GET", world.server.app)
    end,
  }, {
    name = "fetch_user_info", before = function(world)
      world:log_in()
      world.server.tokens[world.client:access_token()].born = -LIFETIME
    end, call = function(world)
      return world.client:fetch_user_info()
    end,
  }, {
    name = "logout", before = World.log_in, call = function(world)
      return world.client:logout()
    end,
  }, {
    name = "clear_session_state", before = World.log_in, call = function(world)
      return world.client:clear_session_state()
    end,
  }, {
    name = "json", call = function()
      local text, code, message = core.json_encode { a = { 1, 2, "x" }, b = true }
      local value
      if text then
        value, code, message = core.json_decode(text)
      end
      return value and value.a[3] == "x" or nil, { code = code, message = message }
    end,
  },
}

for _, name in ipairs { "account_calls", "browser_calls" } do
  for _, call in ipairs(require("spec.support." .. name)) do
    table.insert(calls, call)
  end
end

local function blocks()
  collectgarbage()
  collectgarbage()
  local _, n = core.test_alloc(0)
  return n
end

-- The call with the n-th allocation failing. Was it reached? And was it the session's end?
local function fail_at(kind, what, n, onwards)
  local where = ("%s, %s, allocation %d%s"):format(what.name, kind, n, onwards and " and all after it" or "")
  local world = new_world(kind)
  if what.before then
    what.before(world)
  end
  meter.start(n, onwards)
  local ok, value, err = pcall(what.call, world)
  local reached = meter.stop() >= n
  assert.is_true(ok, where .. ": raised " .. tostring(value))
  if not value then
    assert.equal("memory", err and err.code, where .. ": " .. tostring(err and err.message))
  end
  assert.is_nil(world.medium.owner, where .. ": the lock is held")
  if not value and not what.spent then
    value, err = what.call(world)
  end
  local lost = world.server.counts.reused > 0
  assert.is_truthy(value or lost or what.spent, where .. ": the next call: " .. tostring(err))
  assert.is_true(world.server:agrees(world:record()), where .. ": the stored session, after the next call")
  assert.same({ 0, 0 }, { world.server.counts.replayed, world.server.counts.wrong_key }, where .. ": used proofs, other keys")
  world:close()
  return reached, lost
end

-- Every allocation in turn. How many there are, and with how many the session was lost.
local function fail_everywhere(kind, what, onwards)
  local n, losses, reached = math.min(FIRST[kind], STEP) - STEP, 0, true
  fail_at(kind, what, 1e6) -- what is made once stays
  local before = blocks()
  while reached do
    n = n + STEP
    local lost
    reached, lost = fail_at(kind, what, n, onwards)
    losses = losses + (lost and 1 or 0)
    local now = n % (10 * STEP) < STEP and blocks() or before
    assert.equal(before, now, ("%s, %s: leaked up to allocation %d"):format(what.name, kind, n))
  end
  assert.equal(before, blocks(), ("%s, %s: leaked"):format(what.name, kind))
  return n - 1, losses
end

for _, kind in ipairs { "custom", "memory", "file", "dpop" } do
  describe(kind == "dpop" and "out of memory, with proofs," or "out of memory, storage " .. kind, function()
    for _, what in ipairs(calls) do
      if what.only == nil or what.only == kind then
        it("once: an error or success, and nothing lost, in " .. what.name, function()
          local n, losses = fail_everywhere(kind, what)
          assert.is_true(n >= 3, "only " .. n .. " allocations")
          assert.equal(0, losses)
        end)
      end
    end
  end)
end

-- When memory stays away from a moment on, a refresh that the server has answered is read five times, 50 ms apart.
-- If it has not come back by then, what the server gave is lost, as it would be with a killed process (law 4).
describe("out of memory for good", function()
  for _, what in ipairs(calls) do
    it("an error or success, no leak and no lock in " .. what.name, function()
      local n, losses = fail_everywhere(what.only or "custom", what, true)
      local may_lose = what.name:find "refresh" or what.name:find "pre_auth" or what.name:find "fetch"
      assert.is_true(losses == 0 or may_lose ~= nil, what.name)
      assert.is_true(losses < n)
    end)
  end
end)

-- The memory to read the answer to a refresh with is put aside before the request is sent.
describe("memory that is full when the answer to a refresh comes", function()
  after_each(function()
    core.test_full(false)
  end)

  it("loses no session, nor when it was full before", function()
    for _, kind in ipairs { "custom", "memory", "file" } do
      local world = new_world(kind)
      world:log_in()
      for when = 1, 2 do -- with the answer, before the request
        world.time = world.time + LIFETIME
        local transport = world.client._runtime.transport
        local prepare, answered = transport.prepare, false
        function transport.prepare(...)
          local prepared = prepare(...)
          local perform = prepared.perform
          function prepared.perform(self)
            local over = perform(self)
            answered = true
            core.test_full(true)
            return over
          end
          return prepared
        end
        core.test_full(when == 2)
        local ok, err = world.client:refresh_access_token_if_needed()
        core.test_full(false)
        transport.prepare = prepare
        assert.equal(when == 1, answered)
        assert.equal(when == 1 or nil, ok, tostring(err))
        assert.equal(when == 2 and "memory" or nil, err and err.code)
        assert.is_true(world.server:agrees(world:record()))
        assert.is_true(world.client:refresh_access_token_if_needed())
      end
      world:close()
    end
  end)
end)

-- Lua's own memory, too: "not enough memory" is raised where nobody expects it, and the driver has to go on from there.
-- (Not on LuaJIT, whose compiler asks for memory at moments of its own.)
describe("Lua's own memory", function()
  local test = core.test_lua_alloc

  -- What is not ours does not count.
  local function sheltered(fn, ...)
    local left = test(0)
    local a, b = fn(...)
    test(left)
    return a, b
  end

  local function sheltered_world()
    local world = new_world "memory"
    world.client._runtime.transport = world.server:port(function(fn)
      sheltered(fn)
    end)
    world:log_in()
    return world
  end

  local function fail_everywhere_in_lua(what)
    local world, n, left = sheltered_world(), 0, 0
    while left == 0 do
      n = n + 1
      local where = what.name .. ", allocation " .. n
      world.time = world.time + LIFETIME
      local call = what.before and what.before(world) or what.call
      local runtime = world.client._runtime
      test(n)
      local ok, value, err = pcall(call, world)
      left = test(0)
      assert.is_true(ok or tostring(value):find "memory" ~= nil or tostring(value):find "overflow" ~= nil,
        where .. ": raised " .. tostring(value))
      assert.is_true(not ok or value ~= nil, where .. ": " .. tostring(err))
      assert.is_false(runtime.lock_taken, where .. ": the lock is held")
      assert.is_true(world.server:agrees(world:record()), where .. ": the stored session")
      ok, err = world.client:refresh_access_token_if_needed()
      assert.is_true(ok, where .. ": the next call: " .. tostring(err))
      assert.equal(0, world.server.counts.reused, where)
      if world.client:session_state() ~= "AUTHENTICATED" then
        world:log_in()
      end
    end
    world:close()
    return n
  end

  for _, what in ipairs {
    { name = "a refresh", call = function(world)
      return world.client:refresh_access_token_if_needed()
    end },
    { name = "a fetch", call = function(world)
      return world.client:fetch(world.server.app .. "/x", { headers = { A = "b" } })
    end },
    { name = "user info", call = function(world)
      return world.client:fetch_user_info()
    end },
    { name = "a log-in", before = function(world)
      local request = assert(world.client:start_authentication { redirect_uri = world.server.redirect_uri })
      local url = world.server:visit(request.url)
      return function()
        return world.client:finish_authentication(url)
      end
    end },
    { name = "a logout", call = function(world)
      return world.client:logout()
    end },
  } do
    it("runs out in " .. what.name .. " and nothing is lost", function()
      if not rawget(_G, "jit") then
        assert.is_true(fail_everywhere_in_lua(what) > 10)
      end
    end)
  end
end)

describe("the file store's own memory", function()
  it("runs out without losing the record", function()
    local file_test = require("authgear.file").test
    local world = new_world "file"
    world:log_in()
    local failed = 0
    for n = 1, 60 do
      world.time = world.time + LIFETIME
      file_test.fail_alloc(n)
      local ok, err = world.client:refresh_access_token_if_needed()
      file_test.fail_alloc(0)
      if not ok then
        failed = failed + 1
        assert.equal("memory", err.code)
      end
      ok, err = world.client:refresh_access_token_if_needed()
      assert.is_true(ok, "allocation " .. n .. ": the next call: " .. tostring(err))
      assert.is_true(world.server:agrees(world:record()), "allocation " .. n)
    end
    assert.is_true(failed >= 1)
    assert.equal("AUTHENTICATED", world.client:session_state())
    world:close()
  end)
end)

teardown(function()
  files.remove(dir)
end)

describe("a client's memory", function()
  local options = { endpoint = "https://auth.example", client_id = "a client", transport = function() end }

  it("is at most 4 KB in C, tokens and discovery aside", function()
    collectgarbage()
    local _, _, before = core.test_alloc(0)
    local client = assert(authgear.new(options))
    collectgarbage()
    local _, _, after = core.test_alloc(0)
    assert.is_true(after - before > 0)
    assert.is_true(after - before <= 4096, (after - before) .. " bytes")
    client:close()
  end)

  it("is given back: a thousand clients leave nothing", function()
    local function thousand()
      for _ = 1, 1000 do
        assert(authgear.new(options)):close()
      end
      collectgarbage()
      collectgarbage()
      local _, n, bytes = core.test_alloc(0)
      return n, bytes, collectgarbage "count"
    end
    local n, bytes, lua = thousand()
    local n_then, bytes_then, lua_then = thousand()
    assert.equal(n, n_then)
    assert.equal(bytes, bytes_then)
    assert.is_true(lua_then - lua < 16, (lua_then - lua) .. " KB more in Lua")
  end)

  it("is given back by clients that were logged in, too, and by flows thrown away in the middle", function()
    local function many()
      for _ = 1, 50 do
        local world = new_world "custom"
        world:log_in()
        assert(world.client:fetch(world.server.app .. "/x"))
        local thread = coroutine.create(function()
          return world.client:fetch(world.server.app .. "/x", { cancelled = coroutine.yield, timeout = 5 })
        end)
        coroutine.resume(thread)
      end
      return blocks()
    end
    local before = many()
    assert.equal(before, many())
  end)
end)
