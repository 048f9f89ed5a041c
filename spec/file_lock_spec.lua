-- The lock of the file store: between handles, between processes, over fork, and when its holder ends.

local files = require "spec.support.files"
local file = require "authgear.file"
local store_dir = require "spec.support.store_dir"

describe("the file store", function()
  local place, dir

  before_each(function()
    place = store_dir.new()
    dir = place.dir
  end)

  after_each(function()
    place:close()
  end)

  local function open(name, where)
    return place:open(name, where)
  end

  describe("locks", function()
    it("out every other handle, of its own process too", function()
      local store, other = open(), open()
      assert.is_true(store:try_lock())
      assert.is_false(store:try_lock())
      assert.is_false(other:try_lock())
      assert.is_true(store:unlock())
      assert.is_true(other:try_lock())
      assert.is_false(store:try_lock())
      assert.is_true(store:unlock()) -- not ours: nothing happens
      assert.is_false(store:try_lock())
      assert.is_true(other:unlock())
      assert.is_true(other:unlock())
    end)

    it("each name by itself", function()
      assert.is_true(open("one"):try_lock())
      assert.is_true(open("two"):try_lock())
    end)

    it("and reads, writes and deletes all the same", function()
      local store, other = open(), open()
      assert.is_true(store:try_lock())
      assert.is_true(store:set("one"))
      assert.equal("one", other:get())
      assert.is_true(other:set("two"))
      assert.is_true(store:del())
      assert.is_false(other:try_lock())
    end)

    it("until it is closed or collected", function()
      local store, other = open(), open()
      store:try_lock()
      assert.is_true(store:close())
      assert.is_true(store:close())
      assert.is_true(other:try_lock())
      other:unlock()
      do
        local lost = assert(file.open { name = "default", dir = dir })
        assert.is_true(lost:try_lock())
      end
      assert.is_false(other:try_lock())
      collectgarbage()
      collectgarbage()
      assert.is_true(other:try_lock())
    end)

    it("until its block ends", function()
      local compile = loadstring or load -- luacheck: ignore
      local block = compile [[
        local file, dir = ...
        do
          local store <close> = assert(file.open { name = "default", dir = dir })
          assert(store:try_lock())
        end
      ]]
      if not block then
        return pending("only Lua 5.4 has <close>")
      end
      block(file, dir)
      assert.is_true(open():try_lock())
    end)

    it("and its methods say so once it is closed", function()
      local store = open()
      store:try_lock()
      store:close()
      for _, method in ipairs { "get", "del", "try_lock", "path" } do
        local value, code, message, retryable = store[method](store)
        assert.same({ nil, "closed", "the file store is closed", false }, { value, code, message, retryable })
      end
      assert.equal("closed", (select(2, store:set("x"))))
      assert.is_true(store:changed())
      assert.is_true(store:unlock())
    end)

    it("leak no descriptor", function()
      local store, other = open(), open()
      store:set("x")
      local before = files.descriptors()
      for _ = 1, 20 do
        store:get()
        store:set("y")
        store:try_lock()
        other:try_lock()
        other:changed()
        store:del()
        store:unlock()
      end
      assert.equal(before, files.descriptors())
    end)

    it("on a file that is never renamed or removed", function()
      local store = open()
      store:try_lock()
      local inode = files.sh("stat -c %i", dir .. "/default.lock")
      store:set("x")
      store:del()
      store:unlock()
      store:try_lock()
      assert.equal(inode, files.sh("stat -c %i", dir .. "/default.lock"))
    end)

    it("a new one when somebody removed it", function()
      local store, other = open(), open()
      store:try_lock()
      store:unlock()
      files.sh("rm", dir .. "/default.lock")
      assert.is_true(store:try_lock())
      assert.is_false(other:try_lock())
    end)
  end)

  describe("locks out another process", function()
    local holder = [[
      local store = assert(require("authgear.file").open { name = "default", dir = %q })
      say(store:try_lock())
      while true do
        local word = hear()
        if word == "unlock" then say(store:unlock())
        elseif word == "lock" then say(store:try_lock())
        else break end
      end
    ]]

    it("until it unlocks", function()
      local store, child = open(), files.child(holder:format(dir))
      assert.equal("true", child:hear())
      assert.is_false(store:try_lock())
      child:say("unlock")
      assert.equal("true", child:hear())
      assert.is_true(store:try_lock())
      child:say("lock")
      assert.equal("false", child:hear())
      child:finish()
      assert.is_false(open():try_lock())
    end)

    it("until it ends", function()
      local store, child = open(), files.child(holder:format(dir))
      assert.equal("true", child:hear())
      assert.is_false(store:try_lock())
      child:finish()
      assert.is_true(store:try_lock())
    end)

    it("until it is killed", function()
      local store, child = open(), files.child(holder:format(dir))
      assert.equal("true", child:hear())
      assert.is_false(store:try_lock())
      child:kill()
      assert.is_true(store:try_lock())
    end)

    it("but not the programs it starts", function()
      -- a browser, say: it runs on when the lock's holder is gone
      local store = open()
      assert.is_true(store:try_lock())
      local started = io.popen("echo $$; exec sleep 600", "r")
      local pid = started:read("*l")
      store:close()
      local free = open():try_lock()
      files.sh("kill " .. pid)
      started:close()
      assert.is_true(free)
    end)

    it("nor the programs that outlive it", function()
      local child = files.child(([[
        local store = assert(require("authgear.file").open { name = "default", dir = %q })
        say(store:try_lock())
        local started = io.popen("echo $$; exec sleep 600 <&- >&- 2>&-", "r")
        say(started:read("*l"))
        hear()
      ]]):format(dir))
      assert.equal("true", child:hear())
      local pid = child:hear()
      assert.is_false(open():try_lock())
      child:kill()
      local free = open():try_lock()
      files.sh("kill " .. pid)
      assert.is_true(free)
    end)

    it("one of many", function()
      local children, held = {}, 0
      for i = 1, 6 do
        children[i] = files.child(holder:format(dir))
      end
      for _, child in ipairs(children) do
        if child:hear() == "true" then
          held = held + 1
        end
      end
      for _, child in ipairs(children) do
        child:finish()
      end
      assert.equal(1, held)
    end)
  end)

  describe("and fork:", function()
    -- Runs fn in a forked child; what it returns is the exit status.
    local function in_child(fn)
      local pid = file.test.fork()
      if pid == 0 then
        local ok, status = pcall(fn)
        file.test.exit(ok and status or 99)
      end
      return file.test.wait(pid)
    end

    it("a child does not have its parent's lock", function()
      local store = open()
      assert.is_true(store:try_lock())
      assert.equal(0, in_child(function()
        return store:try_lock() == false and 0 or 1
      end))
      assert.is_false(open():try_lock())
    end)

    it("nor lets go of it, by unlocking, closing or collecting", function()
      local store = open()
      assert.is_true(store:try_lock())
      for _, method in ipairs { "unlock", "close", "try_lock" } do
        assert.equal(0, in_child(function()
          store[method](store)
          return 0
        end))
        assert.is_false(open():try_lock())
      end
      assert.is_true(store:set("still ours"))
      assert.is_true(store:unlock())
      assert.is_true(open():try_lock())
    end)

    it("nor keeps it when the parent unlocks", function()
      local store = open()
      assert.is_true(store:try_lock())
      file.test.fault { op = "list", nth = 1, kill = "stop" }
      local pid = file.test.fork()
      if pid == 0 then
        -- stops with the inherited descriptor open, in another store's try_lock
        file.open({ name = "other", dir = dir }):try_lock()
        file.test.exit(0)
      end
      local _, signal = file.test.wait(pid)
      file.test.fault()
      store:unlock()
      local free = open():try_lock()
      files.sh("kill -KILL " .. pid)
      file.test.wait(pid)
      assert.equal(19, signal)
      assert.is_true(free)
    end)

    it("a lock file removed between opening and locking it is not the lock", function()
      file.test.fault { op = "lock", nth = 1, kill = "stop" }
      local pid = file.test.fork()
      if pid == 0 then
        local store = file.open { name = "default", dir = dir }
        file.test.exit(store:try_lock() == false and 0 or 1)
      end
      local _, signal = file.test.wait(pid)
      file.test.fault()
      assert.equal(19, signal)
      files.sh("rm", dir .. "/default.lock")
      assert.is_true(open():try_lock())
      files.sh("kill -CONT " .. pid)
      assert.equal(0, (file.test.wait(pid)))
    end)

    it("a child can lock for itself", function()
      local store = open()
      assert.is_true(store:try_lock())
      store:unlock()
      assert.equal(0, in_child(function()
        return store:try_lock() and store:set("child's") and 0 or 1
      end))
      assert.equal("child's", store:get())
      assert.is_true(store:try_lock())
    end)
  end)
end)
