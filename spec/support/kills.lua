-- Processes that are killed (SIGKILL) before or after each thing that a call of the SDK asks of storage and network. For
-- specs: what is left afterwards is theirs to judge.
local file = require "authgear.file"
local file_storage = require "authgear.storage.file"
local http = require "spec.support.http"

local test = file.test
local SIGKILL = 9

local kills = {}

--- Begins fn in a forked child, whose status is 0 unless it raises: the child's process id.
function kills.fork(fn)
  local pid = test.fork()
  if pid == 0 then
    local ok, err = pcall(fn)
    if not ok then
      io.stderr:write(tostring(err), "\n")
    end
    test.become(ok and 0 or 1) -- it leaves the parent's transfers as they are
  end
  return pid
end

--- Runs fn in a forked child: its exit status, or nil and the signal that ended it.
function kills.in_child(fn)
  return test.wait(kills.fork(fn))
end

local boundaries, deadly = 0, nil

local function boundary()
  boundaries = boundaries + 1
  if boundaries == deadly then
    os.execute "kill -KILL $PPID"
  end
end

local function between(fn)
  return function(...)
    boundary()
    local a, b, c, d = fn(...)
    boundary()
    return a, b, c, d
  end
end

local function watched_storage(options)
  local store, code, message, retryable = file.open(options)
  if not store then
    return nil, code, message, retryable
  end
  local watch = { kind = "file" }
  for _, name in ipairs { "get", "set", "del", "changed", "try_lock", "unlock" } do
    watch[name] = between(function(_, ...)
      return store[name](store, ...)
    end)
  end
  function watch.close()
    return store:close()
  end
  function watch.path()
    return store:path()
  end
  return watch
end

local send = between(function(request)
  return http.request {
    url = request.url, method = request.method, headers = request.headers, body = request.body,
  }
end)

--- Runs fn(client) with each boundary in turn being the last. `begin` is called before each run, `open{ transport }` gives
--- the client, and `check(where)` looks at what is left. How many boundaries there were.
function kills.everywhere(open, begin, fn, check)
  local new = file_storage.new
  local function run(at)
    file_storage.new = watched_storage
    boundaries, deadly = 0, nil
    local client = assert(open { transport = send })
    boundaries, deadly = 0, at
    fn(client)
    file_storage.new = new
    client:close()
    return boundaries
  end
  local function all_of_them()
    begin()
    local all = run(nil)
    assert(all >= 10, "only " .. all .. " boundaries")
    for at = 1, all do
      local where = ("killed at boundary %d of %d"):format(at, all)
      file_storage.new = new
      begin()
      local status, signal = kills.in_child(function()
        run(at)
      end)
      assert(status == nil and signal == SIGKILL, where .. ": it ended with " .. tostring(status))
      check(where)
    end
    return all
  end
  local ok, result = pcall(all_of_them)
  file_storage.new = new
  if not ok then
    error(result, 0)
  end
  return result
end

return kills
