--- The client's call for proofs of possession, for those who use another HTTP library; client.lua reads this file with the
-- first of them. Must never keep state outside the client.
local clients = require "authgear.client"
local dpop = require "authgear.dpop"

---@class authgear.Client
local Client = clients.Client

--- A proof of possession (RFC 9449) for one request with the access token, to be sent as its DPoP header: a new one for each
--- request and each try. nil, and no error, where the token needs none (its header begins with "Bearer"). See docs/dpop.md.
---@param method string
---@param url string absolute
---@return string|nil
---@return authgear.Error|nil err `dpop_key`, `invalid_url`, `invalid_argument`, ...
function Client:dpop_proof(method, url)
  local runtime = self._runtime
  if not runtime then
    return clients.not_configured(self)
  end
  return dpop.proof(runtime, method, url)
end
