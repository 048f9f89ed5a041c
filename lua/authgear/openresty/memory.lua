--- What a worker remembers, bounded: two tables, of which the older one is forgotten when the younger one is full. What is asked
-- for stays. Must never keep a token: whoever uses it gives hashes as keys.
local M = {}

---@class authgear.Memory
local Memory = {}
Memory.__index = Memory

--- Room for `size` entries.
---@return authgear.Memory
function M.new(size)
  return setmetatable({ young = {}, old = {}, count = 0, half = math.max(1, math.floor(size / 2)) }, Memory)
end

function Memory:put(key, entry)
  if self.young[key] == nil then
    if self.count >= self.half then
      self.young, self.old, self.count = {}, self.young, 0
    end
    self.count = self.count + 1
  end
  self.young[key] = entry
end

--- Nil: unknown, or no longer true at that time.
function Memory:get(key, now)
  local entry = self.young[key]
  if not entry then
    entry = self.old[key]
    if not entry then
      return nil
    end
    self:put(key, entry)
  end
  if now < entry.until_ and now >= entry.since then
    return entry
  end
end

function Memory:forget()
  self.young, self.old, self.count = {}, {}, 0
end

return M
