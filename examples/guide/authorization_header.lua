-- Use another HTTP library (LuaSocket here) and add the access token to its requests yourself.
local authgear = require "authgear"
local http = require "socket.http"

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file",
})

-- Call this every time before you use the access token. It makes a network call only if the token has expired.
assert(authgear.refresh_access_token_if_needed())

-- The access token is ready to use: a string, or nil if nobody is logged in or the session is invalid.
local access_token = authgear.access_token()

local headers = {}
if access_token then
  headers.Authorization = "Bearer " .. access_token
end

local _, status = http.request { url = os.getenv "YOUR_SERVER_URL", headers = headers }
print(status)

-- Or leave all of that, and what to do about a 401, to a wrapper.
local request = authgear.wrap(function(authorization, url)
  return http.request { url = url, headers = { Authorization = authorization } }
end)
_, status = request(os.getenv "YOUR_SERVER_URL")
print(status)
