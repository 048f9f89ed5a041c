-- Log-ins under way that the storage keeps (its functions keep and take): begun by one client, finished by another that shares
-- the storage, once, as what they were begun as, and within an hour. What is kept says nothing to whoever has not the callback.
local authgear = require "authgear"
local files = require "spec.support.files"
local fake_server = require "spec.support.fake_server"
local fake_storage = require "spec.support.fake_storage"

describe("a log-in that the storage keeps", function()
  local world, medium, time

  before_each(function()
    time = 1000
    medium = fake_storage.medium()
    world = fake_server.new { now = function() return time end }
  end)

  local function client(options)
    options = options or {}
    local storage = fake_storage.keeping(fake_storage.new(medium), medium)
    return assert(authgear.new { endpoint = options.endpoint or world.endpoint, client_id = options.client_id or world.client_id,
      name = options.name, storage = options.storage or storage, transport = world, retry = false,
      host = options.host or { sleep = function() end },
      clock = { monotonic = function() return time end, wall = function() return 1700000000 + time end } })
  end

  local function begin(one, ...)
    local request = assert(one:start_authentication { redirect_uri = world.redirect_uri, ... })
    return world:visit(request.url), request
  end

  -- The one thing that is kept.
  local function kept()
    local name = next(medium.logins)
    assert.truthy(name)
    assert.is_nil(next(medium.logins, name))
    return medium.logins[name], name
  end

  local function refused(code, one, url, half)
    local user, err = one[half or "finish_authentication"](one, url)
    assert.is_nil(user)
    assert.equal(code, err.code)
    return err
  end

  it("is finished by another client of the same storage, once", function()
    local one, two = client(), client()
    local url = begin(one)
    assert(two:finish_authentication(url))
    assert.equal("AUTHENTICATED", two:session_state())
    assert.same({}, medium.logins)
    for _, again in ipairs { one, two, client() } do
      refused("no_login", again, url)
    end
    assert.equal(1, world.counts.code)
    assert(one:refresh_access_token_if_needed())
    assert.equal("AUTHENTICATED", one:session_state())
  end)

  it("is one of several", function()
    local one, two, urls = client(), client(), {}
    for i = 1, 5 do
      urls[i] = begin(one)
    end
    for i = 5, 1, -1 do
      assert(two:finish_authentication(urls[i]))
    end
    assert.same({}, medium.logins)
  end)

  it("is of one kind, one client and one name", function()
    local one = client()
    local url = begin(one)
    refused("no_login", client { name = "other" }, url)
    refused("no_login", client { client_id = "other" }, url)
    refused("no_login", client { endpoint = "https://other.example" }, url)
    refused("no_login", one, url, "finish_reauthentication")
    refused("no_login", one, url, "finish_settings_action")
    refused("no_login", one, url, "finish_promotion")
    refused("no_login", one, (url:gsub("state=.", "state=")))
    refused("callback", one, (url:gsub("state=", "estate=")))
    assert(client():finish_authentication(url))
  end)

  it("can be something else than a log-in, and keeps whose it is", function()
    local one, two = client(), client()
    assert(one:finish_authentication((begin(one))))
    assert(two:refresh_access_token_if_needed())
    local proof = assert(one:start_reauthentication { redirect_uri = world.redirect_uri, max_age = 60 })
    local url = world:visit(proof.url)
    refused("no_login", two, url)
    assert(two:finish_reauthentication(url))
    proof = assert(one:start_reauthentication { redirect_uri = world.redirect_uri })
    refused("user_mismatch", two, world:visit(proof.url, "somebody else"), "finish_reauthentication")
    assert.same({}, medium.logins)
  end)

  it("ends after an hour, and with the machine's boot", function()
    local one = client()
    local early, late = begin(one), begin(one)
    for _, login in pairs(medium.logins) do
      assert.equal(3600, login.seconds)
    end
    time = time + 3599
    assert(client():finish_authentication(early))
    time = time + 1
    refused("no_login", client(), late)
    local url = begin(one)
    time = 500 -- the clock that never goes back has
    refused("no_login", client(), url)
  end)

  it("is taken by nobody's storage but its own, and not by who has it in bytes only", function()
    local one = client()
    local url, request = begin(one)
    local login, name = kept()
    assert.falsy(name:find(request.state, 1, true) or login.bytes:find(request.state, 1, true))
    local challenge, nonce = request.url:match "code_challenge=([^&]+)", request.url:match "nonce=([^&]+)"
    for _, secret in ipairs { challenge, nonce, world.redirect_uri, "verifier" } do
      assert.truthy(#secret > 5)
      assert.falsy(login.bytes:find(secret, 1, true))
    end
    local whole = login.bytes
    for at = 1, #whole, 7 do
      local c = string.char((whole:byte(at) + 1) % 256)
      medium.logins[name] = { bytes = whole:sub(1, at - 1) .. c .. whole:sub(at + 1) }
      refused("no_login", client(), url)
    end
    for _, bytes in ipairs { "", "x", whole:sub(1, -2), whole .. "x" } do
      medium.logins[name] = { bytes = bytes }
      refused("no_login", client(), url)
    end
    -- another one's bytes under this name
    begin(one)
    local other = kept()
    medium.logins = { [name] = other }
    refused("no_login", client(), url)
    medium.logins = { [name] = { bytes = whole } }
    assert(client():finish_authentication(url))
  end)

  it("stays with its process where that waits for the callback itself, and is forgotten when its user gives up", function()
    local one, url = client(), nil
    local user, err = one:authenticate { redirect_uri = world.redirect_uri, ui = function(request)
      url = world:visit(request.url)
      assert.same({}, medium.logins)
      return nil, "enough"
    end }
    assert.same({ nil, "user_code" }, { user, err.code })
    refused("no_login", one, url)
    assert(one:authenticate { redirect_uri = world.redirect_uri, ui = function(request)
      return world:visit(request.url)
    end })
  end)

  it("is an error where the storage fails, and can be tried again", function()
    local storage = fake_storage.keeping(fake_storage.new(medium), medium)
    local keep, take = storage.keep, storage.take
    local one = client { storage = storage }
    for _, case in ipairs { { function() error "secret" end, "user_code" }, { function() return nil, "secret" end, "storage" },
      { function() return nil, { code = "mine", message = "secret" } end, "storage" }, { function() return false end, "storage" } } do
      storage.keep = case[1]
      local request, err = one:start_authentication { redirect_uri = world.redirect_uri }
      assert.same({ nil, case[2] }, { request, err.code })
      assert.falsy(tostring(err):find("secret", 1, true))
    end
    storage.keep = keep
    local url = begin(one)
    for _, case in ipairs { { function() error "secret" end, "user_code" }, { function() return nil, "secret" end, "storage" },
      { function() return 1 end, "user_code" } } do
      storage.take = case[1]
      assert.falsy(tostring(refused(case[2], one, url)):find("secret", 1, true))
    end
    storage.take = take
    assert(one:finish_authentication(url))
  end)

  it("waits in a file where the session does: another process finishes it", function()
    local dir = files.temp_dir(true)
    local options = { storage = authgear.storage.file { dir = dir } }
    local url, more = begin(client(options)), {}
    for i = 1, 15 do
      more[i] = begin(client(options))
    end
    local names = table.concat(files.list(dir), " ")
    assert.truthy(names:find("default%2flogins", 1, true), names)
    assert.equal("", files.sh("find", dir, "-type", "f", "-perm", "/077"))
    refused("no_login", client { storage = options.storage, name = "other" }, url)
    assert(client(options):finish_authentication(url))
    refused("no_login", client(options), url)
    for _, one in ipairs(more) do
      assert(client(options):finish_authentication(one))
    end
    assert.falsy(files.sh("find", dir, "-name", "*logins*", "-not", "-name", "*.lock"):find "%S") -- what is over leaves no file
    local kept_ones = {}
    for i = 1, 17 do
      kept_ones[i] = begin(client(options))
    end
    refused("no_login", client(options), kept_ones[1]) -- the oldest of too many
    for i = 2, 17 do
      assert(client(options):finish_authentication(kept_ones[i]))
    end
    url = begin(client(options))
    local path = files.sh("find", dir, "-name", "*logins*", "-not", "-name", "*.lock"):match "%S+"
    for _, damaged in ipairs { "", "x", files.read(path):sub(1, -2), "authgear log-ins 2\n" .. files.read(path) } do
      files.write(path, damaged)
      refused("no_login", client(options), url)
    end
    assert(client(options):finish_authentication((begin(client(options)))))
    files.remove(dir)
  end)

  it("waits for the file's lock as its host waits, and not where that refuses to", function()
    local dir = files.temp_dir(true)
    local options = { storage = authgear.storage.file { dir = dir } }
    local holder = assert(require("authgear.file").open { dir = dir, name = "default/logins" })
    local slept, refusal = 0, nil
    options.host = { sleep = function()
      slept = slept + 1
      if slept % 3 == 0 then
        holder:unlock()
      end
    end }
    local one = client(options)
    local refuses = function() return refusal end
    one._runtime.host.refuses = refuses
    assert.is_true(holder:try_lock())
    local url = begin(one)
    assert.equal(3, slept)
    assert.is_true(holder:try_lock())
    assert(one:finish_authentication(url))
    assert.equal(6, slept)
    assert.is_true(holder:try_lock())
    refusal = "not here"
    refused("phase", one, url)
    assert.equal(6, slept)
    holder:close()
    files.remove(dir)
  end)

  it("is taken out of the file by one process, however many try at once", function()
    local dir, logins, children = files.temp_dir(true), require "authgear.storage.logins", {}
    for i = 1, 4 do
      children[i] = files.child(([[
        local logins = require "authgear.storage.logins"
        while hear() ~= "" do
          local got = {}
          for i = 1, 16 do
            local bytes, code = logins.take(%q, "default", "login" .. i)
            got[i] = bytes == "bytes " .. i and "1" or code or "0"
          end
          say(table.concat(got, " "))
        end
      ]]):format(dir))
    end
    for _ = 1, 5 do
      local times = {}
      for i = 1, 16 do
        assert(logins.keep(dir, "default", "login" .. i, "bytes " .. i))
        times[i] = 0
      end
      for _, child in ipairs(children) do
        child:say "go"
      end
      for _, child in ipairs(children) do
        local i = 0
        for got in child:hear():gmatch "%S+" do
          i = i + 1
          times[i] = times[i] + assert(tonumber(got), got)
        end
      end
      assert.equal(("1 "):rep(16), table.concat(times, " ") .. " ")
    end
    for _, child in ipairs(children) do
      child:finish()
    end
    files.remove(dir)
  end)

  it("stays with its client where the storage has no such functions", function()
    local one = client { storage = fake_storage.new(medium) }
    local url = begin(one)
    refused("no_login", client { storage = fake_storage.new(medium) }, url)
    assert(one:finish_authentication(url))
    assert.same({}, medium.logins)
  end)
end)
