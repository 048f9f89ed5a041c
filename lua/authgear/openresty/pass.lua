--- Passing a request on to an upstream server with the token of a session, or of a machine, that the gateway holds: a token
-- that the upstream refuses is replaced once, and the request sent again.
-- Must never let the caller choose what stands in the Authorization header, nor hand the token back.
local check = require "authgear.check"
local errors = require "authgear.errors"
local json = require("authgear.core").json_encode

local M = {}

-- For one connection only (RFC 9110 section 7.6.1), or ours to set.
local NOT_PASSED = {
  connection = true, ["keep-alive"] = true, ["proxy-authenticate"] = true, ["proxy-authorization"] = true,
  ["proxy-connection"] = true, te = true, trailer = true, ["transfer-encoding"] = true, upgrade = true,
  ["content-length"] = true, authorization = true, host = true, expect = true,
  ["accept-encoding"] = true, -- fetch asks for what it can decompress
}

local STATUS = { timeout = 504, lock_timeout = 503, rate_limited = 503, storage = 503, memory = 503, too_large = 502 }

local KNOWN = { to = "text", path = "text", headers = "table", cookies = "boolean", timeout = "seconds",
  max_body = "count" }

---@class authgear.PassOptions
---@field to string the upstream: scheme, host and, if the path has one, what stands before it ("https://api.example.com")
---@field path string|nil path and query ("/...", the caller's)
---@field headers table<string, string>|nil put in the place of the caller's
---@field cookies boolean|nil pass cookies on, in both directions (false)
---@field timeout number|nil seconds for all of it (the client's)
---@field max_body integer|nil bytes of the answer

-- The names in a Connection header are for that connection too.
local function named_in(connection, out)
  for _, line in ipairs(type(connection) == "table" and connection or { connection }) do
    for name in line:gmatch "[^,%s]+" do
      out[name:lower()] = true
    end
  end
  return out
end

local function request_headers(options)
  local given, out, own = ngx.req.get_headers(0, true), {}, {}
  for name in pairs(options.headers or {}) do
    own[name:lower()] = true
  end
  local dropped = named_in(given.Connection or given.connection, {})
  for name, value in pairs(given) do
    local lower = name:lower()
    if not (NOT_PASSED[lower] or dropped[lower] or own[lower] or (lower == "cookie" and not options.cookies)) then
      out[name] = value == true and "" or value
    end
  end
  local var = ngx.var
  out["X-Forwarded-For"] = var.proxy_add_x_forwarded_for or var.remote_addr
  out["X-Forwarded-Proto"], out["X-Forwarded-Host"] = var.scheme, var.http_host
  for name, value in pairs(options.headers or {}) do
    out[name] = value
  end
  return out
end

-- As a string, also when nginx has put it into a file: it may have to be sent twice.
local function request_body()
  ngx.req.read_body()
  local body, path = ngx.req.get_body_data(), ngx.req.get_body_file()
  if body or not path then
    return body
  end
  local file, why = io.open(path, "rb")
  if not file then
    return nil, why
  end
  body = file:read "*a"
  file:close()
  return body
end

-- Status and headers, before the first piece of the body.
local function send_head(response, options)
  ngx.status = response.status
  local lines = rawget(response, "_block")
  local dropped = named_in(response.headers.connection, { ["content-encoding"] = true })
  local all, spelled = {}, {}
  for name, value in lines:gmatch "([^:\r\n]+):[ \t]*([^\r\n]*)\r\n" do
    local lower = name:lower()
    local list = spelled[lower]
    if list then
      list[#list + 1] = value
    elseif not (NOT_PASSED[lower] or dropped[lower] or (lower == "set-cookie" and not options.cookies)) then
      list = { value }
      spelled[lower], all[name] = list, list
    end
  end
  for name, list in pairs(all) do
    ngx.header[name] = #list == 1 and list[1] or list
  end
  if response.headers["content-length"] and not response.headers["content-encoding"] then
    ngx.header["Content-Length"] = response.headers["content-length"]
  end
end

local function refuse(err)
  ngx.log(ngx.ERR, "authgear: not passed on: ", tostring(err))
  if ngx.headers_sent then
    return ngx.exit(ngx.ERROR) -- the caller must see that something is missing
  end
  ngx.status = STATUS[err.code] or 502
  ngx.header["Content-Type"], ngx.header["Content-Length"] = "application/json", nil
  ngx.say((json { error = err.code }))
end

local function to_url(options)
  local path = options.path or ngx.var.request_uri
  if path:sub(1, 1) ~= "/" then
    return nil
  end
  return options.to .. path
end

--- See authgear.openresty.pass.
function M.pass(client, options)
  check.options("pass", 2, options, KNOWN, { "to" })
  if options.to:sub(-1) == "/" then
    check.fail("pass", 2, "option 'to' must not end with a slash: the path begins with one")
  end
  local url = to_url(options)
  if not url then
    return ngx.exit(400)
  end
  local body, why = request_body()
  if why then
    local err = errors.new("host", "the request's body could not be read back from nginx's file")
    refuse(err)
    return nil, err
  end
  local begun, gone = false, false
  local response, err = client:fetch(url, {
    method = ngx.req.get_method(), headers = request_headers(options), body = body, max_redirects = 0,
    timeout = options.timeout, max_body = options.max_body,
    sink = function(piece, head)
      if not begun then
        begun = true
        send_head(head, options)
      end
      ngx.print(piece)
      gone = not ngx.flush(true) -- waits until the caller has taken it
      return not gone
    end,
  })
  if not response then
    if not gone then
      refuse(err)
    end
    return nil, err
  elseif not begun then
    send_head(response, options)
    ngx.print(response.body or "")
  end
  return response
end

return M
