-- packaging: what a user types to build and install, from a tree without anything built;
-- and that the test runner tells a failure from a success.
-- runs-on: 5.4
-- takes: 40

local root = os.getenv("AUTHGEAR_ROOT") or "."

local function quote(text)
    return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- Output (both streams) and exit status of a shell command, which knows nothing of the
-- `make test` around it.
local function sh(command)
    local pipe = assert(io.popen("( unset MAKEFLAGS MFLAGS MAKELEVEL; " .. command .. "\n) 2>&1; echo \"status=$?\"", "r"))
    local text = pipe:read("*a")
    pipe:close()
    local output, status = text:match("^(.*)status=(%d+)\n$")
    return output, tonumber(status)
end

local function must(command)
    local output, status = sh(command)
    assert(status == 0, "status " .. tostring(status) .. " from: " .. command .. "\n" .. output)
    return output
end

local function temp_dir()
    return (must("mktemp -d"):gsub("%s+$", ""))
end

-- The source tree as a clone has it.
local function copy_tree(to)
    must("cd " .. quote(root) .. " && tar c --exclude=./build --exclude=./.git --exclude=node_modules . "
        .. "| tar x -C " .. quote(to))
end

-- What a program sees that finds the SDK below `prefix` and nowhere else.
local function state_below(prefix, version, interpreter)
    return (must(string.format(
        "cd / && env -u LUA_PATH_5_4 -u LUA_CPATH_5_4 LUA_CPATH='%s/lib/lua/%s/?.so' "
            .. "LUA_PATH='%s/share/lua/%s/?.lua;%s/share/lua/%s/?/init.lua' %s -e 'print(require(\"authgear\").session_state())'",
        prefix, version, prefix, version, prefix, version, interpreter or "lua" .. version)):gsub("%s+$", ""))
end

describe("from a clean tree", function()
    local temp

    -- A clean tree for each LuaRocks. The install goes on with the second one's objects (so it has LuaRocks' flags):
    -- a third build from nothing would show no more.
    setup(function()
        temp = temp_dir()
    end)

    teardown(function()
        must("rm -rf " .. quote(temp))
    end)

    for _, version in ipairs({ "5.4", "5.1" }) do
        it("luarocks make gives Lua " .. version .. " a module that loads", function()
            local tree = temp .. "/tree" .. version
            must("mkdir " .. quote(tree))
            copy_tree(tree)
            must(string.format("cd %s && HOME=%s luarocks --lua-version %s make --tree %s rockspec/authgear-scm-1.rockspec",
                quote(tree), quote(temp), version, quote(temp .. "/rocks")))
            assert.equal("UNKNOWN", state_below(temp .. "/rocks", version))
            assert.matches("^authgear %d", must("cd / && " .. quote(temp .. "/rocks/bin/authgear") .. " version"))
            -- In the checkout, the tool finds what was built there without being told where.
            local tool = "cd / && env -u LUA_PATH -u LUA_CPATH %s " .. quote(tree .. "/bin/authgear") .. " version"
            assert.matches("^authgear %d", must(tool:format("lua" .. version)))
            local output, status = sh(tool:format "lua5.2")
            assert.equal(1, status)
            assert.matches("^authgear: [^\n]*\n  In a checkout 'make LUA=5%.2' [^\n]*\n$", output)
        end)
    end

    it("make install puts everything below DESTDIR and PREFIX, and it runs from there", function()
        local tree = temp .. "/tree5.1"
        must("cd " .. quote(tree) .. " && make LUA=jit CFLAGS='-O2 -fPIC' CC=gcc install DESTDIR=" .. quote(temp .. "/dest")
            .. " PREFIX=/opt/x")
        local prefix = temp .. "/dest/opt/x"
        assert.equal("UNKNOWN", state_below(prefix, "5.1", "luajit"))
        local modules = must("cd " .. quote(prefix .. "/lib/lua/5.1/authgear") .. " && ls")
        for _, name in ipairs({ "core", "file", "curl", "loopback", "keyring" }) do
            assert.truthy(modules:find(name .. ".so", 1, true), name)
        end
        assert.equal("", must("find " .. quote(temp .. "/dest") .. " -type f ! -path '*/opt/x/*'"))
        -- Where it was installed for, the tool finds its modules by itself.
        must("mv " .. quote(prefix) .. " " .. quote(temp .. "/moved"))
        local script = must("sed 's|/opt/x|" .. temp .. "/moved|g' " .. quote(temp .. "/moved/bin/authgear"))
        assert.falsy(script:find("/dest", 1, true))
        assert.matches("^#!/usr/bin/env luajit\n%-%- ", script)
        must("cat > " .. quote(temp .. "/tool") .. " <<'END'\n" .. script .. "\nEND\nchmod 755 " .. quote(temp .. "/tool"))
        assert.matches("^authgear %d", must("cd / && env -u LUA_PATH -u LUA_CPATH " .. quote(temp .. "/tool") .. " version"))
    end)
