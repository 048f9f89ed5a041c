--- First in, first out, in a table that is never moved. Must never hold on to what was taken out.
local M = {}

---@class authgear.Queue
---@field head integer where the next one is; empty when it is past the tail
---@field tail integer where the last one is

---@return authgear.Queue
function M.new()
  return { head = 1, tail = 0 }
end

---@param queue authgear.Queue
---@param one any not nil
function M.push(queue, one)
  local tail = queue.tail + 1
  queue.tail = tail
  queue[tail] = one
end

---@param queue authgear.Queue
---@return any one nil: it is empty
function M.pop(queue)
  local head, tail = queue.head, queue.tail
  if head > tail then
    return nil
  end
  local one = queue[head]
  queue[head] = nil
  if head == tail then
    queue.head, queue.tail = 1, 0
  else
    queue.head = head + 1
  end
  return one
end

---@param queue authgear.Queue
---@return boolean
function M.is_empty(queue)
  return queue.tail < queue.head
end

return M
