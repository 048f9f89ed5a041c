-- Binds the session to a key of this device's (DPoP, RFC 9449), and shows the key to your application server: with fetch, which does
-- it by itself, and with LuaSocket. Where access tokens are not bound (Authgear) the proof is nil, and nothing else changes.
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
print("fetch", assert(authgear.fetch(url)).status)

local get = authgear.wrap(function(authorization, proof, target)
  return http.request { url = target, headers = { authorization = authorization, dpop = proof } }
end, { target = function(target) return "GET", target end })
print("LuaSocket", select(2, get(url)), authgear.authorization_header():match "^%a+")
