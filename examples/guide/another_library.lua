-- Send requests with another HTTP library (LuaSocket here), and have the SDK say what to do about a 401. This is what wrap
-- does by itself (authorization_header.lua), for libraries that it does not fit.
local authgear = require "authgear"
local http = require "socket.http"

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file",
})

local function send(url, authorization)
  local _, status = http.request { url = url, headers = { Authorization = authorization } }
  return status
end

local function request(url)
  assert(authgear.refresh_access_token_if_needed())
  local sent = authgear.access_token()
  local status = send(url, authgear.authorization_header())
  if status ~= 401 then
    return status
  end

  -- "retry": there is a new token, send it once more; "return": a new one would not help; nil: the refresh failed.
  local action, header = authgear.handle_unauthorized { status = status, access_token = sent }
  if action == "retry" then
    print "once more, with a new token"
    return send(url, header)
  end
  return status
end

print(request(os.getenv "YOUR_SERVER_URL"))
print(authgear.session_state())
