-- For programs that show web pages themselves and are called with a deep link afterwards: everything that goes through a
-- page has two halves. Here whoever runs it is the web view: open the URL that is printed, paste the one that it ends at.
local authgear = require "authgear"

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file",
})

-- Registered with the server, to the letter; your program is what the system opens for it.
local redirect_uri = os.getenv "AUTHGEAR_DEEP_LINK" or "com.example.app://callback"

local function show(request)
  print(request.url)
  io.stdout:flush()
  return io.read() or ""
end

if authgear.session_state() ~= "AUTHENTICATED" then
  local request = assert(authgear.start_authentication { redirect_uri = redirect_uri })
  local user = assert(authgear.finish_authentication(show(request)))
  print("logged in as " .. user.sub)
end

local request = assert(authgear.start_reauthentication { redirect_uri = redirect_uri })
local user = assert(authgear.finish_reauthentication(show(request)))
print("it is " .. user.sub)

request = assert(authgear.start_settings_action("change_password", { redirect_uri = redirect_uri }))
assert(authgear.finish_settings_action(show(request)))
print "the password is another one now"
