-- Keys that the system's secret store keeps (authgear.storage.system_key), with a real one: gnome-keyring, in a D-Bus
-- session of its own, with a data directory of its own; locked, mute, not there, asked by many at once.
-- takes: 4

local files = require "spec.support.files"
local program = require "spec.support.program"

-- What every program here begins with: a storage by name and directory, on a key of the secret store.
local HEAD = [[
local authgear, core = require "authgear", require "authgear.core"
local dir = ...
local function open(name, timeout, below)
  local key = authgear.storage.system_key { timeout = timeout or 20 }
  return assert(authgear.storage.file { dir = dir .. (below or "/records"), key = key }.open(name or "default")), key
end
local function show(...)
  print(select("#", ...) > 0 and tostring((...)) or "", (select(2, ...)), (select(3, ...)))
end
local function shell(command)
  os.execute(command .. " >/dev/null 2>&1")
end
local function bus_pid() return os.getenv "AUTHGEAR_TEST_BUS" end
]]

-- Unlocks a new keyring, and starts what follows; the bus is the parent's other child.
local SESSION = [[
printf secret | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
AUTHGEAR_TEST_BUS=$(cat /proc/$PPID/task/*/children | tr ' ' '\n' | grep -v "^$$\$" | head -n 1)
export AUTHGEAR_TEST_BUS
exec "$@"
]]

describe("a key in the system's secret store", function()
  local dir

  before_each(function()
    dir = files.temp_dir()
    files.write(dir .. "/session", SESSION)
  end)

  after_each(function()
    files.remove(dir)
  end)

  -- Runs `code` in a session with a secret store; what it printed.
  local function run(code, without)
    return program.run(HEAD .. code, {
      env = { XDG_DATA_HOME = dir .. "/data", HOME = dir, XDG_RUNTIME_DIR = dir,
        DBUS_SESSION_BUS_ADDRESS = without and "unix:path=" .. dir .. "/nobody" or nil },
      args = { dir }, before = not without and "dbus-run-session -- sh " .. files.quote(dir .. "/session") or nil,
      shell = "2>" .. files.quote(dir .. "/noise") .. " </dev/null",
    })
  end

  local function lines(...)
    return table.concat({ ... }, "\n") .. "\n"
  end

  it("is made with the first record, found by the next program, and gone when it is forgotten", function()
    local out = run [[
      local store, key = open()
      show(store:get())
      show(key:get("default", false))
      show(store:set "the record")
      show(store:get())
      -- another program's view
      local second = open()
      show(second:get())
      show(second:set "another")
      show(store:get())
      show(#key:get("default", false), key:get("default", true) == key:get("default", false))
      local other = open "other"
      show(other:set "of another client")
      show(key:get("other", false) == key:get("default", false))
      -- whoever has lost the key has lost the record, and cannot write over it by mistake
      show(key:forget())
      show(key:forget())
      local third = open()
      show(third:get())
      show(third:set "a third")
      show(third:del())
      show(third:set "a third")
      show(third:get())
      show(store:get())
    ]]
    local gone = "nil\tstorage_key\tthe system's secret store has no key for this session, or is locked"
    assert.equal(lines("nil\tnil\tnil", "nil\tstorage_key: the system's secret store has no key for this session, or is locked\tnil",
      "true\tnil\tnil", "the record\tnil\tnil", "the record\tnil\tnil", "true\tnil\tnil", "another\tnil\tnil",
      "32\ttrue\tnil", "true\tnil\tnil", "false\tnil\tnil", "true\tnil\tnil", "true\tnil\tnil", gone, gone,
      "true\tnil\tnil", "true\tnil\tnil", "a third\tnil\tnil", "a third\tnil\tnil"), out)
    for _, name in ipairs(files.list(dir .. "/records")) do
      assert.is_nil(files.read(dir .. "/records/" .. name):find("third", 1, true))
    end
  end)

  it("is one key, whoever makes it first", function()
    files.write(dir .. "/writer.lua", ("package.path, package.cpath = %q, %q\n"):format(package.path, package.cpath) .. HEAD
      .. 'assert(open("default", 60, "/" .. select(2, ...)):set "mine")')
    local out = run(([[
      local lua, script = %q, %q
      local line = {}
      for i = 1, 6 do
        line[i] = ("'%%s' '%%s' '%%s' %%d &"):format(lua, script, dir, i)
      end
      os.execute(table.concat(line, "\n") .. "\nwait")
      for i = 1, 6 do
        show(open("default", 20, "/" .. i):get())
      end
    ]]):format(program.interpreter(), dir .. "/writer.lua"))
    assert.equal(("mine\tnil\tnil\n"):rep(6), out, files.read(dir .. "/noise"))
  end)

  it("that is locked away is no key, and no new one is made", function()
    local out = run [[
      local store, key = open()
      assert(store:set "the record")
      shell("dbus-send --session --dest=org.freedesktop.secrets --print-reply /org/freedesktop/secrets "
        .. "org.freedesktop.Secret.Service.Lock array:objpath:/org/freedesktop/secrets/collection/login")
      local second = open()
      print((select(2, second:get())))
      print((select(2, second:set "more")))
      local key, err = key:get("new", true)
      print(key, err.code, err.retryable)
      show(store:get())
    ]]
    assert.equal(lines("storage_key", "storage_key", "nil\tkeyring\ttrue", "the record\tnil\tnil"), out)
  end)

  it("is waited for no longer than allowed; in a task the others go on", function()
    local out = run [[
      local store = open()
      assert(store:set "the record")
      shell("kill -STOP " .. bus_pid())
      local began = core.now()
      local _, code, message, retryable = open("default", 0.3):get()
      print(code, message, retryable, core.now() - began < 20)
      local ticks = 0
      local waiting = authgear.async(function()
        local second = open("default", 0.5)
        return (select(2, second:get()))
      end)
      local ticking = authgear.async(function()
        while not waiting:done() do
          ticks = ticks + 1
          authgear.sleep(0.01)
        end
      end)
      local cancelled = authgear.async(function()
        local second = open("default", 500)
        return (select(2, second:get()))
      end)
      authgear.async(function() authgear.sleep(0.05) cancelled:cancel() end)
      print(waiting:wait(), ticks > 5)
      ticking:wait()
      print(core.now() - began < 60)
      shell("kill -CONT " .. bus_pid())
    ]]
    assert.equal(lines("keyring\tthe system's secret store did not answer in time; is it locked?\ttrue\ttrue", "keyring\ttrue",
      "true"), out, files.read(dir .. "/noise"))
  end)

  it("says so where there is no secret store", function()
    local out = run([[
      local store, key = open()
      show(store:get())
      local done, code, message, retryable = store:set "the record"
      print(done, code, message:find("^the system's secret store: ") ~= nil, retryable)
      print(select(2, key:forget()).code)
    ]], true)
    assert.equal(lines("nil\tnil\tnil", "nil\tkeyring\ttrue\ttrue", "keyring"), out)
    assert.is_nil(files.list(dir .. "/records") and files.list(dir .. "/records")[1])
  end)
end)
