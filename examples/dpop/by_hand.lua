-- Requests with a bound access token (DPoP) and another HTTP library, in your own words; wrap (bound.lua) does the same.
local authgear = require "authgear"
local http = require "socket.http"

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  scopes = { "openid", "offline_access" },
  storage = "file",
  dpop = true,
})

if authgear.session_state() ~= "AUTHENTICATED" then
  assert(authgear.authenticate { redirect_uri = os.getenv "AUTHGEAR_REDIRECT_URI", prompt = "consent" })
end

local url = os.getenv "YOUR_SERVER_URL"

-- A proof is good for one try. Where the token is not bound it is nil, without an error, and no header is sent.
local function send(authorization)
  local proof, err = authgear.dpop_proof("GET", url)
  assert(not err, err)
  local _, status, headers = http.request { url = url, headers = { authorization = authorization, dpop = proof } }
  return status, headers
end

assert(authgear.refresh_access_token_if_needed())
local status, headers = send(authgear.authorization_header())
if status == 401 then
  -- With url and headers it learns the nonce that the server wants to see in proofs.
  local action, header = authgear.handle_unauthorized { status = status, url = url, headers = headers }
  if action == "retry" then
    status = send(header)
  end
end
print(status)
