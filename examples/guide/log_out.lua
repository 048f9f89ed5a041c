-- Log out: here and at the server, and in the browser too if you want that.
local authgear = require "authgear"

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file",
})

-- The browser has a session of its own, with which the next log-in may go through unasked. This page ends it. Ask for it
-- first: it says whose session is meant, and after logout nobody knows. Not every server has one.
local url, why = authgear.end_session_url()

assert(authgear.logout())
print(authgear.session_state())

-- Open it in the browser; it is for nobody else.
print(url and "and in the browser: a page at " .. url:match "^%a+://[^/]+" or why.code)
