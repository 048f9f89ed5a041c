-- One refresh (laws 4 to 6): however many clients and processes share a session, each expiry of its access token
-- costs one request, whoever is killed meanwhile, and no session is lost but in one window that no client can close.
-- takes: 50

local core = require "authgear.core"
local desks = require "spec.support.desk"
local files = require "spec.support.files"
local http = require "spec.support.http"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local swarm = require "spec.support.swarm"

local VERSION = rawget(_G, "jit") and "jit" or _VERSION:match "%d%.%d"
local SOAK = os.getenv "AUTHGEAR_SOAK"
local DUE = 2700 -- milliseconds: nine tenths of a token's 3 s
local SKEW = 15 -- milliseconds between two processes' readings of one clock

local function select_lines(run, what, a)
  local found = {}
  for _, line in ipairs(run.lines) do
    if line.what == what and (a == nil or line.a == a) then
      found[#found + 1] = line
    end
  end
  return found
end

local function select_events(run, event)
  local found = {}
  for _, one in ipairs(run.log) do
    if one.event == event and one.grant == "refresh_token" then
      found[#found + 1] = one
    end
  end
  return found
end

-- Stored access tokens that grew old enough to need a refresh, here or (when an answer took long) at the server. One that
-- came and went while the hand stood still is in the time between its neighbours.
local function count_expiries(run)
  local expiries = 0
  for i, token in ipairs(run.tokens) do
    local next_one = run.tokens[i + 1] or { received = run.ended }
    local due = math.floor((next_one.received - token.received) / (DUE - SKEW))
    expiries = expiries + math.max(due, next_one.after_401 and 1 or 0)
  end
  return expiries
end

local function held_kills(run)
  local held = {}
  for _, one in ipairs(run.kills) do
    if one.held then
      held[#held + 1] = one
    end
  end
  return held
end

-- Which kills hit the window: the killed process held the lock, its request had arrived, the server rotated the token
-- that was stored then, and what came of it was never stored.
local function window_kills(run)
  local stored, prints, hits = {}, {}, {}
  local function print_of(token)
    prints[token] = prints[token] or sdk.fingerprint(token)
    return prints[token]
  end
  for _, token in ipairs(run.tokens) do
    stored[print_of(token.token)] = true
  end
  for _, kill in ipairs(held_kills(run)) do
    for _, event in ipairs(select_events(run, "rotated")) do
      if event.old == print_of(kill.token) and not stored[event.new] then
        hits[print_of(kill.token)] = kill
      end
    end
  end
  for _, loss in ipairs(run.losses) do
    loss.print = print_of(loss.token)
  end
  return hits
end

-- From the server's rotating a token to our having stored the new one, in milliseconds, where nothing was in the way.
local function windows(run)
  local rotated, spoilt, out = {}, {}, {}
  for _, event in ipairs(run.log) do
    if event.fault and event.fault ~= "slow before" then
      spoilt[event.request] = true
    end
  end
  for _, event in ipairs(select_events(run, "rotated")) do
    rotated[event.new] = not spoilt[event.request] and event.wall or nil
  end
  for _, line in ipairs(select_lines(run, "stored")) do
    local at = rotated[sdk.fingerprint(line.a)]
    if at then
      out[#out + 1] = line.at - at
    end
  end
  table.sort(out)
  return out
end

local function report(run, facts)
  local open = windows(run)
  print(("%s, %.0f s: %d fetches, %d refresh requests for %d expiries and %d kills of a lock holder (%d kills in all),"
    .. " %d sessions lost in the window"):format(run.client_id, run.seconds, facts.fetches, facts.requests, facts.expiries,
    facts.held, #run.kills, #run.losses))
  if #open > 0 then
    print(("  the window, from rotated to stored: %.0f ms median, %.0f ms at most (%d refreshes)"):format(
      open[math.ceil(#open / 2)], open[#open], #open))
  end
end

-- What holds whether or not refresh tokens rotate.
local function check(run)
  local facts = {
    fetches = #select_lines(run, "ok"), requests = #select_events(run, "received"),
    expiries = count_expiries(run), held = #held_kills(run),
  }
  report(run, facts)
  assert.equal("", run.stderr)
  assert.is_true(facts.requests <= facts.expiries + facts.held,
    ("%d refresh requests for %d expiries and %d kills of a holder"):format(facts.requests, facts.expiries, facts.held))
  assert.same({}, select_lines(run, "error"))
  assert.equal(run.size, #select_lines(run, "end", "AUTHENTICATED"))
  return facts
end

local function check_losses(run)
  local hits = window_kills(run)
  local seen = {}
  for _, loss in ipairs(run.losses) do
    assert.truthy(hits[loss.print], "a session was lost that no kill explains")
    assert.is_nil(seen[loss.print])
    seen[loss.print] = true
  end
  assert.is_true(#select_lines(run, "answer") == 0 or #run.losses > 0)
  -- The verdict is one process's; the others only see that the session is gone.
  local verdicts = 0
  for _, line in ipairs(select_lines(run, "event", "NO_SESSION")) do
    verdicts = verdicts + (line.b == "INVALID" and 1 or 0)
  end
  assert.is_true(verdicts <= #run.losses)
end

describe("one refresh", function()
  local dev

  before_each(function()
    dev = server.shared()
    dev:reset { sessions = true }
  end)

  local full = SOAK ~= nil or VERSION == "5.4"
  if full or VERSION == "5.1" or VERSION == "jit" then
    it("for 16 processes that share a file, one of them killed every second", function()
      local least = full and { fetches = 2000, refreshes = 12, kills = 30 } or { fetches = 300, refreshes = 3, kills = 7 }
      local run = swarm.run { dev = dev, client_id = "short", seconds = full and 45 or 10, pause = 0.15, least = least }
      local facts = check(run)
      check_losses(run)
      assert.is_true(facts.fetches >= least.fetches, facts.fetches .. " fetches")
      assert.is_true(facts.requests >= least.refreshes, facts.requests .. " refreshes")
      assert.is_true(#run.kills >= least.kills, #run.kills .. " kills")
      assert.is_true(facts.held >= 1, "no kill hit a holder of the lock")
    end)

    it("for 16 processes, none of them ever losing a session where refresh tokens don't rotate", function()
      local run = swarm.run { dev = dev, client_id = "short_norotate", seconds = SOAK and 45 or 10, pause = 0.15 }
      local facts = check(run)
      assert.same({}, run.losses)
      assert.same({}, select_lines(run, "event", "NO_SESSION"))
      assert.same({}, select_lines(run, "answer"))
      assert.is_true(facts.held >= 1, "no kill hit a holder of the lock")
    end)
  end

  it("never with a token that a log-out or a log-in of another process has put an end to", function()
    local dir, pipes = files.temp_dir(), {}
    local stop = dir .. "/stop"
    for i = 1, 5 do
      pipes[i] = assert(io.popen(table.concat({
        "exec", files.quote(files.interpreter()), "spec/support/storm_worker.lua", dev.endpoint, dev.app, dev.control_url,
        dir, i == 1 and "login" or "user", i, stop, "2>&1",
      }, " "), "r"))
    end
    local function logins()
      return dev:token_count("authorization_code", "rotating").ok
    end
    sdk.poll("log-ins and refreshes", function()
      core.sleep(0.1)
      return logins() >= 10 and sdk.refreshes(dev, "rotating") >= 20
    end, 60)
    files.write(stop, "")
    for _, pipe in ipairs(pipes) do
      assert.equal("", pipe:read "*a")
      pipe:close()
    end
    files.remove(dir)
    local count = dev:token_count("refresh_token", "rotating")
    assert.equal(0, count.failed)
    assert.equal(count.ok, count.rotated)
  end)

  describe("within one process", function()
    local desk, dir, clock

    before_each(function()
      desk = desks.new(dev, { client_id = "rotating" })
      dir, clock = desk.dir, desk.clock
    end)

    after_each(function()
      desk:close()
    end)

    local function open(more)
      return desk:open(more)
    end

    local function requests()
      return sdk.refreshes(dev, "rotating")
    end

    it("for two clients with the same name and file", function()
      local one, two = open(), open()
      sdk.log_in(dev, one)
      for i = 1, 3 do
        clock.ahead = clock.ahead + 1700
        local before = one:access_token()
        assert.is_true(one:refresh_access_token_if_needed())
        assert.is_true(two:refresh_access_token_if_needed())
        assert.not_equal(before, one:access_token())
        assert.equal(one:access_token(), two:access_token())
        assert.equal(i, requests())
        one, two = two, one
      end
    end)

    it("for two clients, of which one was told to refresh a token that the other has replaced", function()
      local one, two = open(), open()
      sdk.log_in(dev, one)
      assert.is_true(two:refresh_access_token_if_needed())
      assert.equal(one:access_token(), two:access_token())
      assert.is_true(one:refresh_access_token())
      assert.is_true(two:refresh_access_token())
      assert.equal(one:access_token(), two:access_token())
      assert.equal(1, requests())
    end)

    it("by whoever has the lock; who waits for it too long says so, and keeps the session", function()
      local client = open { lock_timeout = 0.2 }
      sdk.log_in(dev, client)
      clock.ahead = clock.ahead + 1700
      local holder = assert(require("authgear.file").open { dir = dir, name = "default" })
      assert.is_true(holder:try_lock())
      for _ = 1, 2 do
        local ok, err = client:refresh_access_token_if_needed()
        assert.is_nil(ok)
        assert.equal("lock_timeout", err.code)
        assert.is_true(err.retryable)
        assert.equal("AUTHENTICATED", client:session_state())
      end
      assert.equal(0, requests())
      holder:close()
      assert.is_true(client:refresh_access_token_if_needed())
      assert.equal(1, requests())
    end)

    it("for fifty clients, one after the other", function()
      for i = 1, 50 do
        open { user_agent = "client " .. i }
      end
      sdk.log_in(dev, desk.opened[1])
      clock.ahead = clock.ahead + 1700
      for _, client in ipairs(desk.opened) do
        local response = assert(client:fetch(dev.app .. "/api/hello"))
        assert.equal(200, response.status)
        assert.equal(desk.opened[1]:access_token(), client:access_token())
      end
      assert.equal(1, requests())
    end)

    it("for fifty clients at once, each in a coroutine that gives way wherever it waits", function()
      local host = { sleep = coroutine.yield }
      local function transport(request)
        coroutine.yield()
        local answer, why = http.request {
          url = request.url, method = request.method, headers = request.headers, body = request.body,
        }
        for _ = 1, 5 do
          coroutine.yield()
        end
        return answer, why
      end
      sdk.log_in(dev, (open()))
      clock.ahead = clock.ahead + 1700
      local tasks, done = {}, 0
      for i = 1, 50 do
        local client = open { host = host, transport = transport }
        tasks[i] = coroutine.create(function()
          local response = assert(client:fetch(dev.app .. "/api/hello"))
          assert.equal(200, response.status)
          done = done + 1
        end)
      end
      sdk.poll("fifty fetches", function()
        for _, task in ipairs(tasks) do
          if coroutine.status(task) ~= "dead" then
            assert(coroutine.resume(task))
          end
        end
        return done == 50
      end, 30)
      assert.equal(1, requests())
    end)
  end)
end)
