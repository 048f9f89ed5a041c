-- takes: 4
-- Several clients in one program: names, storages, states, events, tokens and log-ins under way are each client's own; the
-- engine and the kept connections are shared. A hundred clients cost a hundred times 4 KB.
local authgear = require "authgear"
local core = require "authgear.core"
local files = require "spec.support.files"
local scheduler = require "authgear.scheduler"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

local HUNDRED = 100

describe("clients in one program", function()
  local dev, open

  before_each(function()
    dev = server.shared()
    dev:login { user = "user" }
    open = {}
  end)

  after_each(function()
    for _, client in ipairs(open) do
      client:close()
    end
    dev:login { user = "user" }
  end)

  local function new(options)
    local client, seen = assert(sdk.client(dev, options))
    open[#open + 1] = client
    return client, seen
  end

  local function log_in(client, user)
    dev:login { user = user }
    return sdk.log_in(dev, client).sub
  end

  for kind, storage in pairs { memory = authgear.storage.memory(), file = "file" } do
    it("with different names share a storage (" .. kind .. ") and nothing else", function()
      local dir = sdk.temp_dir()
      if storage == "file" then
        storage = authgear.storage.file { dir = dir }
      end
      local a, seen_a = new { storage = storage, name = "a" }
      local b, seen_b = new { storage = storage, name = "b" }
      local sub_a = log_in(a, "anna")
      assert.same({ "AUTHENTICATED", "NO_SESSION" }, { a:session_state(), b:session_state() })
      local sub_b = log_in(b, "bert")
      assert.is_true(sub_a ~= sub_b)
      assert.same({ sub_a, sub_b }, { sdk.echo(dev, a).sub, sdk.echo(dev, b).sub })
      assert(a:refresh_access_token())
      assert(a:logout())
      assert.same({ "NO_SESSION", "AUTHENTICATED" }, { a:session_state(), b:session_state() })
      assert.equal(sub_b, sdk.echo(dev, b).sub)
      assert.same({ "NO_SESSION NO_TOKEN", "AUTHENTICATED AUTHENTICATED", "NO_SESSION LOGOUT" }, seen_a)
      assert.same({ "NO_SESSION NO_TOKEN", "AUTHENTICATED AUTHENTICATED" }, seen_b)
      assert.equal(sub_b, sdk.echo(dev, (new { storage = storage, name = "b" })).sub)
      b:close()
      files.remove(dir)
    end)
  end

  it("with one name and storage are one session, also after switching accounts", function()
    local storage = authgear.storage.memory()
    local a, seen = new { storage = storage }
    local b = new { storage = storage }
    local anna = log_in(a, "anna")
    assert.equal(anna, sdk.echo(dev, b).sub)
    local bert = log_in(b, "bert")
    assert.equal(bert, sdk.echo(dev, a).sub)
    assert(b:logout())
    assert.equal(401, a:fetch(dev.app .. "/api/hello").status)
    assert.equal("NO_SESSION", a:session_state())
    assert.same({ "NO_SESSION NO_TOKEN", "AUTHENTICATED AUTHENTICATED", "NO_SESSION NO_TOKEN" }, seen)
  end)

  it("of different servers' clients don't take each other's records", function()
    local storage = authgear.storage.memory()
    log_in(new { storage = storage }, "anna")
    local other, err = sdk.client(dev, { storage = storage, client_id = "rotating" })
    assert.is_nil(other)
    assert.equal("storage_foreign", err.code)
  end)

  it("finish their own log-ins only", function()
    local a, b = new(), new()
    local callback = sdk.callback(dev, a)
    local info, err = b:finish_authentication(callback)
    assert.is_nil(info)
    assert.equal("no_login", err.code)
    assert(a:finish_authentication(callback))
    assert.same({ "AUTHENTICATED", "NO_SESSION" }, { a:session_state(), b:session_state() })
  end)

  it("have machines and device keys of their own", function()
    local storage = authgear.storage.memory()
    local a = new { storage = storage, name = "a", client_id = "m2m", client_secret = "m2msecret" }
    local b = new { storage = storage, name = "b", client_id = "m2m", client_secret = "m2msecret" }
    local resource = { resource = "https://fixtureresource/1" }
    local of_a, of_b = assert(a:client_credentials(resource)), assert(b:client_credentials(resource))
    assert.is_true(of_a ~= of_b and of_a:access_token() ~= of_b:access_token())
    a:close()
    assert.equal(200, of_b:fetch(dev.app .. "/api/hello").status)
    local c, d = new { storage = storage, name = "c" }, new { storage = storage, name = "d" }
    assert.is_true(assert(c:authenticate_anonymously()).sub ~= assert(d:authenticate_anonymously()).sub)
  end)

  it("share one connection with those of the same settings, and let go of it with the last", function()
    local clients = {}
    local function fetch(client)
      assert.equal(200, client:fetch(dev.app .. "/public/hello").status)
    end
    fetch(new())
    local one = files.descriptors()
    for i = 1, HUNDRED do
      clients[i] = new { name = "client " .. i }
      fetch(clients[i])
    end
    assert.equal(one, files.descriptors())
    for i = 1, HUNDRED - 1 do
      clients[i]:close()
    end
    fetch(clients[HUNDRED])
    assert.equal(one, files.descriptors())
    local apart = new { max_connections = 3 }
    fetch(apart)
    assert.is_true(files.descriptors() > one, "other settings, other connections")
    for _, client in ipairs(open) do
      client:close()
    end
    assert.is_true(files.descriptors() < one)
  end)

  it("share one engine", function()
    local list = {}
    for i = 1, HUNDRED do
      local client = new { name = "client " .. i }
      list[i] = function()
        return client:fetch(dev.app .. "/public/hello")
      end
    end
    local results = authgear.all({ list[1] }):wait()
    assert.equal(200, results[1].status)
    local engine, before = scheduler.engine, files.descriptors()
    results = authgear.all(list, 1):wait()
    for i = 1, HUNDRED do
      assert.equal(200, results[i].status)
    end
    assert.equal(engine, scheduler.engine)
    assert.is_true(files.descriptors() <= before + 1)
  end)

  it("take at most 4 KB each", function()
    local function memory()
      collectgarbage()
      collectgarbage()
      local _, _, bytes = core.test_alloc(0)
      return collectgarbage "count" * 1024 + bytes
    end
    local function hundred(name)
      local list = {}
      for i = 1, HUNDRED do
        list[i] = new { name = name .. i }
      end
      for i = 1, HUNDRED do
        assert.equal(200, list[i]:fetch(dev.app .. "/public/hello").status)
      end
      return list
    end
    hundred "first "
    local before = memory()
    local list = hundred "client "
    local each = (memory() - before) / #list
    -- What a client of this spec has besides: its options, a list of events, a listener and an entry in `open`.
    assert.is_true(each > 1024 and each < 4096 + 1024, each .. " bytes")
  end)
end)
