-- Let the user change something about the account: one page of the server's, and back; or all of its settings.
local authgear = require "authgear"

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file",
})

local redirect_uris = { os.getenv "AUTHGEAR_REDIRECT_URI" or "http://127.0.0.1:8989/callback" }

local ok, err = authgear.change_password { redirect_uris = redirect_uris }
if ok then
  print "the password is another one now"
elseif err.oauth_error == "access_denied" then
  print "the user changed their mind"
else
  error(err)
end

-- All settings: the browser opens, logged in; nothing comes back.
assert(authgear.open "settings")

-- Or any one page of them; or a URL for a web view of your own, which logs in whoever opens it, once.
assert(authgear.open_url(os.getenv "AUTHGEAR_ENDPOINT" .. "/settings/mfa"))
local url = assert(authgear.make_page_url("identities", { color_scheme = "dark" }))
print("a page at " .. url:match "^%a+://[^/]+")

-- When the account is deleted nobody is logged in any more.
assert(authgear.delete_account { redirect_uris = redirect_uris })
print(authgear.session_state())
