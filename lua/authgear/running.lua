--- Which coroutine a host has to resume. On Lua 5.1 the code between a host's coroutine and its own functions may
-- run in further coroutines (see protect.lua), and coroutine.running() is the innermost of them, which nobody but
-- protect may resume. Must never be needed where pcall can be yielded across: there it is coroutine.running().
local M = {}

-- inner -> outer, written by protect; both weak, so that what is thrown away is collected.
M.outer = setmetatable({}, { __mode = "kv" })

--- The coroutine that was resumed by the host, and whose yields get to the host.
---@return thread|nil co nil: Lua 5.1's main thread
function M.running()
  local co = coroutine.running()
  local outer = co and M.outer[co]
  while outer do
    co, outer = outer, M.outer[outer]
  end
  return co
end

return M
