-- part
-- What the benches share: workers in processes of their own, medians of interleaved rounds, tables and bounds.
-- Must never fail for being slow.
local M = {}

local root = assert(os.getenv("AUTHGEAR_ROOT"), "run me with scripts/bench")
local build = assert(os.getenv("AUTHGEAR_BUILD"))

function M.median(list)
  local sorted = {}
  for i, v in ipairs(list) do
    sorted[i] = v
  end
  table.sort(sorted)
  local n = #sorted
  return (sorted[math.floor((n + 1) / 2)] + sorted[math.floor(n / 2) + 1]) / 2
end

function M.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Runs a command that must go well; gives the first line that it prints.
function M.capture(command)
  local pipe = assert(io.popen(command .. " && echo done"))
  local out = pipe:read("*a")
  pipe:close()
  assert(out:match("done\n$"), "failed: " .. command)
  return out:match("^[^\n]*")
end

--- A command line that runs `script` under the Lua `version`, with the modules below `below`, or those that make has built.
function M.lua(version, script, below)
  return ("bash -c '. %s/scripts/lua-env && lua_env %s %s && exec \"$AUTHGEAR_LUA\" %s/%s \"$@\"' bench"):format(
    root, version, below or build, root, script)
end

--- A prefix for commands that keeps them all on one processor, where there is a way to do that: else some would share
--- the server's by chance, for as long as the bench runs, and have an advantage or the opposite.
function M.pin()
  local pipe = io.popen("taskset -cp $$ 2> /dev/null")
  local first = pipe:read("*a"):match("(%d+)[%d,-]*\n$")
  pipe:close()
  return first and ("taskset -c %d "):format(first) or ""
end

--- A directory of our own, removed by M.run.
M.dir = M.capture("mktemp -d")

--- Compiles a C program of bench/ (with these libraries); gives its path, whose last part is `as` or its name.
function M.compile(name, libraries, flags, as)
  local out = M.dir .. "/" .. (as or name)
  M.capture(("${CC:-cc} -O2 %s -o %s %s/bench/%s.c %s"):format(flags or "", out, root, name, libraries))
  return out
end

--- Builds the modules for a Lua elsewhere, with these variables of make's; gives the directory, or nil if that fails.
function M.build(version, as, variables)
  local out = M.dir .. "/" .. as
  local ok = pcall(M.capture, ("make --no-print-directory -C %s -s BUILD=%s %s lua-%s > /dev/null 2>&1"):format(root, out,
    variables, version))
  return ok and out or nil
end

local processes = {}
local Process = {}
Process.__index = Process

--- Starts a program that is told line by line what to do.
function M.start(command)
  local fifo = M.dir .. "/in." .. #processes + 1
  M.capture("mkfifo " .. fifo)
  local process = setmetatable({ out = assert(io.popen(command .. " < " .. fifo)) }, Process)
  process.to = assert(io.open(fifo, "w"))
  process.command = command:sub(1, 100)
  processes[#processes + 1] = process
  return process
end

function Process:tell(line)
  self.to:write(line, "\n")
  self.to:flush()
end

function Process:line()
  return assert(self.out:read("*l"), "has ended: " .. self.command)
end

-- By a word, since the end of the input may not be seen: programs that were started later have inherited the pipe.
function Process:stop()
  if self.out then
    self:tell("quit")
    self.to:close()
    self.out:close()
    self.out = nil
  end
end

--- Runs the bench, ends what it has started and removes what it has made.
function M.run(bench)
  local ok, err = xpcall(bench, debug.traceback)
  for _, process in ipairs(processes) do
    pcall(process.stop, process)
  end
  os.execute("rm -rf " .. M.dir)
  assert(ok, err)
end

--- Prints rows of cells, the first column to the left, the others to the right.
function M.table(rows)
  local widths = {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do
      widths[i] = math.max(widths[i] or 0, #cell)
    end
  end
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      cells[i] = (" "):rep(widths[i] - #cell)
      cells[i] = i == 1 and cell .. cells[i] or cells[i] .. cell
    end
    print("  " .. table.concat(cells, "  "))
  end
end

--- Says whether a bound is kept. A bound is no test: whatever it says, the bench goes on.
function M.bound(what, figure, format, limit, met)
  if met == nil then
    met = figure <= limit
  end
  print(("  %-7s %s: " .. format .. " (bound " .. format .. ")"):format(met and "met" or "NOT MET", what, figure, limit))
end

return M
