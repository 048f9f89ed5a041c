--- Moves a transfer that takes several steps to its end: what user code does (sink, source, accept, cancelled) is called
-- from here, never from inside libcurl, so it may yield, raise, or close the transport. The same for transfers on the
-- calling thread and for the engine's jobs.
-- Must never be needed for a request without functions of the caller's that is answered at once.
local current = require "authgear.current"
local protect = require "authgear.protect"

local M = {}

function M.is_cancelled(req)
  return current.is_cancelled() or (req.cancelled and req.cancelled())
end

-- The answers to what a transfer says. Each gives nil to go on, or code and message.
local on = {}

function on.headers(t, req, status, block)
  if req.accept == nil or req.accept(status, block) then
    t:accept("stream")
  else
    t:accept("collect")
  end
end

function on.chunk(_, req, bytes)
  local ok, why = req.sink(bytes)
  if ok == false or (ok == nil and why ~= nil) then
    return "user_code", "the sink refused a piece of the body"
  end
end

-- The next piece of the request's body: true and a string or nil (its end), or nil, code and message.
local function pull(req)
  local bytes, why = req.source()
  if bytes == nil and why ~= nil then
    return nil, "user_code", "the source of the body failed"
  elseif bytes ~= nil and type(bytes) ~= "string" then
    return nil, "user_code", "the source of the body gave a " .. type(bytes) .. " instead of a string"
  end
  return true, bytes
end

-- libcurl stops asking once it has as many bytes as were said: it is seen here that there are no more.
local function check_end(req)
  local ok, bytes, message
  repeat
    ok, bytes, message = pull(req)
  until bytes ~= ""
  if ok and bytes then
    return "user_code", "the body is not as long as was said"
  end
  return bytes, message
end

function on.need(t, req, _, _, progress)
  local ok, bytes, message = pull(req)
  if not ok then
    return bytes, message
  end
  t:feed(bytes)
  progress.fed = progress.fed + #(bytes or "")
  if bytes and progress.fed == req.source_length then
    return check_end(req)
  end
end

-- Moves t to its end. Returns what send returns. wait(t, req, waiter): what to do when there is nothing new, if anything.
local function drive(t, req, seconds, wait, waiter)
  local progress = { fed = 0 }
  while true do
    if M.is_cancelled(req) then
      return nil, "cancelled", "the request was cancelled", false, true
    end
    local event, a, b, c, d = t:step(seconds)
    if event == "done" then
      return t:result()
    elseif event == "error" then
      return nil, a, b, c, d
    elseif event ~= "wait" then
      local code, message = on[event](t, req, a, b, progress)
      if code then
        return nil, code, message, false, true
      end
    elseif wait then
      wait(t, req, waiter)
    end
  end
end

local function finish(t, ok, ...)
  t:close()
  if not ok then
    error((...), 0)
  end
  return ...
end

--- Moves a transfer to its end and closes it, whatever happens; what user code raises goes on to the caller.
---@param t userdata a transfer, or a job of the engine
---@param req authgear.transport.request
---@param seconds number|nil that one step may wait
---@param wait nil|fun(t: userdata, req: table, waiter: any)
---@return authgear.transport.response|nil res
---@return string|nil code
---@return string|nil message
---@return boolean|nil retryable
---@return boolean|nil sent
function M.run(t, req, seconds, wait, waiter)
  return finish(t, protect(drive, t, req, seconds, wait, waiter))
end

return M
