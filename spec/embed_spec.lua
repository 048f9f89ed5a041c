-- embedding: libauthgear.a as a host gets it: built, installed below a prefix, found by pkg-config, linked into the
-- example and into hosts of all kinds (spec/embed/host.c) that have no module path and no dynamic loading.
-- takes: 30
local files = require "spec.support.files"
local server = require "spec.support.server"
local socket = require "socket"

local quote, sh = files.quote, files.sh
local jit = rawget(_G, "jit")
local version = jit and "jit" or _VERSION:match "%d%.%d"
local lua = jit and "luajit" or "lua" .. version
local root = os.getenv "AUTHGEAR_ROOT" or sh "pwd"

-- Knows nothing of the `make test` around it.
local function make(words)
  return sh("cd " .. quote(root) .. " && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s " .. words)
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read "*a"
  file:close()
  return bytes
end

local function set_of(text)
  local set = {}
  for word in text:gmatch "%S+" do
    set[word] = true
  end
  return set
end

-- What does not go inside: the command-line tool, and the modules that are its own, or load a library at run time.
local OUTSIDE = "^authgear%.cli%f[%W]"

-- The modules that the sources have, as require has them.
local function expected_modules()
  local set = {}
  for path in sh("cd " .. quote(root) .. "/lua && find . -name '*.lua'"):gmatch "%./(%S+)%.lua" do
    local name = path:gsub("/init$", ""):gsub("/", ".")
    set[name] = not name:find(OUTSIDE) or nil
  end
  for name in sh("cd " .. quote(root) .. " && grep -hoE '^int luaopen_authgear_[a-z]+\\(lua_State \\*L\\)$' src/lua/*.c")
    :gmatch "luaopen_authgear_(%l+)" do
    set["authgear." .. name] = name ~= "keyring" and name ~= "terminal" or nil
  end
  return set
end

