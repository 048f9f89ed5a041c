--- The client's calls for users without an account; client.lua reads this file with the first of them.
-- Must never keep state outside the client.
local anonymous = require "authgear.anonymous"
local clients = require "authgear.client"

---@class authgear.Client
local Client = clients.Client

--- Logs a user in without an account. With a device key, which is made with the first call and kept in the client's
--- storage, the same user comes back after a log-out too; without, as long as the session is stored. See docs/anonymous.md.
---@param options authgear.AnonymousOptions|nil
---@return authgear.UserInfo|nil
---@return authgear.Error|nil err `network`, `timeout`, `oauth`, `server`, `storage`, `storage_damaged`, `lock_timeout`, `random`, ...
function Client:authenticate_anonymously(options)
  local runtime = self._runtime
  if not runtime then
    return clients.not_configured(self)
  end
  return anonymous.authenticate(runtime, options)
end

--- Makes the anonymous user who is logged in one with an account, in the system's browser as authenticate does. The user
--- stays the same (`sub`); the device key is deleted with the storing of the new session.
---@param options authgear.PromotionOptions
---@return authgear.UserInfo|nil
---@return authgear.Error|nil err `not_anonymous`, `no_session`, `promotion_conflict` (an account that exists already was
--- chosen: the anonymous session lives on), and those of authenticate
function Client:promote_anonymous_user(options)
  local runtime = self._runtime
  if not runtime then
    return clients.not_configured(self)
  end
  return anonymous.promote(runtime, options)
end

--- The first half of promote_anonymous_user, for hosts that show the page themselves: as start_authentication.
---@param options authgear.PromotionRequest redirect_uri is needed
---@return { url: string, state: string, redirect_uri: string }|nil
---@return authgear.Error|nil err
function Client:start_promotion(options)
  local runtime = self._runtime
  if not runtime then
    return clients.not_configured(self)
  end
  return anonymous.start_promotion(runtime, options)
end

--- The second half: as finish_authentication.
---@param callback_url string the whole URL that the server redirected to
---@return authgear.UserInfo|nil
---@return authgear.Error|nil err as promote_anonymous_user; `no_login`: none was started here
function Client:finish_promotion(callback_url)
  local runtime = self._runtime
  if not runtime then
    return clients.not_configured(self)
  end
  return anonymous.finish_promotion(runtime, callback_url)
end
