-- What a power cut can do to the record. A killed process cannot show a missing sync, for the system keeps what it
-- wrote; so the order of the store's system calls is recorded, and every prefix of it replayed into a model of a file
-- system that forgets what was not synced (fs_model.lua). A reader must find the old record or the new one, never
-- neither, and the new one once the call has returned. Defects planted in the recorded list must be found.

local files = require "spec.support.files"
local file = require "authgear.file"
local fs_model = require "spec.fault.fs_model"
local stores = require "spec.support.stores"

local test = file.test
local A = "{\"record\":\"A\"}"
local B = "{\"record\":\"B, longer\"}"
local LONG = "{\"record\":\"" .. ("L"):rep(5000) .. "\"}"

describe("a power cut", function()
  local root

  before_each(function()
    root = files.temp_dir(true)
  end)

  after_each(function()
    test.fault()
    test.record(false)
    files.remove(root)
  end)

  -- Does the steps on real files and returns what was called, in order: each call, and the steps' beginnings and ends.
  -- `plain`: the records that the files stood for, by what was in them.
  local function record(steps, kind)
    local usual = assert((kind or stores[1]).open { dir = root .. "/made/data" })
    local log = { path = usual:path(), plain = {} }
    for _, step in ipairs(steps) do
      local store = step.kind and assert(step.kind.open { dir = root .. "/made/data" }) or usual
      log[#log + 1] = { begins = step }
      test.record(true)
      test.fault(step.fault)
      local value = store[step[1]](store, step[2])
      test.fault()
      test.record(false)
      assert.is_true(value == true or step.fault ~= nil)
      for _, call in ipairs(test.records()) do
        log[#log + 1] = call
      end
      local left = files.read(log.path) or false
      log[#log + 1] = { ends = step, worked = value == true, left = left }
      if left and not log.plain[left] then
        log.plain[left] = store:get()
      end
    end
    usual:close()
    return log
  end

  local function target(step, known)
    if step[1] == "set" then
      return { step[2] }
    elseif step[1] == "del" then
      return { false }
    end
    return known
  end

  local function both(known, more)
    local all = {}
    for _, list in ipairs { known, more } do
      for _, value in ipairs(list) do
        all[#all + 1] = value
      end
    end
    return all
  end

  local function holds(list, value)
    for _, one in ipairs(list) do
      if one == value then
        return true
      end
    end
    return false
  end

  local function describe_found(found)
    if found == false then
      return "no record"
    end
    return #found > 60 and found:sub(1, 60) .. "..." or found
  end

  -- Replays every prefix; returns what a reader could find and must not, in words, and how many states were looked at.
  local function replay(log)
    local fs = fs_model.new(root)
    local wrong, states = {}, 0
    local known = { false } -- what the record may be now
    local allowed = known
    for i, call in ipairs(log) do
      if call.begins then
        allowed = both(known, target(call.begins, known))
      elseif call.ends then
        known = call.worked and target(call.ends, known) or allowed
        allowed = known
      else
        fs:apply(call)
      end
      for _, found in ipairs(fs:after_power_cut(log.path)) do
        states = states + 1
        found = log.plain and log.plain[found] or found
        if not holds(allowed, found) then
          wrong[#wrong + 1] = ("after line %d (%s): %s"):format(i, call.op or "step", describe_found(found))
        end
      end
      if call.ends then
        assert.equal(call.left, fs:as_it_is(log.path), "the model and the real files differ")
      end
    end
    return wrong, states
  end

  local function copy(log)
    local out = { path = log.path }
    for i, line in ipairs(log) do
      out[i] = line
    end
    return out
  end

  -- The list without each line that matches.
  local function without(log, matches)
    local out, dropped = { path = log.path }, 0
    for i, line in ipairs(log) do
      if matches(line, i) then
        dropped = dropped + 1
      else
        out[#out + 1] = line
      end
    end
    assert.is_true(dropped > 0, "nothing to drop")
    return out
  end

  local function is(op)
    return function(line)
      return line.op == op
    end
  end

  -- The list with every rename put before the nearest earlier line of this kind.
  local function rename_before(log, op)
    local out = copy(log)
    for i = 1, #out do
      if out[i].op == "rename" then
        local rename, to = out[i], i
        repeat
          to = to - 1
        until out[to].op == op
        table.remove(out, i)
        table.insert(out, to, rename)
      end
    end
    return out
  end

  local STORY = {
    { "set", A }, { "set", B }, { "try_lock" }, { "set", LONG }, { "unlock" }, { "set", "x" }, { "del" }, { "set", A },
    { "del" }, { "del" },
  }

  for _, kind in ipairs(stores) do
    it("leaves the old record or the new one, and the new one when the call has returned: " .. kind.name, function()
      local log = record(STORY, kind)
      local wrong, states = replay(log)
      assert.same({}, wrong)
      assert.is_true(states > #log, "hardly looked: " .. states)
    end)

    it("does so when calls failed before it: " .. kind.name, function()
      for _, op in ipairs { "open_new", "lock", "write", "fsync", "rename", "fsync_dir" } do
        local log = record({
          { "set", A }, { "set", B, fault = { op = op, nth = 1, errno = "EIO" } }, { "set", LONG },
          { "set", B, fault = { op = op, nth = 1, errno = "ENOSPC" } }, { "del" },
        }, kind)
        assert.same({}, (replay(log)), op)
        files.sh("rm -r", root .. "/made")
      end
    end)
  end

  it("does so when a plain record becomes an encrypted one", function()
    local log = record({ { "set", A, kind = stores[1] }, { "set", B }, { "set", LONG } }, stores[2])
    assert.same({}, (replay(log)))
    local kept = files.read(log.path)
    assert.is_nil(kept:find("record", 1, true))
    for _, op in ipairs { "write", "fsync", "rename", "fsync_dir" } do
      files.sh("rm -r", root .. "/made")
      log = record({
        { "set", A, kind = stores[1] }, { "set", B, fault = { op = op, nth = 1, errno = "EIO" } }, { "set", LONG },
      }, stores[2])
      assert.same({}, (replay(log)), op)
    end
  end)

  it("does so when the one before it was cut off anywhere", function()
    local calls = #record { { "set", A } }
    for nth = 1, calls do
      files.sh("rm -rf", root .. "/made")
      local log = record { { "set", A, fault = { nth = nth, times = 1000, errno = "EIO" } }, { "set", B }, { "del" } }
      assert.same({}, (replay(log)), "cut off at call " .. nth)
    end
  end)

  it("does so when the record was written in small pieces", function()
    local store = assert(file.open { name = "default", dir = root .. "/made/data" })
    local log = { path = store:path(), { begins = { "set", B } } }
    test.record(true)
    test.fault { most = 3 }
    assert(store:set(B))
    test.record(false)
    for _, call in ipairs(test.records()) do
      log[#log + 1] = call
    end
    log[#log + 1] = { ends = { "set", B }, worked = true, left = B }
    assert.same({}, (replay(log)))
    store:close()
  end)

  describe("would be noticed", function()
    local function noticed(log, how)
      local wrong = table.concat((replay(log)), "\n")
      assert.truthy(wrong:find(how, 1, true), wrong == "" and "nothing was noticed" or wrong)
    end

    it("without the file's sync", function()
      local log = record(STORY)
      noticed(without(log, is "fsync"), "{\"rec\n")
      noticed(without(log, is "fsync"), "(rename): \n")
    end)

    it("with the file synced after it has its name", function()
      noticed(rename_before(record(STORY), "fsync"), "(rename): {\"rec\n")
    end)

    it("with the name given before the bytes are written", function()
      noticed(rename_before(record(STORY), "write"), "(rename): ")
    end)

    it("without the directory's sync", function()
      local log = record(STORY)
      noticed(without(log, is "fsync_dir"), "(step): " .. A)
      noticed(without(log, is "fsync_dir"), "(step): no record")
    end)

    it("without the sync of a deletion", function()
      local log = record { { "set", A }, { "del" } }
      noticed(without(log, function(line, i)
        return line.op == "fsync_dir" and i > #log / 2
      end), "(step): " .. A)
    end)

    it("without the sync of what leads to a new directory", function()
      local log = record { { "set", A } }
      local syncs = {}
      for i, line in ipairs(log) do
        if line.op == "fsync_dir" then
          syncs[#syncs + 1] = i
        end
      end
      -- First those that lead to it, from below, of which the model knows two; its own at the end.
      assert.is_true(#syncs >= 3)
      for _, n in ipairs { 1, 2, #syncs } do
        noticed(without(log, function(_, i)
          return i == syncs[n]
        end), "(step): no record")
      end
    end)

    it("with the record written in its place", function()
      local log = without(record { { "set", A }, { "set", B } }, is "rename")
      for i, line in ipairs(log) do
        if line.op == "open_new" then
          log[i] = { op = line.op, fd = line.fd, result = line.result, name = "default.json" }
        end
      end
      noticed(log, "{\"rec\n")
    end)
  end)
end)
