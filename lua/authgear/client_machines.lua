--- The client's calls for programs without a user; client.lua reads this file with the first of them.
-- Must never keep state outside the client.
local clients = require "authgear.client"
local machines = require "authgear.machine"

---@class authgear.Client
local Client = clients.Client

--- Asks for tokens for the program itself, without a user (RFC 6749 section 4.4), with the client's id and secret. What
--- comes back has a fresh token; it is kept, so this may be called as often as wanted. See docs/machines.md.
---@param options authgear.MachineOptions
---@return authgear.Machine|nil
---@return authgear.Error|nil err `oauth` (see `oauth_error`: `invalid_target`, `invalid_scope`, `invalid_client` ...), `network`,
--- `timeout`, `server`, `rate_limited`, `discovery`, `invalid_response`, ...
function Client:client_credentials(options)
  local runtime = self._runtime
  if not runtime then
    return clients.not_configured(self)
  end
  return machines.get(runtime, options)
end
