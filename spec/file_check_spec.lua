-- What the file store does not touch: links, and what others can write, or own. Each has a good twin.

local files = require "spec.support.files"
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

  local function refused(how, value, code, message, retryable)
    assert.is_nil(value)
    assert.equal("storage_insecure", code)
    assert.truthy(message:find(how, 1, true), message)
    assert.is_false(retryable)
  end

  describe("refuses", function()
    local function all_refused(how, store)
      refused(how, store:get())
      refused(how, store:set("new"))
      assert.is_true(store:changed())
    end

    it("a symbolic link in the record's place", function()
      local store = open()
      files.write(dir .. "/elsewhere", "theirs")
      files.sh("chmod 600", dir .. "/elsewhere")
      files.sh("ln -s elsewhere", store:path())
      all_refused("default.json is a symbolic link", store)
      refused("is a symbolic link", store:del())
      assert.equal("theirs", files.read(dir .. "/elsewhere"))
      assert.equal(2, #files.list(dir))
      -- its twin: the same file, not by a link
      files.sh("mv -f", dir .. "/elsewhere", store:path())
      assert.equal("theirs", store:get())
      assert.is_true(store:set("new"))
    end)

    it("a dangling one too", function()
      local store = open()
      files.sh("ln -s nowhere", store:path())
      all_refused("is a symbolic link", store)
      assert.is_nil(files.read(dir .. "/nowhere"))
    end)

    it("a symbolic link in the directory's place", function()
      files.sh("mkdir -m 700", dir .. "/real")
      files.sh("ln -s real", dir .. "/link")
      for _, path in ipairs { "/link", "/link/", "/link//" } do
        local store = open("default", dir .. path)
        refused("link is a symbolic link", store:get())
        refused("is a symbolic link", store:set("x"))
        refused("is a symbolic link", store:del())
        refused("is a symbolic link", store:try_lock())
      end
      assert.same({}, files.list(dir .. "/real"))
      assert.is_true(open("default", dir .. "/real"):set("x"))
      -- what leads to the directory may be one
      assert.is_true(open("default", dir .. "/link/below"):set("x"))
    end)

    it("a symbolic link in the lock's place", function()
      local store = open()
      files.write(dir .. "/elsewhere", "")
      files.sh("chmod 600", dir .. "/elsewhere")
      files.sh("ln -s elsewhere", dir .. "/default.lock")
      refused("default.lock is a symbolic link", store:try_lock())
      files.sh("rm", dir .. "/default.lock")
      assert.is_true(store:try_lock())
    end)

    it("files that others can write", function()
      local store = open()
      store:set("old")
      for _, mode in ipairs { "620", "602", "666" } do
        files.sh("chmod " .. mode, store:path())
        all_refused("default.json may be written by others", store)
        assert.equal("old", files.read(store:path()))
      end
      files.sh("chmod 600", store:path())
      assert.equal("old", store:get())
      files.sh("chmod 666", store:path())
      assert.is_true(store:del())
      assert.is_nil((store:get()))
    end)

    it("a lock file that others can write", function()
      local store = open()
      files.write(dir .. "/default.lock", "")
      files.sh("chmod 660", dir .. "/default.lock")
      refused("default.lock may be written by others", store:try_lock())
      files.sh("chmod 600", dir .. "/default.lock")
      assert.is_true(store:try_lock())
    end)

    it("a directory that others can write", function()
      local store = open()
      store:set("old")
      for _, mode in ipairs { "770", "707", "777", "1777" } do
        files.sh("chmod " .. mode, dir)
        all_refused("may be written by others", store)
        refused("may be written by others", store:del())
        refused("may be written by others", store:try_lock())
      end
      files.sh("chmod 755", dir)
      assert.equal("old", store:get())
      assert.is_true(store:set("new"))
    end)

    it("what is not a file", function()
      local store = open()
      files.sh("mkfifo -m 600", store:path())
      all_refused("is not a regular file", store) -- and does not wait for a writer
      refused("is not a regular file", store:del())
      files.sh("rm", store:path())
      files.sh("mkdir -m 700", store:path())
      all_refused("is not a regular file", store)
      refused("is not a regular file", store:del())
      files.sh("mkfifo -m 600", dir .. "/default.lock")
      refused("is not a regular file", store:try_lock())
    end)

    it("what is not a directory", function()
      files.write(dir .. "/file", "")
      files.sh("chmod 600", dir .. "/file")
      refused("is not a directory", open("default", dir .. "/file"):get())
      local value, code = open("default", dir .. "/file/below"):set("x")
      assert.is_nil(value)
      assert.equal("storage", code)
    end)

    it("what belongs to another user", function()
      if not files.is_root() then
        return pending("only root can give files away")
      end
      local store = open()
      store:set("old")
      store:try_lock()
      store:unlock()
      files.sh("chown 12345", store:path())
      all_refused("default.json belongs to another user", store)
      files.sh("chown 0", store:path())
      assert.equal("old", store:get())
      files.sh("chown 12345", dir .. "/default.lock")
      refused("default.lock belongs to another user", store:try_lock())
      files.sh("chown 12345", dir)
      all_refused("belongs to another user", store)
    end)
  end)
end)
