--- pcall that can be yielded across on every Lua. Lua 5.1's own cannot: there, inside a
-- coroutine, the function runs in a coroutine of its own, whose yields are passed on.
-- Must never be used around code of ours that cannot raise: it is for what users hand in.

local function yields_across_pcall()
  if rawget(_G, "jit") or _VERSION ~= "Lua 5.1" then
    return true -- not tried out: inside nginx, which has its own coroutine functions, trying would yield across require
  end
  local co = coroutine.create(function()
    return pcall(coroutine.yield)
  end)
  coroutine.resume(co)
  local resumed, ok = coroutine.resume(co)
  return resumed and ok == true
end

if yields_across_pcall() then
  return pcall
end

local outer_of = require("authgear.running").outer
local pass_on

local function after(co, ok, ...)
  if not ok then
    return false, ...
  elseif coroutine.status(co) == "dead" then
    return true, ...
  end
  return pass_on(co, coroutine.yield(...))
end

function pass_on(co, ...)
  return after(co, coroutine.resume(co, ...))
end

---@param fn function
---@return boolean ok
---@return any ... what fn returned, or what it raised
return function(fn, ...)
  local outer = coroutine.running()
  if outer == nil then
    return pcall(fn, ...)
  end
  local co = coroutine.create(fn)
  outer_of[co] = outer
  return pass_on(co, ...)
end
