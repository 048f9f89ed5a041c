-- authgear.doctor: each thing that can be wrong is made wrong, and found under its name with words about what to do;
-- what is well is said to be. No secret in it, nothing changed, nobody else asked.
-- takes: 6

local authgear = require "authgear"
local canary = require "spec.support.canary"
local core = require "authgear.core"
local file = require "authgear.file"
local files = require "spec.support.files"
local program = require "spec.support.program"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

describe("the doctor", function()
  local dev, dir

  before_each(function()
    dev = server.shared()
    dir = files.temp_dir()
  end)

  after_each(function()
    file.test.fault()
    files.remove(dir)
  end)

  local function ask(options)
    options.endpoint = options.endpoint or dev.endpoint
    options.client_id = options.client_id or "native"
    local list, well = authgear.doctor(options)
    local by_name, failed = {}, false
    for _, finding in ipairs(list) do
      assert.is_nil(by_name[finding.check], finding.check .. " twice")
      by_name[finding.check] = finding
      failed = failed or finding.status == "fail"
      assert.truthy(finding.status == "ok" or finding.advice, finding.check .. " says what to do")
    end
    assert.equal(not failed, well)
    return by_name, list
  end

  -- Found under this name, with this status and words.
  local function finds(found, check, status, words, code)
    local finding = found[check]
    assert.is_table(finding, check)
    assert.equal(status, finding.status, check .. ": " .. finding.message)
    assert.truthy(finding.message:find(words, 1, true), finding.message)
    assert.equal(code, finding.code)
    return finding
  end

  local function storage()
    return authgear.storage.file { dir = dir .. "/s" }
  end

  local function path()
    return sdk.record_path(dir .. "/s")
  end

  local function log_in()
    local client = assert(sdk.client(dev, { storage = storage() }))
    sdk.log_in(dev, client)
    client:close()
  end

  it("finds nothing where all is well, and changes nothing", function()
    log_in()
    local before = files.read(path())
    dev:reset()
    local found, list = ask { storage = storage(), redirect_uris = { sdk.free_redirect_uri() } }
    local names = {}
    for i, finding in ipairs(list) do
      names[i] = finding.check .. " " .. finding.status
    end
    assert.same({ "versions ok", "configuration ok", "proxy ok", "dns ok", "connection ok", "tls ok", "clock ok",
      "discovery ok", "storage_rights ok", "storage_lock ok", "storage ok", "session ok",
      "browser " .. found.browser.status, "loopback ok", "redirect_ports ok" }, names)
    assert.truthy(found.session.message:find("is good for", 1, true))
    assert.truthy(found.versions.message:find "^authgear %d.*, Lua.*, OpenSSL %d.*, cJSON %d.*, libcurl/%d")
    assert.equal(before, files.read(path()))
    local targets = {}
    for _, event in ipairs(dev:log { event = "received" }) do
      targets[#targets + 1] = event.target
    end
    assert.same({ "discovery" }, targets)
  end)

  it("knows every check that the page has, and no others", function()
    local listed, used = {}, {}
    for name in files.read "docs/doctor.md":gmatch "\n| `([%w_]+)` | [^\n]*" do
      listed[name] = name ~= "check" and name ~= "status" and name ~= "code" or nil
    end
    local source = files.sh "cat lua/authgear/doctor.lua lua/authgear/doctor/*.lua"
    for name in source:gmatch 'findings:%l+%("([%w_]+)"' do
      used[name] = true
    end
    for name in source:gmatch 'list:%l+%("([%w_]+)"' do
      used[name] = true
    end
    used.dns, used.connection, used.tls = true, true, true -- by STAGES
    assert.same(listed, used)
  end)

  describe("on the way to the server", function()
    it("finds a name that cannot be looked up", function()
      local found = ask { endpoint = "https://nowhere.invalid" }
      finds(found, "dns", "fail", "nowhere.invalid", "dns")
      assert.is_nil(found.connection)
      assert.is_nil(found.discovery)
    end)

    it("finds a port where nobody listens", function()
      local found = ask { endpoint = "https://127.0.0.1:1" }
      finds(found, "dns", "ok", "no name to look up")
      finds(found, "connection", "fail", "127.0.0.1:1", "network")
      assert.is_nil(found.tls)
    end)

    it("finds certificates that are not to be trusted", function()
      local tls = server.shared { tls = true }
      local good = ask { endpoint = tls.endpoint, ca_file = tls.ca_file }
      finds(good, "tls", "ok", "is trusted")
      finds(good, "discovery", "ok", "are there")
      for name, words in pairs { wrong_name = "another name", expired = "expired", self_signed = "self-signed" } do
        local found = ask { endpoint = tls.tls[name], ca_file = tls.ca_file }
        finds(found, "connection", "ok", "connected")
        local finding = finds(found, "tls", "fail", words, "tls")
        assert.truthy(finding.advice:find("ca_file", 1, true))
        assert.is_nil(found.discovery)
      end
      finds(ask { endpoint = tls.endpoint }, "tls", "fail", "nobody who is trusted here", "tls")
      finds(ask { endpoint = tls.endpoint, ca_file = dir .. "/none.pem" }, "tls", "fail", "can't be read", "tls")
    end)

    it("finds plain http", function()
      finds(ask { endpoint = "http://example.com" }, "configuration", "fail", "https", "insecure_url")
      local found = ask { endpoint = "http://example.com", allow_insecure_http = true, transport = function()
        return { status = 200, headers = {}, body = "{}" }
      end }
      finds(found, "tls", "warn", "plain http")
      finds(found, "proxy", "ok", "own HTTP client")
    end)

    it("finds an endpoint that is none", function()
      finds(ask { endpoint = "myapp" }, "configuration", "fail", "URL", "invalid_url")
      local secret = canary.text "password"
      local found, list = ask { endpoint = "https://me:" .. secret .. "@example.com" }
      finds(found, "configuration", "fail", "", "invalid_url")
      for _, finding in ipairs(list) do
        assert.is_nil((finding.message .. (finding.advice or "")):find(secret, 1, true))
      end
    end)

    it("finds a clock that is wrong", function()
      local function clock(off)
        return { monotonic = core.now, wall = function()
          return select(2, core.now()) + off
        end }
      end
      finds(ask { clock = clock(0) }, "clock", "ok", "agrees")
      finds(ask { clock = clock(3600) }, "clock", "warn", "seconds ahead of the server's")
      finds(ask { clock = clock(-3600) }, "clock", "warn", "seconds behind the server's")
    end)

    it("finds metadata that are wrong, or none", function()
      local function with(fault, status, words, code)
        fault.target = "discovery"
        dev:fault(fault)
        local found = ask { timeout = 5 }
        dev:reset()
        finds(found, "connection", "ok", "")
        return finds(found, "discovery", status, words, code)
      end
      local finding = with({ kind = "patch", patch = { issuer = "http://elsewhere.example" } }, "fail", "another issuer", "discovery")
      assert.truthy(finding.advice:find("endpoint", 1, true))
      with({ kind = "patch", patch = { token_endpoint = "http://elsewhere.example/token" } }, "fail", "not https", "discovery")
      with({ kind = "garbage" }, "fail", "cannot be read", "invalid_response")
      with({ kind = "status", status = 404 }, "fail", "404", "invalid_response")
      finding = with({ kind = "status", status = 503 }, "fail", "503", "server")
      assert.truthy(finding.advice:find("later", 1, true))
      with({ kind = "not_http" }, "fail", "HTTP", "invalid_response")
      with({ kind = "reset" }, "fail", "", "network")
    end)

    it("finds a server that does not answer", function()
      dev:fault { target = "discovery", kind = "hang" }
      local found = ask { timeout = 0.3 }
      finds(found, "connection", "ok", "")
      finds(found, "discovery", "fail", "", "timeout")
    end)
  end)

  describe("finds a proxy", function()
    local secret = canary.text "password"

    local function from_environment(env, options)
      local out = program.run(([[
        local authgear = require "authgear"
        local list = authgear.doctor { endpoint = "https://login.example.com", client_id = "c", timeout = 5, %s }
        for _, finding in ipairs(list) do print(finding.check, finding.status, finding.message, finding.advice) end
      ]]):format(options or ""), { env = env })
      assert.is_nil(out:find(secret, 1, true))
      return out
    end

    it("in the options, without its password", function()
      local found = ask { endpoint = "https://login.example.com", proxy = "http://me:" .. secret .. "@127.0.0.1:1" }
      assert.equal("requests go through 127.0.0.1:1 (the option 'proxy')", found.proxy.message)
      local finding = finds(found, "connection", "fail", "", "network")
      assert.truthy(finding.advice:find("The proxy is 127.0.0.1:1", 1, true))
      found = ask { endpoint = "https://login.example.com", proxy = "http://proxy.invalid:3128" }
      finding = finds(found, "dns", "fail", "proxy", "dns")
      assert.truthy(finding.advice:find("proxy.invalid:3128", 1, true))
    end)

    it("in the environment, and the exceptions", function()
      local proxy = "http://me:" .. secret .. "@127.0.0.1:1"
      local out = from_environment { HTTPS_PROXY = proxy, NO_PROXY = "other.example" }
      assert.truthy(out:find("proxy\tok\trequests go through 127.0.0.1:1 (HTTPS_PROXY)", 1, true), out)
      assert.truthy(out:find("connection\tfail", 1, true), out)
      out = from_environment { all_proxy = proxy }
      assert.truthy(out:find("(all_proxy)", 1, true), out)
      for _, no_proxy in ipairs { "example.com", ".example.com", "a,login.example.com", "*" } do
        out = from_environment({ HTTPS_PROXY = proxy, NO_PROXY = no_proxy }, "transport = nil")
        assert.truthy(out:find("proxy\tok\tnone", 1, true), out)
      end
      out = from_environment({ HTTPS_PROXY = proxy }, "proxy = ''")
      assert.truthy(out:find("proxy\tok\tnone", 1, true), out)
    end)
  end)

  describe("in the storage", function()
    it("says that memory ends with the program", function()
      finds(ask {}, "storage", "ok", "in memory")
    end)

    it("finds rights that are too wide, links, and what is another's", function()
      finds(ask { storage = storage() }, "storage_rights", "ok", "nothing is there yet")
      log_in()
      files.sh("chmod 755", dir .. "/s")
      local finding = finds(ask { storage = storage() }, "storage_rights", "warn", "directory can be looked into")
      assert.truthy(finding.advice:find("chmod 700", 1, true))
      files.sh("chmod 700", dir .. "/s")
      files.sh("chmod 644", path())
      finds(ask { storage = storage() }, "storage_rights", "warn", "read by others")
      files.sh("chmod 666", path())
      finds(ask { storage = storage() }, "storage_rights", "fail", "written by others", "storage_insecure")
      files.sh("chmod 600", path())
      files.sh("chmod 777", dir .. "/s")
      finds(ask { storage = storage() }, "storage_rights", "fail", "written by others", "storage_insecure")
      files.sh("chmod 700", dir .. "/s")
      files.sh("mv " .. files.quote(path()), dir .. "/elsewhere")
      files.sh("ln -s " .. files.quote(dir .. "/elsewhere"), path())
      finds(ask { storage = storage() }, "storage_rights", "fail", "symbolic link", "storage_insecure")
      if files.is_root() then
        files.sh("rm", path())
        files.sh("cp " .. files.quote(dir .. "/elsewhere"), path())
        files.sh("chown 12345", path())
        finds(ask { storage = storage() }, "storage_rights", "fail", "another user", "storage_insecure")
      end
    end)

    it("finds a lock that is held, or cannot be had", function()
      log_in()
      local other = assert(file.open { dir = dir .. "/s", name = "default" })
      assert.is_true(other:try_lock())
      finds(ask { storage = storage() }, "storage_lock", "ok", "another program holds")
      other:close()
      file.test.fault { op = "open_lock", nth = 1, errno = "EROFS" }
      finds(ask { storage = storage() }, "storage_lock", "fail", "Read-only", "storage")
      file.test.fault()
      finds(ask { storage = storage() }, "storage_lock", "ok", "can be locked")
      other = assert(file.open { dir = dir .. "/s", name = "default" })
      assert.is_true(other:try_lock()) -- it was given back
      other:close()
    end)

    it("finds records that are damaged, another's, a newer release's, or encrypted with another key", function()
      log_in()
      local good = files.read(path())
      finds(ask { storage = storage(), client_id = "rotating" }, "storage", "fail", "", "storage_foreign")
      files.write(path(), good:sub(1, -20))
      local finding = finds(ask { storage = storage() }, "storage", "fail", "damaged", "storage_damaged")
      assert.truthy(finding.advice:find("force", 1, true))
      files.write(path(), (good:gsub('"version":1', '"version":99')))
      finds(ask { storage = storage() }, "storage", "fail", "", "storage_version")
      files.write(path(), good)
      local key = authgear.storage.file { dir = dir .. "/s", key = ("k"):rep(32) }
      local client = assert(sdk.client(dev, { storage = key }))
      assert.is_true(client:refresh_access_token())
      finds(ask { storage = key }, "session", "ok", "somebody is logged in")
      finds(ask { storage = storage() }, "storage", "fail", "no key", "storage_key")
      finds(ask { storage = authgear.storage.file { dir = dir .. "/s", key = ("o"):rep(32) } }, "storage", "fail",
        "another key", "storage_key")
      finds(ask { storage = authgear.storage.file { dir = dir .. "/s", key = { get = function()
        return nil, { code = "keyring" }
      end } } }, "storage", "fail", "key source", "keyring")
    end)

    it("finds a storage of the program's own that raises", function()
      local found = ask { storage = { get = function() error "no" end, set = error, del = error } }
      finds(found, "storage", "fail", "raised", "user_code")
    end)

    it("finds a directory that cannot be named", function()
      finds(ask { storage = authgear.storage.file { dir = ("/x"):rep(3000) } }, "storage", "fail", "", "storage")
    end)

    it("says that the access token will be refreshed, and that nobody is logged in", function()
      finds(ask { storage = storage() }, "session", "ok", "nobody")
      log_in()
      files.write(path(), (files.read(path()):gsub('"expires_in_ms":%d+', '"expires_in_ms":0')))
      finds(ask { storage = storage() }, "session", "ok", "has expired")
    end)
  end)

  describe("on this machine", function()
    it("finds redirect ports that are taken, and URIs that cannot be listened at", function()
      local loopback = require "authgear.loopback"
      local taken = assert(loopback.listen { host = "127.0.0.1" })
      local taken_uri = "http://127.0.0.1:" .. taken:port() .. "/callback"
      local free_uri = sdk.free_redirect_uri()
      finds(ask { redirect_uris = { free_uri } }, "redirect_ports", "ok", free_uri)
      finds(ask { redirect_uris = { taken_uri, free_uri } }, "redirect_ports", "warn", taken_uri)
      local finding = finds(ask { redirect_uris = { taken_uri } }, "redirect_ports", "fail", taken_uri, "listener")
      assert.truthy(finding.advice:find("register", 1, true))
      finds(ask { redirect_uris = { "com.example.app://callback" } }, "redirect_ports", "fail", "com.example.app", "listener")
      assert.is_nil(ask({}).redirect_ports)
      taken:close()
    end)

    it("finds that loopback cannot be listened on, or not be reached", function()
      local loopback = require "authgear.loopback"
      local listen = loopback.listen
      finally(function()
        loopback.listen = listen
      end)
      loopback.listen = function()
        return nil, "listener", "not permitted", false
      end
      finds(ask {}, "loopback", "fail", "not permitted", "listener")
      loopback.listen = function()
        return { port = function() return 1 end, poll = function() end, close = function() end }
      end
      finds(ask {}, "loopback", "fail", "could not be reached", "network")
    end)

    it("says whether there is a browser", function()
      local code = [[
        local list = require "authgear".doctor { endpoint = "https://127.0.0.1:1", client_id = "c" }
        for _, finding in ipairs(list) do print(finding.check, finding.status, finding.advice) end
      ]]
      files.write(dir .. "/xdg-open", "#!/bin/sh\n")
      files.sh("chmod 755", dir .. "/xdg-open")
      local out = program.run(code, { env = { DISPLAY = ":0", PATH = dir .. ":" .. os.getenv "PATH" } })
      assert.truthy(out:find("browser\tok", 1, true), out)
      out = program.run(code)
      assert.truthy(out:find("browser\twarn\tLogging in prints an address", 1, true), out)
    end)

    it("finds that libcurl cannot be loaded", function()
      local out = program.run [[
        package.preload["authgear.curl"] = function() error("libcurl.so.4: cannot open shared object file", 0) end
        local list, well = require "authgear".doctor { endpoint = "https://127.0.0.1:1", client_id = "c" }
        for _, finding in ipairs(list) do print(finding.check, finding.status, finding.message, finding.code) end
        print(well)
      ]]
      assert.truthy(out:find("versions\tfail\t.*can't be loaded: libcurl%.so%.4: cannot open[^\n]*\thost\n"), out)
      assert.truthy(out:find("false\n$"), out)
    end)
  end)

  it("works in a task, and the others go on meanwhile", function()
    dev:fault { target = "discovery", kind = "slow", ms = 300 }
    local ticks, found = 0, nil
    local asking = authgear.async(function()
      found = ask { storage = storage(), redirect_uris = { sdk.free_redirect_uri() } }
      return true
    end)
    authgear.async(function()
      while not asking:done() do
        ticks = ticks + 1
        authgear.sleep(0.01)
      end
    end)
    assert.is_true(asking:wait())
    assert.is_true(ticks > 3)
    finds(found, "discovery", "ok", "are there")
    finds(found, "loopback", "ok", "can reach")
  end)

  it("works in a host that yields", function()
    local host = { sleep = function(seconds)
      coroutine.yield(seconds)
    end }
    local yields, found = 0, nil
    local co = coroutine.create(function()
      found = ask { host = host }
    end)
    while coroutine.status(co) ~= "dead" do
      local ok, seconds = coroutine.resume(co)
      assert(ok, seconds)
      if seconds then
        yields = yields + 1
        core.sleep(seconds)
      end
    end
    assert.is_true(yields > 0)
    finds(found, "loopback", "ok", "can reach")
  end)

  it("shows no secret", function()
    local watch = canary.watch()
    log_in()
    for name in files.read(path()):gmatch '"([%w_]+_token)":"' do
      watch:plant(name, files.read(path()):match('"' .. name .. '":"([^"]+)"'))
    end
    local client_secret, proxy = canary.text "client secret", canary.text "proxy"
    watch:plant("client secret", client_secret)
    watch:plant("proxy password", proxy)
    local logged = {}
    for _, options in ipairs {
      { storage = storage(), client_secret = client_secret, redirect_uris = { sdk.REDIRECT_URI .. "?x=" .. client_secret } },
      { storage = storage(), client_id = "rotating", client_secret = client_secret },
      { endpoint = "https://a.invalid?" .. client_secret, proxy = "http://u:" .. proxy .. "@127.0.0.1:1" },
      { endpoint = "https://a.invalid", proxy = proxy .. "@127.0.0.1:1" },
    } do
      options.log = function(_, message)
        logged[#logged + 1] = message
      end
      local _, list = ask(options)
      for _, finding in ipairs(list) do
        watch:look(finding.check, finding.message .. " " .. (finding.advice or ""))
      end
    end
    watch:look("log", table.concat(logged, "\n"))
    watch:check()
  end)

  it("raises for wrong use", function()
    for _, wrong in ipairs { { client_id = "c" }, { endpoint = "https://a.example" }, { endpoint = "https://a.example",
      client_id = "c", nonsense = 1 }, { endpoint = "https://a.example", client_id = "c", redirect_uris = "x" } } do
      local ok, message = pcall(authgear.doctor, wrong)
      assert.is_false(ok)
      assert.truthy(message:find("to 'doctor'", 1, true), message)
    end
  end)
end)
