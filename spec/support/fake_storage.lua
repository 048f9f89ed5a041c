-- A storage of a user's own, in memory, shared by any number of clients as a file is by processes: every function can
-- wait, and what was stored when is remembered. Must never take a lock for another than its owner.
local core = require "authgear.core"

local fake_storage = {}

--- What several storages share.
function fake_storage.medium()
  return { generation = 0, records = {}, history = {}, logins = {} }
end

local function put(medium, storage, name, record)
  if record then
    medium.history[core.json_decode(record).access_token or ""] = true
  end
  medium.generation = medium.generation + 1
  medium.records[name] = record
  storage.seen = medium.generation
  return true
end

--- A storage for one client. pause(what) is called before and after everything it does; fail(what) -> true makes it
--- fail before it has done anything.
function fake_storage.new(medium, pause, fail)
  pause = pause or function() end
  fail = fail or function() end
  local storage = {}
  local function around(what, fn)
    return function(self, name, value)
      pause(what)
      if fail(what) then
        return nil, { code = "storage", message = "full" }
      end
      local a, b = fn(self, name, value)
      pause(what)
      return a, b
    end
  end
  storage.get = around("get", function(_, name)
    storage.seen = medium.generation
    return medium.records[name]
  end)
  storage.set = around("set", function(_, name, record)
    assert(medium.owner == storage, "a record is written without the lock")
    return put(medium, storage, name, record)
  end)
  storage.del = around("del", function(_, name)
    return put(medium, storage, name, nil)
  end)
  storage.changed = around("changed", function()
    return storage.seen ~= medium.generation
  end)
  storage.lock = around("lock", function()
    if medium.owner ~= nil then
      return false
    end
    medium.owner = storage
    return true
  end)
  storage.unlock = function()
    pause "unlock"
    if medium.owner == storage then
      medium.owner = nil
    end
    pause "unlock"
  end
  return storage
end

--- Makes it keep log-ins under way too, for all who share the medium.
function fake_storage.keeping(storage, medium)
  function storage.keep(_, name, login, bytes, seconds)
    medium.logins[name .. "/" .. login] = { bytes = bytes, seconds = seconds }
    return true
  end
  function storage.take(_, name, login)
    local kept = medium.logins[name .. "/" .. login]
    medium.logins[name .. "/" .. login] = nil
    return kept and kept.bytes
  end
  return storage
end

return fake_storage
