-- Open a web application of the same project, logged in as the user is here. The log-in has to have been made with
-- pre_authenticated_url_enabled.
local authgear = require "authgear"

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file",
  pre_authenticated_url_enabled = true,
})

local redirect_uri = os.getenv "AUTHGEAR_REDIRECT_URI" or "http://127.0.0.1:8989/callback"
if authgear.session_state() ~= "AUTHENTICATED" then
  assert(authgear.authenticate { redirect_uris = { redirect_uri } })
end

local url = assert(authgear.make_pre_authenticated_url {
  web_application_client_id = os.getenv "WEB_CLIENT_ID",
  web_application_uri = os.getenv "WEB_URL",
})

-- It logs in whoever opens it, once: hand it to the browser or the web view, and to nobody else.
print("a URL at " .. url:match "^%a+://[^/]+")
