--- The storage that keeps records in this Lua state and nowhere else. One may be shared by
-- several clients. Must never be mistaken for something that survives the process.

---@class authgear.MemoryStorage
local Memory = {}
Memory.__index = Memory

function Memory:get()
  self.seen = self.slot.generation
  return self.slot.record
end

local function put(self, record)
  local slot = self.slot
  slot.record = record
  slot.generation = slot.generation + 1
  self.seen = slot.generation
  return true
end

function Memory:set(bytes)
  return put(self, bytes)
end

function Memory:del()
  return put(self, nil)
end

function Memory:changed()
  return self.seen ~= self.slot.generation
end

function Memory:try_lock()
  if self.slot.owner ~= nil then
    return false
  end
  self.slot.owner = self
  return true
end

function Memory:unlock()
  if self.slot.owner == self then
    self.slot.owner = nil
  end
  return true
end

function Memory:close()
  return self:unlock()
end

local M = {}

--- Slots by name: what clients of the same name share when they are given the same slots.
function M.slots()
  return {}
end

---@param slots table from M.slots()
---@param name string
function M.new(slots, name)
  local slot = slots[name]
  if slot == nil then
    slot = { generation = 0 }
    slots[name] = slot
  end
  return setmetatable({ slot = slot, kind = "memory" }, Memory)
end

return M