end)

describe("the test runner", function()
    local temp

    -- Runs one spec with the given text; returns what was printed, the counts.
    local function run(text)
        local file = assert(io.open(temp .. "/made_up_spec.lua", "w"))
        file:write(text)
        file:close()
        local output = sh("cd " .. quote(root) .. " && TEST_TIMEOUT=2 AUTHGEAR_TEST_LOGS=" .. quote(temp .. "/logs")
            .. " scripts/test-one 5.4 " .. quote(temp .. "/made_up_spec.lua"))
        local passed, failed = must("cat " .. quote(temp) .. "/logs/5.4/*.count"):match("^(%d+) (%d+)")
        return output, tonumber(passed), tonumber(failed)
    end

    before_each(function()
        temp = temp_dir()
    end)

    after_each(function()
        must("rm -rf " .. quote(temp))
    end)

    it("counts what passed and what failed", function()
        local _, passed, failed = run("it('a', function() end) it('b', function() error('x') end) it('c', function() end)")
        assert.same({ 2, 1 }, { passed, failed })
    end)

    for name, text in pairs({
        ["a spec that dies"] = "it('a', function() end) it('b', function() os.execute('kill -9 $PPID') end)",
        ["a spec that leaves early"] = "it('a', function() os.exit(0) end)",
        ["a spec without a test"] = "local _ = 1",
        ["a spec that does not load"] = "local = 1",
        ["a spec that never ends"] = "it('a', function() while true do end end)",
        ["a set-up that fails"] = "describe('a', function() setup(function() error('x') end) it('b', function() end) end)",
    }) do
        it("takes " .. name .. " for a failure", function()
            local output, passed, failed = run(text)
            assert.same({ 0, 1 }, { passed, failed })
            assert.truthy(output:find("FAILED 5.4", 1, true))
        end)
    end

    it("ends with the totals, and with a status that says whether all went well", function()
        for text, expected in pairs({
            ["it('a', function() end)"] = { "1 passed, 0 failed", 0 },
            ["it('a', function() error('x') end)"] = { "0 passed, 1 failed", 1 },
        }) do
            local file = assert(io.open(temp .. "/made_up_spec.lua", "w"))
            file:write(text)
            file:close()
            local output, status = sh("cd " .. quote(root) .. " && TEST_LUAS=5.4 AUTHGEAR_TEST_LOGS=" .. quote(temp .. "/logs")
                .. " TESTS=" .. quote(temp .. "/made_up_spec.lua") .. " scripts/test")
            assert.equal(expected[1], output:match("([^\n]*)\n$"))
            assert.equal(expected[2], status)
        end
    end)
end)

describe("install-deps", function()
    it("elsewhere than on Debian names the packages, installs nothing and stops", function()
        local output, status = sh("cd " .. quote(root) .. " && AUTHGEAR_OS_RELEASE=/dev/null scripts/install-deps build test")
        assert.equal(1, status)
        for _, package in ipairs({ "libcurl4-openssl-dev", "libssl-dev", "libcjson-dev", "luajit2", "lua-busted", "npm" }) do
            assert.truthy(output:find("\n    " .. package .. "\n", 1, true), package)
        end
    end)

    it("refuses a target it does not know", function()
        local output, status = sh("cd " .. quote(root) .. " && scripts/install-deps everything")
        assert.equal(2, status)
        assert.truthy(output:find("everything", 1, true))
    end)
end)
