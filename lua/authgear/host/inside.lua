--- A host of the user's own, for calls inside tasks of authgear.async too: there the scheduler waits, whatever the host is.
-- Must never change what a call outside all tasks does.
local blocking = require "authgear.host.blocking"
local current = require "authgear.current"

---@param host authgear.Host
---@return authgear.Host
return function(host)
  local M = setmetatable({}, { __index = host })

  function M.sleep(seconds)
    return (current.current and blocking or host).sleep(seconds)
  end

  function M.spawn(fn)
    return (current.current and blocking or host).spawn(fn)
  end

  function M.await(start, seconds)
    return (not current.current and host.await or blocking.await)(start, seconds)
  end

  function M.blocks()
    return not current.current and (host.spawn == nil or (host.blocks ~= nil and host.blocks()))
  end

  return M
end
