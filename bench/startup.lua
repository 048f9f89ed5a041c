-- runs-on: 5.4 jit
-- What a program pays before its first request: require, configure and session_state in a fresh process, beside one that
-- only loads libcrypto and cJSON; medians of processes run in turn. And that libcurl is not among what was loaded.
-- Usage: startup.lua [ROUNDS]
local support = require "bench.support"

local ROUNDS = tonumber(arg[1]) or 100
local MORE_MS = 1.0
local NAMES = { wall = "wall clock", cpu = "CPU time" }

local function program(options, ending)
  return ([[
    local authgear = require "authgear"
    assert(authgear.configure { endpoint = "https://auth.example.com", client_id = "bench", %s })
    assert(authgear.session_state() == "NO_SESSION")
    %s]]):format(options, ending or "")
end

local SEEN = [[
  local found = {}
  for line in io.lines("/proc/self/maps") do
    local name = line:match("lib(%w+)%.so")
    if name == "curl" or name == "crypto" or name == "cjson" then found[name] = true end
  end
  print((found.crypto and "libcrypto " or "") .. (found.cjson and "cjson " or "") .. (found.curl and "libcurl" or ""))]]

local function main()
  local lua = assert(os.getenv("AUTHGEAR_LUA"))
  local include = os.getenv("AUTHGEAR_LUA_VERSION") == "jit" and "/usr/include/luajit-2.1" or "/usr/include/lua5.4"
  local libraries = support.compile("libraries", "-Wl,--no-as-needed -lcrypto -lcjson", "-shared -fPIC -Wl,-z,nodelete -I" .. include)
  local spawn = support.compile("spawn", "")
  local in_file = ("storage = require('authgear.storage').file { dir = %q }"):format(support.dir .. "/sessions")
  local programs = {
    { name = "nothing", code = "" },
    { name = "libcrypto and cJSON alone", code = ("assert(package.loadlib(%q, 'luaopen_libraries'))"):format(libraries) },
    { name = "authgear, session in memory", code = program "" },
    { name = "authgear, session in a file", code = program(in_file) },
  }
  local commands = {}
  for i, one in ipairs(programs) do
    commands[i] = ("%s -e %s"):format(lua, support.quote(one.code))
    one.wall, one.cpu = {}, {}
  end
  local path = ("LUA_PATH=%s"):format(support.quote(os.getenv("AUTHGEAR_ROOT") .. "/lua/?.lua")) -- as if installed
  local pipe = assert(io.popen(("%s %s%s %d %s"):format(path, support.pin(), spawn, ROUNDS, table.concat(commands, " -- "))))
  for _ = 1, ROUNDS do
    for _, one in ipairs(programs) do
      table.insert(one.wall, assert(pipe:read("*n"), "a program failed") / 1000)
      table.insert(one.cpu, pipe:read("*n") / 1000)
    end
  end
  pipe:close()
  local rows = { { "a process, " .. ROUNDS .. " times", "wall ms", "CPU ms" } }
  for _, one in ipairs(programs) do
    rows[#rows + 1] = { one.name, ("%.2f"):format(support.median(one.wall)), ("%.2f"):format(support.median(one.cpu)) }
  end
  support.table(rows)
  for i = 3, 4 do
    for _, what in ipairs { "wall", "cpu" } do -- beside other work only the second says what the process itself takes
      local more = {}
      for round = 1, ROUNDS do
        more[round] = programs[i][what][round] - programs[2][what][round]
      end
      support.bound(programs[i].name .. ", ms more than the libraries alone, " .. NAMES[what], support.median(more), "%.2f", MORE_MS)
    end
  end
  local seen = support.capture(("%s -e %s"):format(lua, support.quote(program(in_file, SEEN))))
  print("  loaded after session_state: " .. seen)
  support.bound("libcurl loaded", seen:find("libcurl") and 1 or 0, "%d", 0)
end

support.run(main)
