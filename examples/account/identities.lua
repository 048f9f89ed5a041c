-- What the user logs in with: email addresses, phone numbers, user names, accounts at other providers. Each call opens
-- one page of the server's, and comes back when the user is done there; take the ones that you need.
local authgear = require "authgear"

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file",
})

local function about(options)
  options.redirect_uris = { os.getenv "AUTHGEAR_REDIRECT_URI" or "http://127.0.0.1:8989/callback" }
  return options
end

local function say(what, ok, err)
  if ok then
    print(what)
  elseif err.oauth_error == "access_denied" then
    print("not " .. what .. ": the user changed their mind")
  else
    error(err)
  end
end

say("an address more", authgear.add_email(about { login_id = "me@example.com" }))
say("another address instead", authgear.change_email(about { login_id = "me@example.com" }))
say("a number more", authgear.add_phone(about { login_id = "+85251000000" }))
say("another number instead", authgear.change_phone(about { login_id = "+85251000000" }))
say("a name more", authgear.add_username(about { login_id = "me" }))
say("another name instead", authgear.change_username(about { login_id = "me" }))

-- The provider's alias is the one in your project's settings.
say("linked", authgear.link_oauth(about { oauth_provider_alias = "google" }))
say("not linked any more", authgear.unlink_oauth(about { oauth_provider_alias = "google" }))
