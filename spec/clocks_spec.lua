-- Clocks: which of them decides whether the access token is still good, and what one that is wrong does to a session and
-- to a log-in: it costs at most a refresh (docs/session.md, 'Clocks').

local authgear = require "authgear"
local core = require "authgear.core"
local fake = require "spec.support.fake_provider"

local YEAR = 365 * 86400
local LIFE = 1800 -- of the access token, seconds; it is refreshed after 90 % of that

-- What happens between the token's arrival and the next call. monotonic, wall: seconds by which that clock has moved;
-- boot: what the record says of the boot in which the token arrived (nil: this one). refreshes: how many are right.
local CASES = {
  { "a minute later", monotonic = 60, wall = 60, refreshes = 0 },
  { "just before 90 % of its life", monotonic = 0.9 * LIFE - 30, wall = 0.9 * LIFE - 30, refreshes = 0 },
  { "just after 90 % of its life", monotonic = 0.9 * LIFE + 1, wall = 0.9 * LIFE + 1, refreshes = 1 },
  { "the wall clock set forward by a year", monotonic = 60, wall = YEAR, refreshes = 0 },
  { "the wall clock set back by a year", monotonic = 60, wall = -YEAR, refreshes = 0 },
  { "the wall clock set back to 1970", monotonic = 60, to_wall = 0, refreshes = 0 },
  { "the machine asleep for hours", monotonic = 4 * 3600, wall = 4 * 3600, refreshes = 1 },
  { "asleep for hours, and the wall clock set back meanwhile", monotonic = 4 * 3600, wall = 0, refreshes = 1 },
  { "asleep for hours, and the wall clock set back by a year", monotonic = 4 * 3600, wall = -YEAR, refreshes = 1 },
  { "a monotonic clock that went backwards, which cannot be", monotonic = -60, wall = 60, refreshes = 1 },
  { "a reboot, a minute later", boot = "another-boot", to_monotonic = 20, wall = 60, refreshes = 0 },
  { "a reboot, a minute later, into a boot that has lasted longer", boot = "another-boot", monotonic = YEAR, wall = 60,
    refreshes = 0 },
  { "a reboot, hours later", boot = "another-boot", to_monotonic = 20, wall = 4 * 3600, refreshes = 1 },
  { "a reboot, hours later, the monotonic clock as it was then", boot = "another-boot", monotonic = 0, wall = 4 * 3600,
    refreshes = 1 },
  { "a reboot, the wall clock a year ahead", boot = "another-boot", to_monotonic = 20, wall = YEAR, refreshes = 1 },
  { "a reboot, the wall clock a year behind", boot = "another-boot", to_monotonic = 20, wall = -YEAR, refreshes = 1 },
  { "a reboot without a battery for the clock: it is 1970", boot = "another-boot", to_monotonic = 20, to_wall = 30,
    refreshes = 1 },
  { "a system that tells no boots apart, a minute later", boot = "", to_monotonic = 20, wall = 60, refreshes = 0 },
  { "a system that tells no boots apart, hours later", boot = "", monotonic = 0, wall = 4 * 3600, refreshes = 1 },
}

-- A clock that stands still but when it is moved.
local function new_clock()
  local monotonic, wall = core.now()
  local clock = { at = monotonic, date = wall }
  clock.monotonic = function() return clock.at end
  clock.wall = function() return clock.date end
  return clock
end

local function move(clock, case)
  clock.at = case.to_monotonic or clock.at + case.monotonic
  clock.date = case.to_wall or clock.date + case.wall
end

describe("a session", function()
  local provider, clock, storage, sent

  before_each(function()
    provider, clock, storage, sent = fake.new(), new_clock(), fake.storage(), {}
    provider.answers.app = function(request)
      sent[#sent + 1] = request.headers.Authorization
    end
  end)

  local function open()
    return assert(authgear.new(provider:options { storage = storage, clock = clock }))
  end

  local function tokens_asked()
    return provider.counts.token or 0
  end

  -- The next fetch refreshes as often as is right, sends the newest token and no other, and the session lives on.
  local function check(client, refreshes)
    local before = tokens_asked()
    assert.equal("AUTHENTICATED", client:session_state())
    assert.equal(200, assert(client:fetch(fake.APP .. "/x")).status)
    assert.equal(refreshes, tokens_asked() - before)
    assert.same({ "Bearer " .. provider["access token"] }, sent)
    assert.equal("AUTHENTICATED", client:session_state())
    sent[1] = nil
    assert.equal(200, assert(client:fetch(fake.APP .. "/x")).status) -- and what it brought is good by the same clocks
    assert.equal(refreshes, tokens_asked() - before)
  end

  for _, case in ipairs(CASES) do
    it("after " .. case[1] .. ": " .. (case.refreshes == 0 and "no refresh" or "one refresh"), function()
      local client = open()
      provider:log_in(client)
      if case.boot then
        local edits
        storage.record, edits = storage.record:gsub('"boot_id":"[^"]*"', '"boot_id":"' .. case.boot .. '"')
        assert.equal(1, edits)
      end
      client:close()
      move(clock, case)
      client = open()
      check(client, case.refreshes)
      client:close()
    end)

    if not case.boot then
      it("after " .. case[1] .. ", in a program that runs on: the same", function()
        local client = open()
        provider:log_in(client)
        move(clock, case)
        check(client, case.refreshes)
        client:close()
      end)
    end
  end

  -- After a reboot only the wall clock is left. If it was set back just so far that the token looks young, nobody here can
  -- know: the application server does, and one refresh follows.
  it("whose token looks young only since the clock was set back by a reboot, goes on with one refresh", function()
    local client = open()
    provider:log_in(client)
    client:close()
    storage.record = storage.record:gsub('"boot_id":"[^"]*"', '"boot_id":"another-boot"')
    clock.at, clock.date = 20, clock.date + 60
    local old = "Bearer " .. provider["access token"]
    provider.answers.app = function(request)
      return request.headers.Authorization == old and fake.json(401, {}) or nil
    end
    client = open()
    local before = tokens_asked()
    assert.equal(200, assert(client:fetch(fake.APP .. "/x")).status)
    assert.equal(1, tokens_asked() - before)
    assert.equal("AUTHENTICATED", client:session_state())
    client:close()
  end)
end)

describe("a log-in", function()
  -- date: does the server say in its answers what time it is?
  local function try(off, to_wall, date)
    local provider, clock = fake.new(), new_clock()
    clock.date = to_wall or clock.date + off
    if date then
      provider.answers.token = function(_, self)
        local answer = fake.json(200, self:tokens())
        return { status = 200, body = answer.body, headers = { ["Content-Type"] = "application/json",
          Date = os.date("!%a, %d %b %Y %H:%M:%S GMT") } }
      end
    end
    local client = assert(authgear.new(provider:options { clock = clock }))
    local info, err = provider:log_in(client)
    if info then
      assert.equal(200, assert(client:fetch(fake.APP .. "/x")).status)
      assert.equal(1, provider.counts.token) -- the new token is not old at once
    end
    client:close()
    return info, err
  end

  it("works on a machine whose clock is a year off, if the server says what time it is", function()
    assert(try(YEAR, nil, true))
    assert(try(-YEAR, nil, true))
    assert(try(nil, 5, true))
  end)

  it("works on a machine without a clock, which believes it is 1970, also if the server does not", function()
    assert(try(nil, 5, false))
    assert(try(-YEAR, nil, false))
  end)

  it("is refused when by all that is known the ID token has expired", function()
    local info, err = try(YEAR, nil, false)
    assert.is_nil(info)
    assert.equal("id_token", err.code)
  end)
end)
