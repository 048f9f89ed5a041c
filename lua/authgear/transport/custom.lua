--- Makes a transport of the user's own HTTP client: `wrap` turns the friendly shape below into the one the
-- driver calls, and lets nothing through that the core would stumble over.
-- Must never put into an error what the client raised or said, unless no token can be in it.
local protect = require "authgear.protect"

local MAX_SOURCE = 64 * 1024 * 1024 -- bytes of a request body that has to be collected

-- The codes a transport may answer with; any other becomes `network`.
local CODES = { network = true, dns = true, tls = true, timeout = true, cancelled = true, too_large = true,
  invalid_response = true, invalid_url = true, invalid_argument = true, insecure_url = true, memory = true,
  closed = true, host = true, user_code = true }
local RETRYABLE = { network = true, dns = true, timeout = true, memory = true }

---@class authgear.custom_request what the user's client gets
---@field method string
---@field url string
---@field headers table<string, string|string[]> a name that comes twice has a list
---@field body string|nil
---@field timeout number|nil seconds, for everything
---@field connect_timeout number|nil seconds
---@field max_body integer|nil bytes; a longer answer is refused
---@field fresh boolean true: must not go out twice, nor on a connection that has been used
---@field cancelled nil|fun(): boolean may be asked while waiting

---@class authgear.custom_response what it gives back
---@field status integer 200 to 599
---@field headers table<string, string|string[]>|string|nil names in any case, or the raw block
---@field body string|nil decompressed
---@field http_version string|nil

local function fail(code, message, retryable, sent)
  if retryable == nil then
    retryable = RETRYABLE[code] or false
  end
  return nil, code, message, retryable, sent ~= false
end

local function invalid(message)
  return fail("invalid_response", "the transport's response: " .. message)
end

-- A text of somebody else's, with everything masked that is not plain words.
local function plain(text)
  local out = text:sub(1, 120):gsub("%S+", function(word)
    local core = word:gsub("[%.,:;!]$", "")
    if core:find("^%u?%l*$") and #core <= 16 or #word <= 3 then
      return word
    end
    return "***"
  end)
  return (out:gsub("%s+", " "))
end

-- "Name: value\r\n" repeated, as a table; a repeated name gets a list.
local function to_table(block)
  local out, spelled = {}, {}
  for name, value in (block or ""):gmatch("([^:\r\n]+):[ \t]*([^\r\n]*)\r\n") do
    local key = spelled[name:lower()]
    if not key then
      spelled[name:lower()], out[name] = name, value
    elseif type(out[key]) == "table" then
      table.insert(out[key], value)
    else
      out[key] = { out[key], value }
    end
  end
  return out
end

