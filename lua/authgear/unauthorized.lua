--- 401 for those who use another HTTP library: what to do about it, and a wrapper that does it.
-- Must never send anything itself but the refresh.
local check = require "authgear.check"
local dpop = require "authgear.lazy" "authgear.dpop"

local M = {}

local KNOWN = { status = "count", headers = "any", access_token = "any", url = "text" }

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
  local again
  if options.url then
    again = dpop.learn(runtime, options.url, 401, options.headers)
  end
  if again ~= nil then -- the token itself was not refused
    return again and "retry" or "return", again and client:authorization_header() or nil
  end
  local ok, err = runtime.refreshed(runtime, token)
  if not ok then
    return nil, err
  end
  local now = client._access_token
  if now and now ~= token then
    return "retry", client:authorization_header()
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

-- The headers in what a request function returned: a table's, or LuaSocket's third value.
local function headers_of(first, _, third)
  if type(first) == "table" then
    return first.headers
  end
  return type(third) == "table" and third or nil
end

-- Lua 5.1 has no table.pack; a closure keeps nils and their number as well.
local function pack(...)
  local n, list = select("#", ...), { ... }
  return function()
    return (unpack or table.unpack)(list, 1, n)
  end
end

local send

-- What comes of a request, which is sent again while that may help and there are tries left.
local function settle(wrapper, args, token, url, left, ...)
  if left == 0 or token == nil or wrapper.status(...) ~= 401 then
    return ...
  end
  local action, header = M.handle(wrapper.client, { status = 401, access_token = token, url = url,
    headers = url and wrapper.headers(...) })
  if not action then
    return nil, header
  elseif action == "retry" then
    return send(wrapper, args, left - 1)
  end
  return ...
end

function send(wrapper, args, left)
  local client = wrapper.client
  local token, header = client:access_token(), client:authorization_header()
  if not wrapper.target then
    return settle(wrapper, args, token, nil, left, wrapper.request(header, args()))
  end
  local method, url = wrapper.target(args())
  local proof, err
  if token then
    proof, err = client:dpop_proof(method, url)
    if err then
      return nil, err
    end
  end
  return settle(wrapper, args, token, url, left, wrapper.request(header, proof, args()))
end

--- See authgear.Client:wrap.
function M.wrap(client, request, options)
  check.value("wrap", 1, "request", request, "function")
  check.options("wrap", 2, options, { status = "function", target = "function", headers = "function" })
  options = options or {}
  local wrapper = { client = client, request = request, status = options.status or status_of,
    headers = options.headers or headers_of, target = options.target }
  local tries = options.target and 2 or 1 -- after the first: for a nonce, and for the token
  return function(...)
    local ok, err = client:refresh_access_token_if_needed()
    if not ok then
      return nil, err
    end
    return send(wrapper, pack(...), tries)
  end
end

return M
