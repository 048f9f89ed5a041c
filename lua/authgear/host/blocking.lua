--- The host that nobody handed in, which decides at each call: inside a task of the scheduler (authgear.async) the task
-- waits; elsewhere the thread does, and while it waits for a refresh that runs in a task, the SDK's own tasks go on.
-- Must never load the scheduler for a program that does not go asynchronous.
local core = require "authgear.core"
local current = require "authgear.current"

---@class authgear.Host
---@field sleep fun(seconds: number) lets the running task wait
---@field spawn nil|fun(fn: function) runs fn as a task of its own, which the end of its caller does not end
---@field await nil|fun(start: fun(wake: function), seconds: number|nil) calls start(wake), waits until wake is called or
--- the seconds are over; with spawn, or neither. docs/hosts.md has the whole contract
---@field blocks nil|fun(): boolean does a wait of this caller block the thread? Then what it needs runs on it
---@field engine boolean|nil requests go through the engine (host/luv.lua and the like)
---@field await_job nil|fun(engine: authgear.transport.engine, job: userdata, seconds: number|nil) of such a host: waits for
--- news of the job or until the seconds are over, and may return for no reason
---@field refuses nil|fun(): string|nil why a call made here and now can't wait at all
---@field owe nil|fun(runtime: table, flow: userdata, run: authgear.Run) a token request has gone out, of a task that is not the
--- scheduler's; such a host sees to it when the program ends
---@field status nil|fun(thread: thread): string in place of coroutine.status
local M = {}

function M.sleep(seconds)
  if current.current then
    current.sleep(seconds)
  else
    core.sleep(seconds)
  end
end

function M.spawn(fn)
  require("authgear.scheduler").spawn(fn, true)
end

local function is_woken(state)
  return state.woken
end

function M.await(start, seconds)
  if current.current then
    current.await(start, seconds)
    return
  end
  local state = { woken = false }
  start(function()
    state.woken = true
  end)
  require("authgear.scheduler").block(is_woken, state, seconds, true)
end

function M.blocks()
  return current.current == nil
end

return M
