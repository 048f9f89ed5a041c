-- Configure the SDK. No network call is made. You can configure as often as you like; once is enough.
local authgear = require "authgear"

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file", -- keeps the user logged in when the program ends; without it the session ends with the program
})

print("configured, session state is " .. authgear.session_state())
