-- check: reads every source file below a directory and holds it against the laws.
-- Prints one line per breach, as file:line: [law] what. Must never change a file.
--
-- Usage: lua5.4 scripts/laws/check.lua [DIRECTORY]

package.path = arg[0]:match("^(.*)/[^/]*$") .. "/?.lua;" .. package.path
local sizes, includes = require("sizes"), require("includes")

local root = arg[1] or "."
local breaches, files = 0, 0

local function fail(file, line, law, what)
    breaches = breaches + 1
    print(string.format("%s:%d: [%s] %s", file, line, law, what))
end

local function quote(text)
    return "'" .. text:gsub("'", "'\\''") .. "'"
end

local list = assert(io.popen("cd " .. quote(root) .. " && find src lua spec bench examples scripts "
    .. "\\( -name node_modules -o -name fixtures \\) -prune -o -type f "
    .. "\\( -name '*.c' -o -name '*.h' -o -name '*.lua' -o -name '*.mjs' \\) -print 2>/dev/null | sort"))
for file in list:lines() do
    local handle = assert(io.open(root .. "/" .. file, "rb"))
    local text = handle:read("a")
    handle:close()
    files = files + 1
    for _, law in ipairs({ sizes, includes }) do
        law.check(file, text, fail)
    end
end
list:close()

if files == 0 then
    fail(root, 0, "files", "no source file found")
end
print(string.format("%d files, %d breaches of the laws", files, breaches))
os.exit(breaches == 0)
