-- takes: 5
-- The one driver under a host in which everything yields: hundreds of flows in random order, with cancels and
-- timeouts. The seed is part of every message: AUTHGEAR_SEED=n runs that one alone.
local authgear = require "authgear"
local fake_server = require "spec.support.fake_server"
local fake_storage = require "spec.support.fake_storage"
local yield_host = require "spec.support.yield_host"

local LIFETIME = 5 -- seconds on the host's clock
local DELAY = 0.04 -- seconds that a request takes at most, each way

local CANCELLED = setmetatable({}, { __tostring = function()
  return "cancelled by the spec"
end })

local World = {}
World.__index = World

local function new_world(seed, options)
  options = options or {}
  local host = yield_host.new(seed)
  local world = setmetatable({ host = host, seed = seed, medium = fake_storage.medium(), clients = {}, callers = {},
    problems = {}, spoil = options.spoil or 0, spoil_storage = options.spoil_storage or 0 }, World)
  world.server = fake_server.new {
    now = host.clock.monotonic, lifetime = LIFETIME, dpop = options.dpop,
    pause = function()
      host:pause(DELAY)
    end,
    fail = function(where, request)
      local is_token = request.url:find("/token", 1, true)
      if host.current and (where == "before" or not is_token) and host.random(1000) <= world.spoil then
        return { code = "network", message = "the line is dead" }
      end
    end,
  }
  world.server.on_token = function(token, how, request)
    local before_storing = how == "code" and request.url:find("/userinfo", 1, true) -- the log-in's own question
    if not world.medium.history[token] and not before_storing then
      world:complain("a token was used before it was stored")
    end
  end
  for _ = 1, options.clients or 1 do
    world:add_client(options)
  end
  return world
end

function World:complain(...)
  self.problems[#self.problems + 1] = string.format(...)
end

function World:add_client(options)
  local host = self.host
  local storage = fake_storage.new(self.medium, function()
    host:pause()
  end, function(what)
    return what == "set" and host.current and host.random(1000) <= self.spoil_storage
  end)
  self.clients[#self.clients + 1] = assert(authgear.new {
    endpoint = self.server.endpoint, client_id = self.server.client_id, storage = storage, transport = self.server,
    host = host.host, clock = host.clock, lock_timeout = options.lock_timeout, dpop = options.dpop,
    on_session_state_change = function()
      host:pause()
    end,
  })
end

local function log_in(world, client)
  local request, err = client:start_authentication { redirect_uri = world.server.redirect_uri }
  if not request then
    return nil, err
  end
  world.host:pause(1)
  return client:finish_authentication(world.server:visit(request.url))
end