describe("the archive for embedding, for " .. lua, function()
  local dir, prefix, archive, pkg_config

  -- Links spec/embed/host.c; the compiler and Lua's package may be others.
  local function build_host(name, compiler, package)
    local path = dir .. "/" .. name
    sh(("%s -g -Wall -Wextra -Werror %s/spec/embed/host.c -x none -o %s $(%s --cflags --libs authgear-%s %s) -lpthread"):format(
      compiler, quote(root), path, pkg_config, lua, package or lua))
    return path
  end

  setup(function()
    dir = files.temp_dir()
    prefix = dir .. "/prefix"
    pkg_config = "PKG_CONFIG_PATH=" .. prefix .. "/lib/pkgconfig pkg-config"
    -- As packagers do it: installed aside, and moved to where it was made for.
    make("LUA=" .. version .. " install-static DESTDIR=" .. dir .. "/dest PREFIX=" .. prefix)
    sh("mv " .. dir .. "/dest" .. prefix .. " " .. prefix)
    archive = prefix .. "/lib/authgear-" .. lua .. "/libauthgear.a"
  end)

  teardown(function()
    files.remove(dir)
  end)

  it("is installed below DESTDIR and PREFIX, and nothing else is", function()
    local found = sh("cd " .. prefix .. " && find . -type f | sort")
    assert.are.equal(("./include/authgear.h\n./lib/authgear-%s/libauthgear.a\n./lib/pkgconfig/authgear-%s.pc"):format(lua, lua), found)
    assert.are.equal("", sh("find " .. dir .. "/dest -type f"))
    assert.falsy(read(prefix .. "/lib/pkgconfig/authgear-" .. lua .. ".pc"):find("/dest", 1, true))
  end)

  it("shows the linker one name, and wants nothing of what it has itself", function()
    assert.are.equal("authgear_preload", sh("nm -g --defined-only " .. archive .. " | awk 'NF == 3 { print $3 }'"))
    local undefined = set_of(sh("nm -u " .. archive .. " | awk 'NF == 2 { print $2 }'"))
    assert.is_true(undefined.lua_pushcclosure and undefined.curl_easy_init and undefined.cJSON_Delete)
    for name in pairs(undefined) do
      assert.falsy(name:find "^_?ag_" or name:find "^luaopen_" or name:find "^authgear", name)
    end
    -- What a library in another's program has no business with.
    for _, name in ipairs { "dlopen", "dlsym", "exit", "abort", "system", "printf", "puts", "lua_yield", "lua_yieldk" } do
      assert.is_nil(undefined[name], name)
    end
  end)

  it("holds every file of lua/, byte for byte", function()
    local bytes = read(archive)
    for path in sh("find " .. quote(root) .. "/lua -name '*.lua' ! -path '*/authgear/cli/*'"):gmatch "[^\n]+" do
      assert.truthy(bytes:find(read(path), 1, true), path)
    end
  end)

  it("leaves the build's directories and the builder's name out", function()
    local bytes = read(archive)
    assert.falsy(bytes:find(root, 1, true))
    assert.falsy(bytes:find(dir, 1, true))
  end)

  describe("in a host in C", function()
    local host

    setup(function()
      host = build_host("host", "cc -x c")
    end)

    it("fills package.preload: the stack as it was, memory errors only, odd states too", function()
      assert.matches("^preload: %d+ times without memory\nrequire: %d+ times without memory$", sh(host .. " preload"))
    end)

    it("has the modules that the sources have, and all of them load", function()
      local listed = sh(host .. " run " .. quote [[
        local names = {}
        for name in pairs(package.preload) do
          if name:find "^authgear" then
            names[#names + 1] = name
          end
        end
        assert(not package.loaded.authgear)
        for _, name in ipairs(names) do
          print(name)
          local ok, err = pcall(require, name)
          -- The library below an adapter is the host's to give.
          local missing = not ok and tostring(err):match "module '([^'\n]+)' not found"
          local elsewhere = tostring(err):find("works inside nginx only", 1, true)
            -- Lua 5.1 says so of what was to be loaded by one of those.
            or name:find "^authgear%.openresty" and tostring(err):find("loop or previous error", 1, true)
          assert(ok or elsewhere or missing and not missing:find "^authgear", err)
        end
      ]])
      assert.are.same(expected_modules(), set_of(listed))
    end)

    it("loads lazily: what is not required is not compiled", function()
      sh(host .. " run " .. quote [[
        require "authgear.errors"
        for name in pairs(package.loaded) do
          assert(name == "authgear.errors" or name == "authgear.core" or not name:find "^authgear", name)
        end
      ]])
    end)

    it("costs a state little before it is required", function()
      local bytes = tonumber(sh(host .. " run " .. quote [[
        local loaders, count = {}, 0
        for name, loader in pairs(package.preload) do
          loaders[name], count = loader, count + 1
          package.preload[name] = nil
        end
        collectgarbage()
        local with = collectgarbage "count"
        loaders = nil
        collectgarbage()
        print((with - collectgarbage "count") * 1024 / count)
      ]]))
      assert.is_true(bytes < 240, bytes .. " bytes a module") -- the table that holds them here included
    end)

    it("names files in messages and tracebacks as they are named in lua/", function()
      local text = sh(host .. " run " .. quote [[
        print(debug.getinfo(require "authgear".new, "S").source)
        print((select(2, xpcall(function() require "authgear".new(1) end, debug.traceback)):match "authgear/check%.lua:%d+"))
      ]])
      assert.matches("^@authgear%.lua\nauthgear/check%.lua:%d+$", text)
    end)

    it("survives a changed number in a loader", function()
      sh(host .. " run " .. quote [[
        local loader = package.preload["authgear.client"]
        for _, number in ipairs { -1, 10000, 1e15, "x" } do
          if debug.setupvalue(loader, 1, number) then
            pcall(loader, "authgear.client") -- another module or an error, but no crash
          end
        end
      ]])
    end)

    it("raises errors out of C, and returns run-time trouble", function()
      assert.are.equal("false\tstring expected\nnil\tnetwork", sh(host .. " run " .. quote [[
        local ok, err = pcall(require "authgear.core".retryable, {})
        print(ok, err:match "string expected")
        local authgear = require "authgear"
        assert(authgear.configure { endpoint = "http://127.0.0.1:1", client_id = "native" })
        local response, problem = authgear.fetch "http://127.0.0.1:1/"
        print(response, problem.code)
      ]]))
    end)

    it("keeps two states of one process apart", function()
      assert.are.equal("one\tNO_SESSION\ntwo\tUNKNOWN\none\tUNKNOWN\ntwo\tNO_SESSION", sh(table.concat({ host, "run", quote [[
        authgear = require "authgear"
        assert(authgear.configure { endpoint = "http://127.0.0.1:1", client_id = "native" })
        print("one", authgear.session_state())
      ]], quote [[
        authgear = require "authgear"
        print("two", authgear.session_state())
        assert(authgear.configure { endpoint = "http://127.0.0.1:1", client_id = "native" })
      ]], quote [[
        authgear.close()
        authgear = nil
        package.loaded.authgear, package.loaded["authgear.client"] = nil, nil
        collectgarbage()
        print("one", require "authgear".session_state())
      ]], quote [[
        print("two", authgear.session_state())
      ]] }, " ")))
    end)

    it("works in several threads with a state each, at the same time", function()
      local dev = server.shared()
      local output = sh(host .. " threads 8 " .. quote(([[
        local authgear = require "authgear"
        for _ = 1, 5 do
          local client = assert(authgear.new { endpoint = "%s", client_id = "native" })
          for _ = 1, 5 do
            local response, err = client:fetch "%s/api/hello"
            assert(response, tostring(err))
            assert(response.status == 401, response.status)
          end
          client:close()
        end
      ]]):format(dev.endpoint, dev.app)))
      assert.are.equal("", output)
    end)
  end)

  -- Debian has each Lua but LuaJIT compiled as C++ too: that one raises errors by throwing them through the archive's C.
  it("works in a host in C++" .. (jit and "" or ", with a Lua in C++"), function()
    local host = build_host("host++", "c++ -x c++", not jit and lua .. "-c++" or nil)
    if not jit then
      assert.truthy(sh("ldd " .. host):find("liblua" .. version .. "-c++", 1, true))
    end
    assert.matches("^preload: %d+ times without memory\nrequire: %d+ times without memory$", sh(host .. " preload"))
    assert.are.equal("false\tstring expected", sh(host .. " run " .. quote [[
      local ok, err = pcall(require "authgear.core".retryable, {})
      print(ok, err:match "string expected")
    ]]))
  end)

  it("works in a host with Lua's archive inside", function()
    local libdir = sh(pkg_config .. " --variable=libdir " .. lua)
    local path = dir .. "/static"
    sh(("cc -Werror %s/spec/embed/host.c -o %s $(%s --cflags --libs authgear-%s) $(pkg-config --cflags %s) %s/lib%s.a -lm -ldl -lpthread")
      :format(quote(root), path, pkg_config, lua, lua, libdir, jit and "luajit-5.1" or lua))
    assert.falsy(sh("ldd " .. path):find("liblua", 1, true))
    assert.are.equal("UNKNOWN", sh(path .. " run " .. quote "print(require 'authgear'.session_state())"))
  end)

  it("takes other archives in, out of sight, when it is told to", function()
    -- Not all of it: the specs of other Luas build there at the same time, and their files come and go.
    local own = dir .. "/build/obj/release"
    sh(("mkdir -p %s/lua && cd %s/build/obj/release && cp -a core io flags libagcore.a libagio.a %s && cp -a lua/%s %s/lua"):format(
      own, quote(root), own, version, own))
    local libcrypto = sh("pkg-config --variable=libdir libcrypto") .. "/libcrypto.a"
    make(("LUA=%s install-static BUILD=%s/build PREFIX=%s/with STATIC_WITH=%s"):format(version, dir, dir, libcrypto))
    local with = dir .. "/with/lib/authgear-" .. lua .. "/libauthgear.a"
    assert.are.equal("authgear_preload", sh("nm -g --defined-only " .. with .. " | awk 'NF == 3 { print $3 }'"))
    assert.falsy(sh("nm -u " .. with):find("EVP_", 1, true))
    assert.matches("\nRequires: libcurl +libcjson\n", read(dir .. "/with/lib/pkgconfig/authgear-" .. lua .. ".pc"))
    local flags = sh(("PKG_CONFIG_PATH=%s/with/lib/pkgconfig pkg-config --cflags --libs authgear-%s %s"):format(dir, lua, lua))
    assert.falsy(flags:find("-lcrypto", 1, true))
    sh(("cc -Werror %s/spec/embed/host.c -o %s/with/host %s -ldl"):format(quote(root), dir, flags))
    -- OpenSSL at work: the code challenge is a hash of random bytes.
    assert.matches("code_challenge=[%w_-]+", sh(dir .. "/with/host run " .. quote(([[
      local authgear = require "authgear"
      assert(authgear.configure { endpoint = "%s", client_id = "native" })
      print(assert(authgear.start_authentication { redirect_uri = "http://127.0.0.1:9/callback" }).url)
    ]]):format(server.shared().endpoint))))
  end)

  describe("the example", function()
    local dev, environment

    setup(function()
      sh("cp -r " .. quote(root) .. "/examples/embed " .. dir .. "/embed && rm -f " .. dir .. "/embed/game")
      make(("-C %s/embed LUA=%s CFLAGS='-O2 -Wall -Wextra -Werror' PKG_CONFIG='%s'"):format(dir, lua, pkg_config))
      dev = server.shared()
      local listener = assert(socket.bind("127.0.0.1", 0))
      local redirect_uri = ("http://127.0.0.1:%d/callback"):format(select(2, listener:getsockname()))
      listener:close()
      dev:add_redirect_uris("native", { redirect_uri })
      environment = ("cd / && env -i HOME=%s PATH=\"$PATH\" BROWSER=%s AUTHGEAR_ENDPOINT=%s AUTHGEAR_CLIENT_ID=native "
        .. "AUTHGEAR_REDIRECT_URI=%s YOUR_SERVER_URL=%s/api/hello "):format(dir, quote(root .. "/scripts/demo-browser"),
        dev.endpoint, redirect_uri, dev.app)
    end)

    it("logs in, fetches, refreshes and closes, frame by frame", function()
      local before = dev:token_count("refresh_token", "native").ok
      assert.are.equal("title screen: NO_SESSION\nlogged in: AUTHENTICATED\nleaderboard: 200\na new access token: true\nbye",
        sh(("%s %s/embed/game %s/embed/game.lua"):format(environment, dir, dir)))
      assert.are.equal(before + 1, dev:token_count("refresh_token", "native").ok)
    end)

    it("has no other way to load anything", function()
      files.write(dir .. "/other.lua", [[
        assert(package.path == "" and package.cpath == "" and not package.loadlib)
        assert(not pcall(require, "socket"))
        return function() end
      ]])
      assert.are.equal("", sh(("%s %s/embed/game %s/other.lua"):format(environment, dir, dir)))
    end)

    it("says what is wrong with its script", function()
      local _, err = pcall(sh, ("%s %s/embed/game /nowhere.lua"):format(environment, dir))
      assert.matches("cannot open /nowhere.lua", err)
    end)
  end)
end)
