--- User info: the server's claims under names that are pleasant in Lua.
-- Must never drop a claim: everything as it came stands in `raw`.
local M = {}

local PREFIX = "https://authgear.com/claims/user/"

---@class authgear.UserInfo standard claims (OpenID Connect Core section 5.1) as they are, and
---@field sub string the user's id
---@field is_anonymous boolean|nil
---@field is_verified boolean|nil
---@field can_reauthenticate boolean|nil
---@field recovery_code_enabled boolean|nil
---@field roles string[]|nil
---@field authenticators table[]|nil
---@field identities table[]|nil
---@field custom_attributes table|nil
---@field address table|nil
---@field raw table<string, any> the claims as the server sent them
---@field partial boolean|nil true: user info could not be fetched at log-in, these are the ID token's claims

---@param claims table
---@param partial boolean|nil
---@return authgear.UserInfo
function M.of(claims, partial)
  local info = { raw = claims }
  for name, value in pairs(claims) do
    if name:sub(1, #PREFIX) == PREFIX then
      info[name:sub(#PREFIX + 1)] = value
    elseif name ~= "raw" and name ~= "partial" then
      info[name] = value
    end
  end
  if partial then
    info.partial = true
  end
  return info
end

return M
