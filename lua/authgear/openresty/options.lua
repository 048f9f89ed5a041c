--- The program's options laid over those that nginx brings, with what they inherit by a metatable. Must never change them.
local M = {}

---@param all table ours; gets the others
---@param own table
---@return table all
function M.over(all, own)
  for name, value in pairs(own) do
    all[name] = value
  end
  return getmetatable(own) ~= nil and setmetatable(all, { __index = own }) or all
end

return M
