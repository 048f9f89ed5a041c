-- takes: 2
-- The device key of anonymous users: stored before it is used, never seen but in the record, and one for good, whatever
-- fails, whoever is thrown away, and whoever else writes the record.
local authgear = require "authgear"
local fake_server = require "spec.support.fake_server"
local fake_storage = require "spec.support.fake_storage"
local yield_host = require "spec.support.yield_host"

local function key_in(record)
  return record and record:match '"anonymous_key":"([^"]+)"'
end

describe("a device key", function()
  it("is stored before it is used, and never leaves but as a signature", function()
    local fake = fake_server.new {}
    local medium, sent, failing = fake_storage.medium(), {}, true
    local client = assert(authgear.new {
      endpoint = fake.endpoint, client_id = fake.client_id,
      storage = fake_storage.new(medium, nil, function(what)
        return failing and what == "set"
      end),
      transport = function(request)
        sent[#sent + 1] = request.url .. "\n" .. (request.body or "")
        for name, value in pairs(request.headers) do
          sent[#sent + 1] = name .. ": " .. value
        end
        return fake:send(request)
      end,
    })
    local info, err = client:authenticate_anonymously()
    assert.is_nil(info)
    assert.equal("storage", err.code)
    assert.same({}, sent)
    failing = false
    local sub = assert(client:authenticate_anonymously()).sub
    local key = assert(key_in(medium.records.default))
    failing = true
    info, err = client:authenticate_anonymously()
    assert.is_nil(info)
    assert.equal("storage", err.code)
    assert.equal(key, key_in(medium.records.default))
    failing = false
    assert.equal(sub, assert(client:authenticate_anonymously()).sub)
    local request = assert(client:start_promotion { redirect_uri = fake.redirect_uri })
    assert.is_nil((table.concat(sent, "\n") .. request.url):find(key, 1, true))
    client:close()
  end)

  it("survives a forced end of a session whose record is damaged, or cannot be read at that moment", function()
    local fake, medium, failing = fake_server.new {}, fake_storage.medium(), nil
    local client = assert(authgear.new { endpoint = fake.endpoint, client_id = fake.client_id, transport = fake,
      storage = fake_storage.new(medium, nil, function(what)
        return what == failing
      end) })
    local sub = assert(client:authenticate_anonymously()).sub
    local key = key_in(medium.records.default)
    failing = "get"
    local ok, err = client:logout { force = true }
    assert.is_nil(ok)
    assert.same({ "storage", "NO_SESSION" }, { err.code, client:session_state() })
    failing = nil
    assert.equal(key, key_in(medium.records.default))
    assert.equal(sub, assert(client:authenticate_anonymously()).sub)
    medium.records.default = "{"
    assert(client:clear_session_state { force = true })
    assert.equal(key, key_in(medium.records.default))
    assert.equal(sub, assert(client:authenticate_anonymously()).sub)
    client:close()
  end)

  -- Rotated tokens that could not be stored are stored later: over a key that was made meanwhile they must not be.
  it("survives the storing of tokens that had to wait", function()
    local time = 1000
    local clock = { monotonic = function() return time end, wall = function() return 1.7e9 + time end }
    local fake = fake_server.new { now = clock.monotonic, lifetime = 100 }
    local medium, failing = fake_storage.medium(), false
    local function open()
      return assert(authgear.new { endpoint = fake.endpoint, client_id = fake.client_id, transport = fake, clock = clock,
        host = { sleep = function(seconds) time = time + seconds end },
        storage = fake_storage.new(medium, nil, function(what)
          return failing and what == "set"
        end) })
    end
    local first, second = open(), open()
    local request = assert(first:start_authentication { redirect_uri = fake.redirect_uri })
    assert(first:finish_authentication(fake:visit(request.url)))
    time, failing = time + 100, true
    local ok, err = first:refresh_access_token_if_needed()
    assert.is_nil(ok)
    assert.equal("storage", err.code)
    failing = false
    fake.fail = function(where, sent)
      return where == "before" and sent.url:find("challenge", 1, true) and { code = "network", message = "cut" }
    end
    assert.is_nil(second:authenticate_anonymously())
    local key = assert(key_in(medium.records.default))
    assert(first:refresh_access_token_if_needed())
    assert.equal(key, key_in(medium.records.default))
    assert.equal(200, first:fetch(fake.app .. "/x").status)
    assert.equal(0, fake.counts.reused)
    first:close()
    second:close()
  end)

  -- Everything yields, callers are thrown away, requests and storage fail at random: one key, one user.
  it("is one for good in a host in which everything yields", function()
    for seed = 1, 30 do
      local host, medium = yield_host.new(seed), fake_storage.medium()
      local fake = fake_server.new { now = host.clock.monotonic, pause = function()
        host:pause(0.04)
      end, fail = function()
        return host.current and host.random(1000) <= 60 and { code = "network", message = "cut" } or nil
      end }
      local clients, keys, n_keys = {}, {}, 0
      for i = 1, 3 do
        clients[i] = assert(authgear.new { endpoint = fake.endpoint, client_id = fake.client_id, transport = fake,
          host = host.host, clock = host.clock, storage = fake_storage.new(medium, function()
            host:pause()
            local key = key_in(medium.records.default)
            if key and not keys[key] then
              keys[key], n_keys = true, n_keys + 1
            end
          end, function(what)
            return what == "set" and host.current and host.random(1000) <= 60
          end) })
      end
      for i = 1, 24 do
        host:go("call " .. i, function()
          host:pause(1)
          if i % 6 == 0 then
            clients[i % 3 + 1]:logout()
          else
            clients[i % 3 + 1]:authenticate_anonymously()
          end
        end)
      end
      host:run(function()
        if host.random(1000) <= 5 then
          local victim = host.tasks[host.random(#host.tasks)]
          if not victim.spawned then
            host:drop(victim)
          end
        end
      end)
      fake.fail = function() end
      host:go("the last", function()
        assert(clients[1]:authenticate_anonymously())
      end)
      host:run()
      local last = host.tasks[#host.tasks]
      assert.is_true(last.over and not last.failed, "seed " .. seed .. ": " .. tostring(last.raised))
      assert.equal(1, n_keys, "seed " .. seed)
      local users = 0
      for _ in pairs(fake.users) do
        users = users + 1
      end
      assert.equal(1, users, "seed " .. seed)
      assert.is_nil(medium.owner, "seed " .. seed)
    end
  end)
end)