--- A task that can be cancelled.
function World:caller(name, fn)
  local task = self.host:go(name, fn)
  self.callers[#self.callers + 1] = task
  return task
end

-- Cancels a caller now and then, in one of the two ways; `chance` in a thousand steps.
function World:cancelling(chance)
  local host = self.host
  return function()
    if host.random(1000) > chance then
      return
    end
    local victim = self.callers[host.random(#self.callers)]
    if host.random(2) == 1 then
      host:drop(victim)
    else
      host:throw(victim, CANCELLED)
    end
    if host.random(20) == 1 then
      collectgarbage()
    end
  end
end

-- The caller has its answer, unless it was cancelled.
function World:check_answers()
  for _, task in ipairs(self.callers) do
    if task.failed then
      if task.raised ~= CANCELLED then
        self:complain("%s raised %s", task.name, tostring(task.raised))
      end
    elseif not task.cancelled then
      local value, err = task.results[1], task.results[2]
      if value == nil and not (type(err) == "table" and type(err.code) == "string") then
        self:complain("%s got no answer", task.name)
      elseif value == nil and err.code == "memory" or value == nil and err.code == "none" then
        self:complain("%s got a strange error: %s", task.name, tostring(err))
      end
    end
  end
end

function World:check_rest()
  if self.medium.owner ~= nil then
    self:complain("the lock is held at the end")
  end
  for i, client in ipairs(self.clients) do
    local runtime = client._runtime
    if runtime.refreshing[1] ~= nil then
      self:complain("client %d has a refresh under way at the end", i)
    elseif runtime.lock_taken or runtime.lock.flow ~= nil then
      self:complain("client %d believes that it holds the lock", i)
    end
  end
  collectgarbage()
  collectgarbage()
  for i, client in ipairs(self.clients) do
    if next(client._runtime.runs) ~= nil then
      self:complain("client %d has flows under way at the end", i)
    end
  end
  if self.server.counts.reused > 0 then
    self:complain("an old refresh token was sent %d times", self.server.counts.reused)
  end
  if self.server.counts.replayed > 0 or self.server.counts.wrong_key > 0 then
    self:complain("a proof was sent twice, or made with another key")
  end
  if not self.server:agrees(self.medium.records.default) then
    self:complain("the stored refresh token is not the server's")
  end
end

function World:run(between)
  local ok, err = pcall(self.host.run, self.host, between)
  if not ok then
    self:complain("%s", tostring(err))
  end
  self:check_answers()
  self:check_rest()
  assert(#self.problems == 0, ("seed %d, after %d steps:\n  %s"):format(self.seed, self.host.steps,
    table.concat(self.problems, "\n  ", 1, math.min(#self.problems, 10))))
end

local function seeds(from, to)
  local only = tonumber(os.getenv "AUTHGEAR_SEED")
  local all = {}
  if os.getenv "AUTHGEAR_SOAK" then
    to = from + (to - from + 1) * 20 - 1
  end
  for seed = only or from, only or to do
    all[#all + 1] = seed
  end
  return ipairs(all)
end

-- With a good line, and before anything else.
local function start_logged_in(world)
  local spoil, spoil_storage = world.spoil, world.spoil_storage
  world.spoil, world.spoil_storage = 0, 0
  local task = world.host:go("the first log-in", function()
    return log_in(world, world.clients[1])
  end)
  world.host:run()
  assert(not task.failed, task.raised)
  assert(task.results[1], task.results[2])
  world.spoil, world.spoil_storage = spoil, spoil_storage
end

describe("a thousand callers", function()
  it("lead to one refresh, and all get the new token", function()
    local world = new_world(1)
    start_logged_in(world)
    local old = world.clients[1]:access_token()
    world.host.time = world.host.time + LIFETIME
    for i = 1, 1000 do
      world:caller("caller " .. i, function()
        local client = world.clients[1]
        local ok, err = client:refresh_access_token_if_needed()
        assert.is_not.equal(old, client:access_token())
        return ok, err
      end)
    end
    local began = world.host.time
    world:run()
    assert.equal(1, world.server.counts.refresh)
    assert.is_true(world.host.time - began < 0.5, "the waiters were not woken, they looked again by themselves")
  end)

  it("who force a refresh of the same token lead to one", function()
    local world = new_world(2)
    start_logged_in(world)
    for i = 1, 1000 do
      world:caller("caller " .. i, function()
        return world.clients[1]:refresh_access_token()
      end)
    end
    world:run()
    assert.equal(1, world.server.counts.refresh)
  end)

  it("who are refused with the same token lead to one, and every fetch is replayed", function()
    local world = new_world(3)
    start_logged_in(world)
    local token = world.clients[1]:access_token()
    world.server.tokens[token].born = -LIFETIME -- the application server takes it for expired
    for i = 1, 1000 do
      world:caller("caller " .. i, function()
        local response, err = world.clients[1]:fetch(world.server.app .. "/" .. i)
        assert.equal(200, response and response.status, tostring(err))
        return response, err
      end)
    end
    world:run()
    assert.equal(1, world.server.counts.refresh)
  end)

  it("of whom all but one are thrown away at once do not hinder the refresh", function()
    local world = new_world(4)
    start_logged_in(world)
    world.host.time = world.host.time + LIFETIME
    for i = 1, 1000 do
      world:caller("caller " .. i, function()
        return world.clients[1]:refresh_access_token_if_needed()
      end)
    end
    local steps = 0
    world:run(function(host)
      steps = steps + 1
      if steps == 1500 then
        for i = 2, 1000 do
          host:drop(world.callers[i])
        end
        collectgarbage()
      end
    end)
    assert.equal(1, world.server.counts.refresh)
    assert.equal("AUTHENTICATED", world.clients[1]:session_state())
  end)
end)

local function use_session(world, client, round)
  local host = world.host
  local choice = host.random(4)
  if choice == 1 then
    return client:fetch_user_info()
  elseif choice == 2 then
    local ok, err = client:refresh_access_token_if_needed()
    if ok and not world.medium.history[client:access_token()] then
      world:complain("a token is shown that is not stored: %s", tostring(client:access_token()))
    end
    return ok, err
  end
  local timeout = host.random(5) == 1 and host.random(100) / 1000 or nil
  return client:fetch(world.server.app .. "/" .. round, { timeout = timeout })
end

describe("traffic that never stops", function()
  for _, seed in seeds(100, 105) do
    local dpop = seed % 3 == 1 -- with proofs
    it("refreshes once per expiry, over two clients that share a storage (seed " .. seed .. ")", function()
      local world = new_world(seed, { clients = 2, dpop = dpop })
      start_logged_in(world)
      for i = 1, 60 do
        local client = world.clients[i % 2 + 1]
        world:caller("caller " .. i, function()
          local value, err
          for round = 1, 10 do
            value, err = use_session(world, client, round)
            if value == nil and err.code ~= "timeout" then
              return nil, err
            end
            world.host:pause(3)
          end
          return value, err
        end)
      end
      world:run(world:cancelling(5))
      for i, refresh in ipairs(world.server.refreshes) do
        assert.is_true(refresh.age > 0.9 * LIFETIME - 4 * DELAY,
          ("seed %d: refresh %d came %.3f s after the one before"):format(seed, i, refresh.age))
      end
      assert.equal(0, world.server.counts.refused)
      assert.is_true(#world.server.refreshes >= 2, "seed " .. seed .. ": the tokens were hardly ever refreshed")
      for _, task in ipairs(world.callers) do
        local err = not task.cancelled and task.results[2]
        assert.is_true(not err or err.code == "timeout", ("seed %d: %s: %s"):format(seed, task.name, tostring(err)))
      end
    end)
  end
end)

local everything = {
  function(world, client)
    return client:fetch(world.server.app .. "/x", { timeout = world.host.random(1000) / 1000 })
  end,
  function(world, client)
    return client:fetch(world.server.app .. "/x", { on_unauthorized = "clear" })
  end,
  function(world, client)
    return client:fetch(world.server.app .. "/x", { on_unauthorized = function()
      world.host:pause(0.1)
      return "retry"
    end })
  end,
  function(_, client)
    return client:fetch_user_info()
  end,
  function(_, client)
    return client:refresh_access_token_if_needed()
  end,
  function(_, client)
    return client:refresh_access_token()
  end,
  function(_, client)
    return client:handle_unauthorized { status = 401 }
  end,
  log_in,
  log_in,
  function(_, client)
    return client:logout()
  end,
  function(world, client)
    return client:logout { force = world.host.random(2) == 1 }
  end,
  function(_, client)
    return client:clear_session_state()
  end,
  function(world)
    world.server:revoke_all()
    return true
  end,
}

local function do_everything(world, tasks)
  for i = 1, tasks do
    local which, client = world.host.random(#everything), world.clients[world.host.random(#world.clients)]
    world:caller(("task %d (kind %d)"):format(i, which), function()
      world.host:pause(20)
      everything[which](world, client)
      world.host:pause(2)
      return everything[which](world, client)
    end)
  end
end

describe("everything at once", function()
  for _, seed in seeds(200, 205) do
    it("keeps its promises with two clients on one storage and a bad line (seed " .. seed .. ")", function()
      local world = new_world(seed, { clients = 2, spoil = 30 })
      start_logged_in(world)
      do_everything(world, 250)
      world:run(world:cancelling(8))
      assert.equal(0, world.server.counts.reused)
    end)
  end

  for _, seed in seeds(300, 303) do
    it("keeps its promises with a storage that fails now and then (seed " .. seed .. ")", function()
      local world = new_world(seed, { spoil_storage = 200, spoil = 10 })
      start_logged_in(world)
      do_everything(world, 150)
      world:run(world:cancelling(5))
    end)
  end
end)
