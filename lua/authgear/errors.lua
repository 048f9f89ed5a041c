--- Error objects: what every call returns after nil when something went wrong at run time.
-- Must never hold a token, code, verifier, secret, or a URL with its query.
local core = require "authgear.core"

---@class authgear.Error
---@field code string stable; docs/errors.md lists them all
---@field message string for people
---@field retryable boolean may the same call succeed later, with nothing changed?
---@field status integer|nil HTTP status of the answer
---@field oauth_error string|nil `error` of an OAuth error answer (RFC 6749 section 5.2)
---@field oauth_error_description string|nil
---@field retry_after number|nil seconds the server asked to wait
---@field reason string|nil what exactly is wrong with a token that was verified: docs/verify.md lists the words
---@field cause any what a user's own function raised or returned
---@field traceback string|nil of a task that raised, for people
local Error = {}
Error.__index = Error

function Error:__tostring()
  local text = self.code .. ": " .. self.message
  if self.oauth_error then
    text = text .. " (" .. self.oauth_error
    if self.oauth_error_description then
      text = text .. ": " .. self.oauth_error_description
    end
    text = text .. ")"
  end
  return text
end

local M = {}

--- Makes an error. `retryable` nil: as usual for the code.
---@param code string
---@param message string
---@param retryable boolean|nil
---@return authgear.Error
function M.new(code, message, retryable)
  if retryable == nil then
    retryable = core.retryable(code) or false
  end
  return setmetatable({ code = code, message = message, retryable = retryable }, Error)
end

--- The error of a flow that failed.
---@return authgear.Error
function M.of_flow(flow)
  local code, message, retryable, status, oauth_error, description, retry_after = core.error(flow)
  return setmetatable({
    code = code, message = message, retryable = retryable, status = status, oauth_error = oauth_error,
    oauth_error_description = description, retry_after = retry_after,
  }, Error)
end

--- Turns `nil, code, message, retryable` of the C modules into `nil, err`; anything else passes.
function M.pass(value, code, message, retryable)
  if value == nil and code ~= nil then
    return nil, M.new(code, message or "", retryable)
  end
  return value
end

function M.is(value)
  return getmetatable(value) == Error
end

return M