local function add_line(lines, name, value)
  if type(value) == "number" then
    value = tostring(value)
  end
  if type(name) ~= "string" or not name:find("^[%w!#$%%&'*+%-.^_`|~]+$") then
    return "a header name is malformed"
  elseif type(value) ~= "string" or value:gsub("\t", ""):find("%c") then
    return "a header value is not a string without control characters"
  end
  lines[#lines + 1] = name .. ": " .. value .. "\r\n"
end

local function table_to_block(headers)
  local lines = {}
  for name, value in pairs(headers) do
    local list = type(value) == "table" and value or { value }
    for _, v in ipairs(list) do
      local bad = add_line(lines, name, v)
      if bad then
        return nil, bad
      end
    end
  end
  table.sort(lines)
  return table.concat(lines)
end

-- Line ends of either kind, a status line and the empty line at the end are forgiven.
local function text_to_block(text)
  local lines = {}
  text = text:gsub("^HTTP/[^\n]*\n", "") .. "\n"
  for line in text:gmatch("([^\n]*)\n") do
    line = line:gsub("\r$", "")
    if line ~= "" then
      local name, value = line:match("^([^:]+):[ \t]*(.-)[ \t]*$")
      local bad = add_line(lines, name, value)
      if bad then
        return nil, bad
      end
    end
  end
  return table.concat(lines)
end

local function to_block(headers)
  if headers == nil then
    return ""
  elseif type(headers) == "string" then
    return text_to_block(headers)
  elseif type(headers) == "table" then
    return table_to_block(headers)
  end
  return nil, "headers is a " .. type(headers)
end

-- What the client answered, in the port's shape.
local function to_response(answer, max_body)
  local status = answer.status
  if type(status) ~= "number" or status ~= math.floor(status) or status < 200 or status > 599 then
    return invalid("status is not an integer from 200 to 599")
  end
  if answer.body ~= nil and type(answer.body) ~= "string" then
    return invalid("body is a " .. type(answer.body))
  end
  if max_body and #(answer.body or "") > max_body then
    return fail("too_large", "the body of the answer is over the limit")
  end
  local block, bad = to_block(answer.headers)
  if not block then
    return invalid(bad)
  end
  local version = answer.http_version
  return { status = math.floor(status), headers = block, body = answer.body or "",
    http_version = type(version) == "string" and version or nil }
end

local function to_error(err)
  if type(err) == "table" then
    local code = CODES[err.code] and err.code or "network"
    local retryable = err.retryable
    if type(retryable) ~= "boolean" then
      retryable = nil
    end
    local sent = err.sent ~= false and code ~= "dns" -- what could not be looked up was not sent
    return fail(code, type(err.message) == "string" and err.message or "the transport failed", retryable, sent)
  elseif type(err) == "string" then
    local code = err:lower():find("timed? ?out") and "timeout" or "network"
    return fail(code, "the transport failed: " .. plain(err))
  end
  return fail("network", "the transport failed")
end

-- The whole body: a client of this shape takes it in one piece.
local function collect(source)
  local parts, size = {}, 0
  while true do
    local bytes, why = source()
    if bytes == nil then
      if why ~= nil then
        return nil, "user_code", "the source of the body failed"
      end
      return table.concat(parts)
    elseif type(bytes) ~= "string" then
      return nil, "user_code", "the source of the body gave a " .. type(bytes) .. " instead of a string"
    end
    size = size + #bytes
    if size > MAX_SOURCE then
      return nil, "too_large", "the body is too large for a transport that can't stream"
    end
    parts[#parts + 1] = bytes
  end
end

local function deliver(req, res)
  if not req.sink or (req.accept and not req.accept(res.status, res.headers)) then
    return res
  end
  if res.body ~= "" then
    local ok, why = req.sink(res.body)
    if ok == false or (ok == nil and why ~= nil) then
      return fail("user_code", "the sink refused a piece of the body")
    end
  end
  res.body = nil
  return res
end

---@class authgear.transport.custom : authgear.transport
local Transport = {}
Transport.__index = Transport

local function call(self, request)
  local user = self.user
  if type(user) == "function" then
    return protect(user, request)
  end
  return protect(user.send, user, request)
end

local function to_request(req, body)
  return { method = req.method, url = req.url, headers = to_table(req.headers), body = body, timeout = req.timeout,
    connect_timeout = req.connect_timeout, max_body = req.max_body, fresh = req.fresh == true,
    cancelled = req.cancelled }
end

local function answered(req, ok, answer, err)
  if not ok then
    return fail("user_code", "the transport raised an error (a " .. type(answer) .. ")")
  elseif answer == nil or answer == false then
    return to_error(err)
  elseif type(answer) ~= "table" then
    return invalid("it is a " .. type(answer) .. ", not a table")
  end
  local res, code, message, retryable, sent = to_response(answer, req.max_body)
  if not res then
    return res, code, message, retryable, sent
  end
  return deliver(req, res)
end

--- As authgear.transport.curl's; `sent` is true with an error unless it says otherwise, since nobody knows.
---@param req authgear.transport.request
---@return authgear.transport.response|nil res
---@return string|nil code
---@return string|nil message
---@return boolean|nil retryable
---@return boolean|nil sent
function Transport:send(req)
  if req.cancelled and req.cancelled() then
    return nil, "cancelled", "the request was cancelled", false, false
  end
  local body = req.body
  if req.source then
    local code, message
    body, code, message = collect(req.source)
    if not body then
      return nil, code, message, false, false
    end
    if req.source_length and #body ~= req.source_length then
      return nil, "user_code", "the body is not as long as was said", false, false
    end
  end
  return answered(req, call(self, to_request(req, body)))
end

---@class authgear.transport.custom.prepared : authgear.transport.prepared
local Prepared = {}
Prepared.__index = Prepared

-- Sends once. What the client gave is kept as it came, first of all: an error that is raised meanwhile (a Ctrl-C)
-- must find as little room as possible between the client's end and here.
function Prepared:perform()
  if not self.begun then
    self.begun = true
    self.ok, self.answer, self.err = call(self.transport, self.request)
    self.over = true
  end
end

function Prepared:result()
  if not self.over and self.answer == nil then
    return fail("network", "the request was interrupted before its answer was there")
  end
  return answered(self.req, not self.over or self.ok, self.answer, self.err)
end

--- As authgear.transport.curl's.
---@param req authgear.transport.request without source and sink
---@return authgear.transport.prepared prepared
function Transport:prepare(req)
  return setmetatable({ transport = self, req = req, request = to_request(req, req.body) }, Prepared)
end

--- Calls the client's own close, if it has one.
function Transport:close()
  if type(self.user) == "table" and type(self.user.close) == "function" then
    protect(self.user.close, self.user)
  end
end

local M = {}

--- A transport of the user's own HTTP client.
---@param user table|function a table with send(self, request), or a function(request); gives an
--- authgear.custom_response, or nil and a message or an error table (code, message, retryable)
---@return authgear.transport.custom
function M.wrap(user)
  if type(user) ~= "function" and not (type(user) == "table" and type(user.send) == "function") then
    error("transport must be a function or a table with a function 'send'", 2)
  end
  return setmetatable({ user = user }, Transport)
end

return M
