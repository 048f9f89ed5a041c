--- pcall that user code can be yielded across: authgear.protect's where Lua 5.1's own can't.
local has, protect = pcall(require, "authgear.protect")
if has and type(protect) == "function" then
  return protect
end
return pcall
