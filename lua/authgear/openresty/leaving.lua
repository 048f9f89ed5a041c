--- What is owed when a worker ends at once (TERM): the answer to a token request that was sent is waited for and stored (law 5),
-- though nginx throws all light threads away. nginx closes the Lua state then. Finalizers run newest first, so that of a guard,
-- made whenever a token request has gone out, finds everything of ours still there; it has the flow driven on from where it
-- stands, in the thread.
-- Must never call the program's code or nginx's API there, but for the shared dict: most of nginx is gone, logging crashes it,
-- and semaphores have been freed.
local core = require "authgear.core"

local PAUSE = 0.002 -- seconds between two looks at the engine

local M = {
  deadline = nil, ---@type number|nil this worker is leaving, and may take until then
}

local owed = setmetatable({}, { __mode = "k" }) -- run -> its runtime and flow, as long as it is not over
local longest = 0 -- seconds
local guard -- the newest one; those before it do nothing

local function nothing() end

-- Is it under way, and can it be driven on by our own code alone? A transport or a storage of the user's can't.
local function can_go_on(runtime, run)
  return run.sent and run.prepared and run.prepared.job and runtime.runs[run] and runtime.storage.kind ~= "custom"
end

local function go_on(runtime, flow, run)
  runtime.closed, runtime.log = true, nothing
  run.ended = nil
  require("authgear.driver").run(runtime, flow, run, true)
end

local function leave(this)
  if this ~= guard then
    return
  end
  M.deadline = core.now() + longest
  for run, what in pairs(owed) do
    if can_go_on(what.runtime, run) then
      pcall(go_on, what.runtime, what.flow, run)
    end
  end
end

--- A run has sent a token request. A machine's is not owed: the next one is as good. While the worker leaves there is no new
-- guard: LuaJIT would end it after our modules have been unloaded.
function M.owe(runtime, flow, run)
  if runtime.parent or M.deadline then
    return
  end
  owed[run] = { runtime = runtime, flow = flow }
  longest = math.max(longest, runtime.close_timeout)
  guard = newproxy(true)
  getmetatable(guard).__gc = leave
end

--- Waits a little in the thread; raises when the time is over.
---@param seconds number
function M.sleep(seconds)
  if core.now() > M.deadline then
    error("the worker has to end", 0)
  end
  core.sleep(math.min(seconds, math.max(M.deadline - core.now(), 0)))
end

--- Waits a little for news of the engine, which are nobody else's any more.
function M.await(engine)
  M.sleep(PAUSE)
  while engine:ready() do end
end

return M
