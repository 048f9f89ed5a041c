-- runs-on: 5.4
-- How large the modules are, and how much C memory a client takes.
local session = require "bench.session"
local support = require "bench.support"

local CLIENTS = 1000
local MODULE_LIMIT, CLIENT_LIMIT = 200, 4
local VERSIONS = { "5.1", "5.2", "5.3", "5.4", "jit" }
local MODULES = { "core", "curl", "file", "loopback", "keyring" }

local function kib(path)
  local f = assert(io.open(path, "rb"))
  local bytes = f:seek("end")
  f:close()
  return bytes / 1024
end

local function modules()
  local rows, largest = { { "stripped, KiB", (table.unpack or unpack)(MODULES) } }, 0
  for _, version in ipairs(VERSIONS) do
    local row = { "Lua " .. version }
    for _, name in ipairs(MODULES) do
      local stripped = support.dir .. "/stripped.so"
      support.capture(("strip -o %s %s/%s/authgear/%s.so"):format(stripped, os.getenv("AUTHGEAR_BUILD"), version, name))
      local size = kib(stripped)
      row[#row + 1] = ("%.1f"):format(size)
      largest = name == "core" and math.max(largest, size) or largest
    end
    rows[#rows + 1] = row
  end
  support.table(rows)
  support.bound("the core module, KiB, of the Lua where it is largest", largest, "%.1f", MODULE_LIMIT)
end

local function clients()
  local path = support.compile("libraries", "-lcrypto -lcjson", "-shared -fPIC -Wl,-z,nodelete -I/usr/include/lua5.4")
  local memory = assert(package.loadlib(path, "luaopen_libraries"))()
  local keep = { session.client("short", {}) }
  memory.count()
  local before, lua_before = memory.bytes(), collectgarbage("count")
  for i = 2, CLIENTS + 1 do
    keep[i] = session.client("short", {})
  end
  collectgarbage()
  assert(#keep == CLIENTS + 1)
  local in_c, in_lua = (memory.bytes() - before) / 1024, collectgarbage("count") - lua_before
  print(("  %d clients with a session in memory and tokens of a few bytes: %.2f KiB of C memory each, %.2f KiB of Lua's")
    :format(CLIENTS, in_c / CLIENTS, in_lua / CLIENTS))
  support.bound("C memory of a client, KiB", in_c / CLIENTS, "%.2f", CLIENT_LIMIT)
end

support.run(function()
  modules()
  clients()
end)
