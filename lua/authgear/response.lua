--- Responses of fetch. Must never hold on to the client.
local core = require "authgear.core"
local errors = require "authgear.errors"

---@class authgear.Response
---@field status integer
---@field ok boolean status from 200 to 299
---@field headers table<string, string> names in any case; repeated headers joined with ", " (Set-Cookie: line feeds)
---@field body string|nil nil when it went to the sink
---@field url string of the last hop, without fragment
---@field http_version string|nil "1.1", "2", ...
local Response = {}

local Headers = {}

function Headers.__index(headers, name)
  if type(name) ~= "string" then
    return nil
  end
  local lower = name:lower()
  if lower ~= name then
    return rawget(headers, lower)
  end
end

local methods = {}

--- The body as a Lua value. With the `json` option of configure, by that decoder (integers over 2^53, say).
---@return any value JSON's null is authgear.null
---@return authgear.Error|nil err code `json`, `user_code`
function methods:json()
  local decode = rawget(self, "_decode")
  if decode then
    local ok, value, why = pcall(decode, self.body or "")
    if not ok or (value == nil and why ~= nil) then
      local err = errors.new("json", "the body could not be decoded")
      err.cause = ok and why or value
      return nil, err
    end
    return value
  end
  return errors.pass(core.json_decode(self.body or ""))
end

function Response.__index(response, key)
  if key == "ok" then
    return response.status >= 200 and response.status <= 299
  elseif key == "headers" then
    local headers = setmetatable(core.headers(rawget(response, "_block")), Headers)
    rawset(response, "headers", headers)
    return headers
  end
  return methods[key]
end

function Response:__tostring()
  return "authgear.Response " .. self.status
end

local M = {}

--- Makes a response of what a transport's `exchange` gave.
---@return authgear.Response
function M.new(status, headers, body, http_version, url, decode)
  return setmetatable({ status = status, body = body, http_version = http_version, url = url, _block = headers,
    _decode = decode }, Response)
end

--- Makes the answer of a transport the caller's response (the same table).
---@return authgear.Response
function M.of(answer, url, decode)
  answer._block = answer.headers
  answer.headers = nil
  answer.url = url
  answer._decode = decode
  return setmetatable(answer, Response)
end

return M
