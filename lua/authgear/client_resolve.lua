--- The client's call for those who are called: whose is this token? client.lua reads this file with its first use.
-- Must never keep state outside the client.
local clients = require "authgear.client"
local resolving = require "authgear.resolve"

---@class authgear.Client
local Client = clients.Client

--- Asks Authgear's resolver who is calling. Unlike `verify` it sees at once that a session was revoked, takes opaque tokens
--- and session cookies as well, and needs the network each time. See docs/verify.md.
---@param what string|authgear.Shown an access token, or the headers of the request that brought it
---@param options authgear.ResolveOptions|nil
---@return authgear.Claims|nil
---@return authgear.Error|nil err `invalid_token`: nobody is logged in with that (see `reason`: `session`, `missing`,
--- `malformed`); `insufficient_scope`, `insufficient_user_authentication`: not enough; and those of asking: `network`,
--- `timeout`, `server`, `invalid_response`, `invalid_url`, `insecure_url`, ...
function Client:resolve(what, options)
  local runtime = self._runtime
  if not runtime then
    return clients.not_configured(self)
  end
  return resolving.with_client(runtime, what, options)
end
