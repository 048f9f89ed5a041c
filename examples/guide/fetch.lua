-- Call your application server with fetch: it includes the Authorization header in your request, and refreshes the
-- access token when it has to.
local authgear = require "authgear"
local assert = authgear.assert -- on Lua 5.1 and 5.2 theirs says nothing of the error

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file",
})

local response = assert(authgear.fetch(os.getenv "YOUR_SERVER_URL"))
local data = assert(response:json())
print(response.status, data.hello)
