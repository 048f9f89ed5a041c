-- includes: who may know whom. lua -> src/lua -> src/io -> src/core, and each library
-- behind the files that hide it. Must never look at more than names: includes, calls,
-- required modules.

local lex = require("lex")

local includes = {}

local function words(text)
    local set = {}
    for word in text:gmatch("%S+") do
        set[word] = true
    end
    return set
end

local STD = words("assert.h ctype.h errno.h float.h inttypes.h limits.h math.h stdalign.h stdarg.h stdatomic.h " ..
    "stdbool.h stddef.h stdint.h stdio.h stdlib.h string.h")

-- Calls nobody makes: unsafe, or ending a process that is not ours.
local NEVER = "sprintf vsprintf gets strtok alloca exit _exit abort system rand srand " ..
    "printf puts putchar vprintf perror"
local MEMORY = "malloc calloc realloc free strdup strndup asprintf"
-- What the core has handed in, or does not do at all.
local WORLD = "fopen open openat creat read write socket connect bind listen fprintf fputs fputc putc fwrite " ..
    "time clock clock_gettime gettimeofday gmtime localtime mktime random getrandom getenv setenv getpid " ..
    "fork pthread_create dlopen signal sleep usleep nanosleep setlocale remove rename unlink"

-- Each layer: which includes it may have, which calls it may not. `may` lists
-- exceptions: pattern of a path -> words it may use all the same.
local LAYERS = {
    {
        path = "^src/core/",
        own = { "^core/" },
        angle = function(name)
            return STD[name]
        end,
        never = words(NEVER .. " " .. MEMORY .. " " .. WORLD),
    },
    {
        path = "^src/io/",
        own = { "^core/", "^io/" },
        angle = function(name)
            return not name:find("^lua") and not name:find("^lauxlib") and not name:find("^cjson/")
                and not name:find("^openssl/") and not name:find("^curl/")
        end,
        never = words(NEVER .. " " .. MEMORY .. " time"),
    },
    {
        path = "^src/lua/",
        own = { "^core/", "^io/", "^lua/", "^authgear%.h$" },
        angle = function(name)
            return not name:find("^cjson/") and not name:find("^openssl/") and not name:find("^curl/")
        end,
        never = words(NEVER .. " " .. MEMORY .. " lua_yield lua_yieldk"),
    },
}

local TEST_ONLY = words("realloc malloc free abort _exit")

local MAY = {
    { "^src/[%w_/]*_test%.c$", calls = TEST_ONLY },
    { "^src/core/alloc%.c$", angle = "^openssl/crypto%.h$", calls = words("realloc free") },
    { "^src/core/crypto[%w_]*%.[ch]$", angle = "^openssl/" },
    { "^src/core/json[%w_]*%.[ch]$", angle = "^cjson/" },
    { "^src/io/transfer[%w_]*%.[ch]$", angle = "^curl/" },
    { "^src/io/curl[%w_]*%.[ch]$", angle = "^curl/" },
}

local function may(file, kind, name)
    for _, rule in ipairs(MAY) do
        if file:find(rule[1]) then
            if kind == "angle" and rule.angle and name:find(rule.angle) then
                return true
            elseif kind == "call" and rule.calls and rule.calls[name] then
                return true
            end
        end
    end
    return false
end

local function layer_of(file)
    for _, layer in ipairs(LAYERS) do
        if file:find(layer.path) then
            return layer
        end
    end
end

local function check_include(layer, file, number, line, fail)
    local quoted = line:match('^%s*#%s*include%s*"([^"]+)"')
    if quoted then
        for _, own in ipairs(layer.own) do
            if quoted:find(own) then
                return
            end
        end
        fail(file, number, "include", 'may not include "' .. quoted .. '"')
    end
    local angle = line:match("^%s*#%s*include%s*<([^>]+)>")
    if angle and not layer.angle(angle) and not may(file, "angle", angle) then
        fail(file, number, "include", "may not include <" .. angle .. ">")
    end
end

function includes.check_c(file, text, fail)
    local layer = layer_of(file)
    if not layer then
        return
    end
    for number, line in lex.lines(text) do
        check_include(layer, file, number, line, fail)
    end
    for number, line in lex.lines(lex.c(text)) do
        for before, name in (" " .. line):gmatch("([^%w_])([%a_][%w_]*)%f[^%w_]%s*%(") do
            local member = before == "." or before == ">"
            if layer.never[name] and not member and not may(file, "call", name) then
                fail(file, number, "call", "may not call " .. name .. "()")
            end
        end
    end
end

-- Lua ------------------------------------------------------------------------------

-- Where the user is meant to read something.
local CONSOLE = "^lua/authgear/ui[%w_/]*%.lua$"
local OPENRESTY = "^lua/authgear/openresty"

local function check_lua_line(file, number, line, fail)
    line = " " .. line
    if line:find("%f[%w_]ngx%f[^%w_]") and not file:find(OPENRESTY) then
        fail(file, number, "ngx", "ngx belongs under lua/authgear/openresty")
    end
    if not file:find(CONSOLE) then
        for _, pattern in ipairs({ "[^%w_.:]print%s*%(", "%f[%w_]io%.write%f[^%w_]",
            "%f[%w_]io%.stderr%f[^%w_]", "%f[%w_]io%.stdout%f[^%w_]" }) do
            if line:find(pattern) then
                fail(file, number, "print", "only the console ui prints")
            end
        end
    end
    for _, pattern in ipairs({ "%f[%w_]os%.exit%f[^%w_]", "%f[%w_]os%.execute%f[^%w_]", "%f[%w_]io%.popen%f[^%w_]",
        "%f[%w_]math%.random" }) do
        if line:find(pattern) then
            fail(file, number, "call", "not in lua/: " .. line:match("%f[%w_][iom][%a]+%.%a+"))
        end
    end
end

-- The SDK's own modules everywhere; nginx's in the openresty part; a loop's in the adapter that has its name.
local function may_require(file, name)
    local loop = file:match("^lua/authgear/host/([%w_]+)%.lua$")
    return name:find("^authgear%f[^%w_]") or (loop and name:match("^[%w_]+") == loop)
        or (file:find(OPENRESTY) and (name == "ffi" or name:find("^resty%.") or name:find("^ngx%.")))
end

function includes.check_lua(file, text, fail)
    if not file:find("^lua/") then
        return
    end
    for number, line in lex.lines(lex.lua(text)) do
        check_lua_line(file, number, line, fail)
    end
    for number, line in lex.lines(text) do
        local name = line:match("^[^-\"']*%f[%w_]require%s*%(?%s*[\"']([^\"']+)[\"']")
        if name and not may_require(file, name) then
            fail(file, number, "require", "may not require " .. name)
        end
    end
end

function includes.check(file, text, fail)
    if file:find("%.[ch]$") then
        includes.check_c(file, text, fail)
    elseif file:find("%.lua$") then
        includes.check_lua(file, text, fail)
    end
end

return includes
