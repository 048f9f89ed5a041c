--- Modules that are loaded when something of them is first used: a program that only asks whether somebody is logged in
-- does not pay for log-ins and fetches. Must never stand for one that keeps state in its fields.

--- What stands for the module until then, and afterwards.
---@param name string of the module
---@return table
return function(name)
  local meta = {}
  function meta.__index(module, key)
    local real = require(name)
    meta.__index = real -- also for what it does not have
    local value = real[key]
    module[key] = value
    return value
  end
  return setmetatable({}, meta)
end
