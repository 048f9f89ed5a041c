--- A heap of timers, the earliest first. Must never know what a timer is for.
local M = {}
M.__index = M

---@class authgear.Timer
---@field at number when it is due
---@field over boolean|nil it has been due, or was dropped
---@field task table|nil
---@field wake function|nil

local TIDY = 64 -- so many dropped ones may lie about, and as many again as there are others

function M.new()
  return setmetatable({ n = 0, dropped = 0 }, M)
end

local function sink(heap, i, timer)
  local n = heap.n
  while 2 * i <= n do
    local child = 2 * i
    if child < n and heap[child + 1].at < heap[child].at then
      child = child + 1
    end
    if heap[child].at >= timer.at then
      break
    end
    heap[i] = heap[child]
    i = child
  end
  heap[i] = timer
end

---@param timer authgear.Timer
---@return boolean first is it the earliest now?
function M:add(timer)
  local i = self.n + 1
  self.n = i
  while i > 1 do
    local up = (i - i % 2) / 2
    if self[up].at <= timer.at then
      break
    end
    self[i] = self[up]
    i = up
  end
  self[i] = timer
  return i == 1
end

local function take(heap)
  local first, last = heap[1], heap[heap.n]
  heap[heap.n] = nil
  heap.n = heap.n - 1
  if heap.n > 0 then
    sink(heap, 1, last)
  end
  return first
end

-- Leaves out those that were dropped. The order of a heap is kept: each is sunk from the bottom up.
local function tidy(heap)
  local kept = 0
  for i = 1, heap.n do
    local timer = heap[i]
    heap[i] = nil
    if not timer.over then
      kept = kept + 1
      heap[kept] = timer
    end
  end
  heap.n, heap.dropped = kept, 0
  for i = (kept - kept % 2) / 2, 1, -1 do
    sink(heap, i, heap[i])
  end
end

--- It will not be needed: it is taken out when there are many such.
---@param timer authgear.Timer
function M:drop(timer)
  if timer.over then
    return
  end
  timer.over = true
  self.dropped = self.dropped + 1
  if self.dropped > TIDY and self.dropped > self.n / 2 then
    tidy(self)
  end
end

--- The earliest that still matters.
---@return authgear.Timer|nil
function M:first()
  local timer = self[1]
  while timer and timer.over do
    take(self)
    self.dropped = self.dropped - 1
    timer = self[1]
  end
  return timer
end

--- Takes the earliest off, as due.
---@return authgear.Timer
function M:pop()
  local timer = take(self)
  timer.over = true
  return timer
end

return M
