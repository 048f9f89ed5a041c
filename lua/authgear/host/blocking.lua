--- The host of programs that may block: waiting is sleeping. It has no `spawn` and no `await`, since
-- nothing else runs while a call is under way. Must never be used where a thread serves others.
local core = require "authgear.core"

---@class authgear.Host
---@field sleep fun(seconds: number) lets the running task wait
---@field spawn nil|fun(fn: function) runs fn as a task of its own, which the end of its caller does not end
---@field await nil|fun(start: fun(wake: function), seconds: number|nil) calls start(wake), waits until wake is called or
--- the seconds are over; with spawn, or neither. docs/hosts.md has the whole contract
return { sleep = core.sleep }
