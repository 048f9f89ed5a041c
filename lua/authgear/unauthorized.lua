--- 401 for those who use another HTTP library: what to do about it, and a wrapper that does it.
-- Must never send anything itself but the refresh.
local check = require "authgear.check"

local M = {}

local KNOWN = { status = "count", headers = "any", access_token = "any" }

--- See authgear.Client:handle_unauthorized.
function M.handle(client, options)
  check.options("handle_unauthorized", 1, options, KNOWN, { "status" })
  local token = options.access_token
  if token ~= nil and type(token) ~= "string" then
    check.fail("handle_unauthorized", 1, "option 'access_token' must be a string, got " .. type(token))
  end
  if options.status ~= 401 then
    return "return"
  end
  local runtime = client._runtime
  token = token or client._access_token
  if not token then
    return "return"
  end
  local flow, err = runtime.refresh(runtime, token)
  if not flow then
    return nil, err
  end
  err = runtime.failure(flow)
  if err then
    return nil, err
  end
  local now = client._access_token
  if now and now ~= token then
    return "retry", "Bearer " .. now
  end
  return "return"
end

-- The status in what a request function returned: a table's status, or LuaSocket's second value.
local function status_of(first, second)
  if type(first) == "table" then
    return first.status or first.status_code or first.code
  end
  return type(second) == "number" and second or (type(first) == "number" and first) or nil
end

local function replay_if_refused(client, request, status, args, token, ...)
  if status(...) ~= 401 or token == nil then
    return ...
  end
  local action, header = M.handle(client, { status = 401, access_token = token })
  if not action then
    return nil, header
  elseif action == "retry" then
    return request(header, args())
  end
  return ...
end

-- Lua 5.1 has no table.pack; a closure keeps nils and their number as well.
local function pack(...)
  local n, list = select("#", ...), { ... }
  return function()
    return (unpack or table.unpack)(list, 1, n)
  end
end

--- See authgear.Client:wrap.
function M.wrap(client, request, options)
  check.value("wrap", 1, "request", request, "function")
  check.options("wrap", 2, options, { status = "function" })
  local status = options and options.status or status_of
  return function(...)
    local ok, err = client:refresh_access_token_if_needed()
    if not ok then
      return nil, err
    end
    local token = client:access_token()
    return replay_if_refused(client, request, status, pack(...), token, request(token and "Bearer " .. token, ...))
  end
end


return M
