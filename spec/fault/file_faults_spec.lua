-- The file store when the system fails it: each of its calls fails in turn, writes short, is interrupted, or is the
-- process's last. Afterwards the record is the old one or the new one, whole, and the next call works.

local files = require "spec.support.files"
local file = require "authgear.file"
local stores = require "spec.support.stores"

local test = file.test
local OLD = "{\"record\":\"old\"}"
local NEW = "{\"record\":\"new\",\"longer\":\"" .. ("n"):rep(3000) .. "\"}"

-- What a store can be asked to do, and what the record may be after it failed.
local CALLS = {
  get = { before = OLD, after = OLD },
  set = { before = OLD, after = NEW },
  first_set = { after = NEW },
  del = { before = OLD },
  try_lock = { before = OLD, after = OLD },
}

local function call(store, what)
  if what == "first_set" then
    what = "set"
  end
  return store[what](store, NEW)
end

-- The encrypted store makes the same calls, and reads before it writes: what it does about a failure is looked at with
-- one kind of each.
for _, kind in ipairs(stores) do describe("a system that fails the file store (" .. kind.name .. ")", function()
  local root, dir, prepared

  before_each(function()
    root = files.temp_dir(true)
    prepared = 0
  end)

  after_each(function()
    test.fault()
    test.record(false)
    files.remove(root)
  end)

  -- A directory of its own, as the call finds it, and a store for it.
  local function prepare(what)
    test.fault()
    prepared = prepared + 1
    dir = root .. "/" .. prepared
    local store = assert(kind.open { dir = dir })
    if CALLS[what].before then
      assert(store:set(CALLS[what].before))
    end
    store:close()
    return assert(kind.open { dir = dir })
  end

  -- The names of the calls a store makes to do it, in order.
  local function operations(what)
    local store = prepare(what)
    test.record(true)
    assert(call(store, what))
    test.record(false)
    local ops = {}
    for i, record in ipairs(test.records()) do
      ops[i] = record.op
    end
    store:close()
    return ops
  end

  -- Old record or new one, nothing else in the directory, and everything works again.
  local function check(what, context)
    local store = assert(kind.open { dir = dir })
    local record, code = store:get()
    assert.is_nil(code, context)
    assert.is_true(record == CALLS[what].before or record == CALLS[what].after, context)
    assert.is_true(store:try_lock(), context) -- which cleans up, too
    for _, name in ipairs(files.list(dir)) do
      assert.is_true(name == "default.json" or name == "default.lock", context .. ": " .. name)
    end
    assert.is_true(store:set("next"), context)
    assert.equal("next", store:get(), context)
    assert.is_true(store:del(), context)
    store:close()
    return record
  end

  local function each_fault(what, fn)
    local seen = {}
    for i, op in ipairs(operations(what)) do
      seen[op] = (seen[op] or 0) + 1
      fn(op, seen[op], ("%s: call %d, the %d. %s"):format(what, i, seen[op], op))
    end
  end

  -- Failures that a store may live with: nothing is lost by them.
  local HARMLESS = { close = true, touch = true, list = true }

  local function fail_once(what, op, nth, errno, context)
    local store = prepare(what)
    local descriptors = files.descriptors()
    test.fault { op = op, nth = nth, errno = errno }
    local value, code, message = call(store, what)
    assert.is_true(test.count() >= nth, context)
    test.fault()
    assert.equal(descriptors + (what == "try_lock" and value and 1 or 0), files.descriptors(), context)
    if code then
      assert.is_nil(value, context)
      assert.equal("storage", code, context)
      assert.is_nil(message:find("record", 1, true), context)
      assert.is_true(store:changed(), context)
    elseif errno ~= "EINTR" then
      -- A set that cannot look at what it wrote has written it, and reads it again next time.
      -- A directory we may not look into, above ours, is for its owner to make durable.
      assert.is_true(HARMLESS[op] or op == "fstat" and store:changed() or op == "open_dir" and errno == "EACCES",
        context .. " was overlooked")
    end
    store:close()
    local record = check(what, context)
    if value and what ~= "try_lock" then
      assert.equal(CALLS[what].after, record, context)
    end
  end

  for _, what in ipairs(kind.encrypted and { "get", "set" } or { "get", "set", "first_set", "del", "try_lock" }) do
    it(("once, in %s: any call, any way"):format(what), function()
      for _, errno in ipairs(kind.encrypted and { "EACCES" } or { "EIO", "ENOSPC", "EACCES", "EINTR" }) do
        each_fault(what, function(op, nth, context)
          fail_once(what, op, nth, errno, context .. ", " .. errno)
        end)
      end
    end)

    it(("with SIGKILL, in %s: before and after any call"):format(what), function()
      for _, when in ipairs(kind.encrypted and { "after" } or { "before", "after" }) do
        each_fault(what, function(op, nth, context)
          local store = prepare(what)
          local pid = test.fork()
          if pid == 0 then
            test.fault { op = op, nth = nth, kill = when }
            pcall(call, store, what)
            test.exit(0)
          end
          local status, signal = test.wait(pid)
          store:close()
          assert.same({ nil, 9 }, { status, signal }, context)
          check(what, context .. ", killed " .. when)
        end)
      end
    end)
  end

  it("makes at least the calls that durability needs", function()
    local needed = { "open_new", "write", "fsync", "rename", "fsync_dir" }
    for _, op in ipairs(operations "set") do
      if op == needed[1] then
        table.remove(needed, 1)
      end
    end
    assert.same({}, needed)
  end)

  it("by writing short goes unnoticed", function()
    local store = prepare "set"
    for _, most in ipairs { 1, 7, 1000 } do
      test.fault { most = most }
      assert.is_true(store:set(NEW))
      test.fault()
      assert.equal(NEW, store:get())
    end
    store:close()
  end)

  it("in the middle of a record leaves the old one", function()
    for _, nth in ipairs { 2, 100, #NEW } do
      local store = prepare "set"
      test.fault { op = "write", most = 1, nth = nth, errno = "ENOSPC" }
      local value, code, message, retryable = store:set(NEW)
      test.fault()
      assert.same({ nil, "storage", true }, { value, code, retryable })
      assert.truthy(message:find("No space left on device", 1, true), message)
      assert.equal(OLD, store:get())
      assert.same({ "default.json" }, files.list(dir))
      store:close()
    end
  end)

  it("by interrupting again and again is waited out", function()
    for _, op in ipairs { "open_dir", "open", "open_new", "fstat", "stat", "read", "write", "lock", "fsync" } do
      local store = prepare "set"
      test.fault { op = op, nth = 1, times = 20, errno = "EINTR" }
      assert.is_true(store:set(NEW), op)
      assert.equal(NEW, store:get(), op)
      assert.is_true(store:try_lock(), op)
      test.fault()
      store:close()
    end
  end)

  it("says whether it is worth another try", function()
    for errno, again in pairs { ENOSPC = true, EIO = true, EMFILE = true, EACCES = false, EROFS = false, EPERM = false } do
      local store = prepare "set"
      test.fault { op = "open_new", nth = 1, errno = errno }
      local _, code, _, retryable = store:set(NEW)
      assert.same({ "storage", again }, { code, retryable }, errno)
      store:close()
    end
  end)

  it("where directories cannot be synced is lived with", function()
    local store = prepare "first_set"
    test.fault { op = "fsync_dir", nth = 1, times = 100, errno = "EINVAL" }
    assert.is_true(store:set(NEW))
    assert.is_true(store:del())
    store:close()
  end)

  it("by a file that changes while it is read is told from a record", function()
    local store = prepare "set"
    test.fault { op = "read", nth = 1, kill = "stop" }
    local pid = test.fork()
    if pid == 0 then
      local _, code, _, retryable = store:get()
      test.exit(code == "storage" and retryable and 7 or 1)
    end
    local _, signal = test.wait(pid)
    test.fault()
    assert.equal(19, signal)
    files.sh("printf longer >>" .. files.quote(store:path()))
    files.sh("kill -CONT " .. pid)
    assert.equal(7, test.wait(pid))
    store:close()
  end)

  -- Stops a child in the middle of a set, runs fn, lets it go on. Returns the child's verdict on its set.
  local function while_writing(op, fn)
    local store = prepare "set"
    test.fault { op = op, nth = 1, kill = "stop" }
    local pid = test.fork()
    if pid == 0 then
      test.exit(store:set(NEW) == true and 0 or 1)
    end
    local _, signal = test.wait(pid)
    test.fault()
    assert.equal(19, signal)
    fn()
    files.sh("kill -CONT " .. pid)
    store:close()
    return test.wait(pid)
  end

  local function temps()
    local count = 0
    for _, name in ipairs(files.list(dir)) do
      count = count + (name:match("%.tmp$") and 1 or 0)
    end
    return count
  end

  it("leaves a living writer's temporary file alone", function()
    for _, op in ipairs { "write", "touch", "fsync", "rename" } do
      assert.equal(0, while_writing(op, function()
        local other = assert(kind.open { dir = dir })
        assert.is_true(other:try_lock())
        assert.equal(1, temps())
        assert.is_true(other:set("between"))
        other:close()
      end))
      assert.equal(NEW, check("set", op))
    end
  end)

  it("and a writer whose temporary file was taken for a dead one's makes another", function()
    assert.equal(0, while_writing("lock", function()
      local other = assert(kind.open { dir = dir })
      assert.is_true(other:try_lock())
      assert.equal(0, temps())
      other:close()
    end))
    assert.equal(NEW, check("set", "lock"))
    local store = prepare "set"
    test.fault { op = "lock", nth = 1, times = 3, errno = "EAGAIN" }
    assert.is_true(store:set(NEW))
    test.fault { op = "lock", nth = 1, times = 1000, errno = "EAGAIN" }
    local _, code, _, retryable = store:set(OLD)
    test.fault()
    assert.same({ "storage", true }, { code, retryable })
    assert.equal(NEW, check("set", "lock"))
    store:close()
  end)

  it("leaves what dead writers left to the next lock, and nothing else", function()
    local store = prepare "set"
    for _ = 1, 3 do
      local pid = test.fork()
      if pid == 0 then
        test.fault { op = "rename", nth = 1, kill = "before" }
        store:set(NEW)
      end
      test.wait(pid)
    end
    assert.equal(3, temps())
    local kept = { "default.tmp", "default.x.tmp", "other." .. ("0"):rep(32) .. ".tmp", "default." .. ("0"):rep(32),
      "default." .. ("0"):rep(33) .. ".tmp" }
    for _, name in ipairs(kept) do
      files.write(dir .. "/" .. name, "")
    end
    assert.is_true(store:try_lock())
    kept[#kept + 1] = "default.json"
    kept[#kept + 1] = "default.lock"
    table.sort(kept)
    assert.same(kept, files.list(dir))
    store:close()
  end)

  it("by having no memory gets an error, and the record stays", function()
    -- Only what brings a record needs memory; sealing does.
    local needs = { get = 1 }
    if kind.encrypted then
      needs = { get = 2, set = 2 }
    end
    for _, what in ipairs { "get", "set", "del", "try_lock" } do
      local store = prepare(what)
      for n = 1, 3 do
        test.fail_alloc(n)
        local value, code = call(store, what)
        test.fail_alloc(0)
        assert.equal(n <= (needs[what] or 0) and "memory" or nil, code, what .. n)
        assert.is_true(code ~= nil or value ~= nil or what == "get")
        store:unlock()
        if what == "get" then
          assert.equal(OLD, store:get())
        end
      end
      store:close()
    end
    for n = 1, 3 do
      test.fail_alloc(n)
      local value, code, _, retryable = kind.open { dir = dir }
      test.fail_alloc(0)
      assert.same({ nil, "memory", true }, { value, code, retryable })
    end
  end)
end) end
