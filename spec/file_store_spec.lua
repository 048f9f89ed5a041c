-- The file store (authgear.file), on real files: what it writes and where, and how it notices a change.
-- What it refuses stands in file_check_spec.lua, its lock in file_lock_spec.lua, what it does when the
-- system fails in spec/fault/.

local files = require "spec.support.files"
local file = require "authgear.file"
local file_storage = require "authgear.storage.file"
local store_dir = require "spec.support.store_dir"
local stores = require "spec.support.stores"

describe("the file store", function()
  local place, dir, kind

  before_each(function()
    place = store_dir.new()
    dir = place.dir
  end)

  after_each(function()
    place:close()
  end)

  local function open(name, where)
    return place:open(name, where, kind)
  end

  for _, one in ipairs(stores) do describe(one.name .. ", keeps a record", function()
    before_each(function()
      kind = one
    end)

    after_each(function()
      kind = nil
    end)

    it("that is not there, there, another, and gone again", function()
      local store = open()
      assert.same({ n = 1 }, { n = select("#", store:get()), (store:get()) })
      assert.is_true(store:set("one"))
      assert.equal("one", store:get())
      assert.is_true(store:set("two, which is longer"))
      assert.equal("two, which is longer", open():get())
      assert.is_true(store:del())
      assert.is_nil((store:get()))
      assert.is_true(store:del())
    end)

    it("of any bytes", function()
      local store, all = open(), {}
      for i = 0, 255 do
        all[#all + 1] = string.char(i)
      end
      local bytes = table.concat(all):rep(50)
      for _, record in ipairs { bytes, "\0", "\r\n", "\26", "" } do
        assert.is_true(store:set(record))
        assert.equal(record, store:get())
      end
    end)

    it("of up to 1 MiB, and no more", function()
      local store = open()
      local largest = ("x"):rep(1024 * 1024 - kind.more)
      assert.is_true(store:set(largest))
      assert.is_true(store:get() == largest)
      local value, code = store:set(largest .. "x")
      assert.is_nil(value)
      assert.equal("too_large", code)
      assert.is_true(store:get() == largest)
      files.sh("printf x >>" .. files.quote(store:path()))
      value, code = store:get()
      assert.is_nil(value)
      assert.equal("storage_damaged", code)
    end)

    it("that it gives back as it is, whatever somebody made of it", function()
      local store = open()
      for _, damaged in ipairs { "", "not ours", "{\"version\":1" } do
        files.write(store:path(), damaged)
        files.sh("chmod 600", store:path())
        assert.equal(damaged, store:get())
      end
    end)

    it("for its owner's eyes only, in a directory for its owner only", function()
      local below = dir .. "/a/b/c"
      local store = open("default", below)
      assert.is_true(store:set("x"))
      assert.is_true(store:try_lock())
      assert.equal("600", files.mode(store:path()))
      assert.equal("600", files.mode(below .. "/default.lock"))
      for _, made_dir in ipairs { "/a", "/a/b", "/a/b/c" } do
        assert.equal("700", files.mode(dir .. made_dir))
      end
    end)

    it("and leaves nothing beside it", function()
      local store = open()
      store:set("one")
      store:set("two")
      assert.same({ "default.json" }, files.list(dir))
    end)

    it("and makes nothing before there is something to keep", function()
      local store = open("default", dir .. "/below")
      assert.is_nil((store:get()))
      assert.is_true(store:changed() == false)
      assert.is_true(store:del())
      assert.is_nil(files.list(dir .. "/below"))
    end)

    it("mode 0600 whatever the one before it was", function()
      local store = open()
      store:set("one")
      files.sh("chmod 644", store:path())
      assert.equal("one", store:get())
      store:set("two")
      assert.equal("600", files.mode(store:path()))
    end)
  end) end

  describe("finds its place", function()
    local function with_env(assignments, code)
      local script = os.tmpname()
      files.write(script, ("package.path, package.cpath = %q, %q\nlocal file = require 'authgear.file'\n%s"):format(
        package.path, package.cpath, code))
      local out = files.sh("env " .. assignments .. " " .. files.quote(files.interpreter()), script)
      os.remove(script)
      return out
    end
    local print_dir = "print(file.data_dir())"

    it("in XDG_DATA_HOME, else in the home directory", function()
      assert.equal("/x/data/authgear", with_env("XDG_DATA_HOME=/x/data HOME=/home/me", print_dir))
      assert.equal("/x/data/authgear", with_env("XDG_DATA_HOME=/x/data/ HOME=/home/me", print_dir))
      assert.equal("/home/me/.local/share/authgear", with_env("-u XDG_DATA_HOME HOME=/home/me", print_dir))
      assert.equal("/home/me/.local/share/authgear", with_env("XDG_DATA_HOME= HOME=/home/me", print_dir))
      assert.equal("/home/me/.local/share/authgear", with_env("XDG_DATA_HOME=relative HOME=/home/me", print_dir))
      assert.equal("/authgear", with_env("XDG_DATA_HOME=/ HOME=/home/me", print_dir))
    end)

    it("without a home in the environment in the user's own", function()
      local home = files.sh("getent passwd $(id -u) | cut -d: -f6")
      local found = with_env("-u XDG_DATA_HOME -u HOME", print_dir)
      if home == "" then -- a user nobody knows, as in some containers
        assert.truthy(found:find("^nil\tstorage\tno data directory is known"), found)
      else
        assert.equal(home .. "/.local/share/authgear", found)
      end
    end)

    it("and makes it there", function()
      local out = with_env("XDG_DATA_HOME=" .. files.quote(dir .. "/data"),
        "local s = file.open{ name = 'me' } assert(s:set('x')) print(s:path())")
      assert.equal(dir .. "/data/authgear/me.json", out)
      assert.equal("x", files.read(out))
      assert.equal("700", files.mode(dir .. "/data"))
      assert.equal("700", files.mode(dir .. "/data/authgear"))
    end)

    it("and keeps to it when the current directory changes", function()
      local here = files.sh("pwd")
      assert.equal(here .. "/some/where/default.json", open("default", "some/where//"):path())
      assert.equal(here .. "/./default.json", open("default", "."):path())
    end)

    it("whatever the client is called", function()
      local names = {
        ["plain-name_1"] = "plain-name_1", ["../x"] = "%2e%2e%2fx", ["/etc/passwd"] = "%2fetc%2fpasswd",
        ["."] = "%2e", [".."] = "%2e%2e", ["a\0b"] = "a%00b", ["a b"] = "a%20b", ["100%"] = "100%25",
        ["x.json"] = "x%2ejson", ["\195\132"] = "%c3%84", ["\255\n"] = "%ff%0a", ["Ab"] = "%41b",
        ["con"] = "%63on", ["com1"] = "%63om1", ["console"] = "console", ["-"] = "-", ["a:b\\c"] = "a%3ab%5cc",
      }
      for name, encoded in pairs(names) do
        local store = open(name)
        assert.equal(dir .. "/" .. encoded .. ".json", store:path())
        assert.is_true(store:set("record of " .. name))
        assert.is_true(store:try_lock())
      end
      for name in pairs(names) do
        assert.equal("record of " .. name, open(name):get())
      end
      assert.is_true(open(("x"):rep(200)):set("long"))
      assert.is_true(open(("."):rep(66)):set("long"))
    end)
  end)

  describe("raises for wrong use", function()
    local function raises(how, ...)
      local ok, message = pcall(...)
      assert.is_false(ok)
      assert.truthy(message:find(how, 1, true), message)
    end

    it("naming the option", function()
      raises("table expected", file.open)
      raises("table expected", file.open, "default")
      raises("name: string expected", file.open, { dir = dir })
      raises("name: string expected", file.open, { dir = dir, name = 1 })
      raises("name: is empty", file.open, { dir = dir, name = "" })
      raises("name: is too long", file.open, { dir = dir, name = ("x"):rep(201) })
      raises("name: is too long", file.open, { dir = dir, name = ("."):rep(67) })
      raises("name: is too long", file.open, { dir = dir, name = ("x"):rep(10240) })
      raises("name: is too long", file.open, { dir = dir, name = ("\0"):rep(10 * 1024 * 1024) })
      raises("dir: string expected", file.open, { dir = {}, name = "x" })
      raises("dir: is empty", file.open, { dir = "", name = "x" })
      raises("dir: has a zero byte", file.open, { dir = dir .. "\0", name = "x" })
      raises("mode: unknown option", file.open, { dir = dir, name = "x", mode = "600" })
      raises("unknown option", file.open, { dir })
      raises("table expected", file_storage.new)
    end)

    it("in methods", function()
      local store = open()
      raises("string expected", store.set, store)
      raises("string expected", store.set, store, 12)
      raises("string expected", store.set, store, { "x" })
      for _, method in ipairs { "get", "set", "del", "changed", "try_lock", "unlock", "close", "path" } do
        raises("bad argument #1", store[method])
        raises("bad argument #1", store[method], {})
        raises("bad argument #1", store[method], io.stdout)
      end
      assert.is_nil(files.list(dir)[1])
    end)

    it("but says what can happen at run time", function()
      local value, code, message, retryable = file.open { name = "x", dir = ("/x"):rep(3000) }
      assert.is_nil(value)
      assert.equal("storage", code)
      assert.truthy(message:find("File name too long", 1, true), message)
      assert.is_false(retryable)
    end)
  end)

  for _, one in ipairs(stores) do describe(one.name .. ", notices a change", function()
    before_each(function()
      kind = one
    end)

    after_each(function()
      kind = nil
    end)

    it("of everybody but itself", function()
      local store, other = open(), open()
      assert.is_true(store:changed())
      store:get()
      assert.is_false(store:changed())
      other:set("one")
      assert.is_true(store:changed())
      assert.is_true(store:changed())
      store:get()
      assert.is_false(store:changed())
      store:set("two")
      assert.is_false(store:changed())
      assert.is_true(other:changed())
      other:get()
      other:del()
      assert.is_false(other:changed())
      assert.is_true(store:changed())
      store:get()
      assert.is_false(store:changed())
    end)

    it("that leaves the size as it was, every time", function()
      local store, other = open(), open()
      for i = 1, 50 do
        other:set(("%04d"):format(i))
        assert.is_true(store:changed())
        assert.equal(("%04d"):format(i), store:get())
        assert.is_false(store:changed())
        -- twice, for the inode number may come back
        other:set("aaaa")
        other:set(("%04d"):format(i))
        assert.is_true(store:changed())
      end
    end)

    it("of the file in its place, and of its permissions", function()
      local store = open()
      store:set("one")
      files.sh("printf two >" .. files.quote(store:path()))
      assert.is_true(store:changed())
      store:get()
      files.sh("chmod 644", store:path())
      assert.is_true(store:changed())
    end)

    it("in doubt: when the last call failed", function()
      local store = open()
      store:set("one")
      for _, op in ipairs { "get", "set", "del" } do
        store:get()
        assert.is_false(store:changed())
        file.test.fault { nth = 1, errno = "EIO" }
        assert.is_nil((store[op](store, "x")))
        file.test.fault()
        assert.is_true(store:changed())
      end
    end)

    it("with one system call", function()
      local store = open()
      store:set("one")
      file.test.fault {}
      assert.is_false(store:changed())
      assert.equal(1, file.test.count())
    end)
  end) end

  describe("as a storage", function()
    it("is the store itself", function()
      local storage = assert(file_storage.new { name = "default", dir = dir })
      assert.equal("file", storage.kind)
      assert.is_true(storage:set("x"))
      assert.equal("x", storage:get())
      assert.is_false(storage:changed())
      assert.is_true(storage:try_lock())
      assert.is_true(storage:unlock())
      assert.is_true(storage:del())
      storage:close()
    end)

    it("loads the C module only when one is made", function()
      local child = files.child([[
        package.loaded["authgear.file"] = nil
        local storage = require "authgear.storage.file"
        say(package.loaded["authgear.file"])
        storage.new { name = "x" }
        say(type(package.loaded["authgear.file"]))
      ]])
      assert.equal("nil", child:hear())
      assert.equal("table", child:hear())
      child:finish()
    end)
  end)

  for _, one in ipairs(stores) do it(one.name .. ", puts no content into messages", function()
    local store = place:open(nil, nil, one)
    store:set("CANARY-old")
    for nth = 1, 40 do
      for _, call in ipairs { "get", "set", "del", "try_lock" } do
        file.test.fault { nth = nth, errno = "EIO" }
        local _, _, message = store[call](store, "CANARY-new")
        file.test.fault()
        store:unlock()
        assert.is_nil((tostring(message) .. tostring(store)):find("CANARY", 1, true))
        assert.is_nil((tostring(message) .. tostring(store)):find("0123456789", 1, true))
      end
    end
  end) end

  -- The signal that a write beyond the limit raises would end the process, with a new token half written.
  it("outlives the process's limit of file sizes, and leaves its signal as it was", function()
    local script = dir .. "/script"
    files.write(script, ([[
      package.path, package.cpath = %q, %q
      local store = require("authgear.file").open { dir = %q, name = "x" }
      store:set("short")
      local done, code, message = store:set(("x"):rep(5000))
      io.stdout:write(tostring(done), "|", code, "|", message:match("[^:]*$"), "|", store:get())
      io.stdout:flush()
      local large = io.open(%q, "w")
      large:write(("x"):rep(5000))
      large:flush()
      io.stdout:write("|it lives")
    ]]):format(package.path, package.cpath, dir, dir .. "/large"))
    local said = files.sh(("(ulimit -f 1; exec %s %s) 2>/dev/null; echo \" $?\""):format(files.quote(files.interpreter()),
      files.quote(script)))
    -- In between the shell says what ended it; 153: 128 and SIGXFSZ.
    assert.matches("^nil|storage| File too large|short[^|]* 153$", said)
    assert.equal("short", open("x"):get())
  end)

  it("names the end of a long path, and what the system said", function()
    local deep = dir .. ("/" .. ("d"):rep(100)):rep(5)
    local store = open("default", deep)
    file.test.fault { op = "open_new", nth = 1, errno = "ENOSPC" }
    local _, code, message, retryable = store:set("x")
    assert.equal("storage", code)
    assert.is_true(retryable)
    assert.truthy(message:find("d/default.json: No space left on device", 1, true), message)
  end)
end)
