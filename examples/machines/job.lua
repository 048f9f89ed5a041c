-- A program without a user (a nightly job, a gateway) calls an API with a token of its own. Give it the client's secret
-- through the environment, never in the source.
local authgear = require "authgear"

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  client_secret = os.getenv "AUTHGEAR_CLIENT_SECRET",
  storage = "file", -- the next run uses the token that this one got, as long as it lasts
})

local machine = assert(authgear.client_credentials { resource = os.getenv "YOUR_RESOURCE" })
local response = assert(machine:fetch(os.getenv "YOUR_SERVER_URL"))
print(response.status, assert(response:json()).hello)
