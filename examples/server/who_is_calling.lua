-- The other side: your server got a request with an Authorization header (here: a line of its standard input). Who is it?
-- In nginx, protect{} does all of this: docs/protect.md.
local authgear = require "authgear"

local client = assert(authgear.new {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
})

-- What to answer whom they refuse; with any other code nothing is known about the caller, as when there is no network.
local ANSWERS = { invalid_token = 401, unknown_key = 401, insufficient_user_authentication = 401, insufficient_scope = 403 }

local function say(how, claims, err)
  print(how, claims and claims.user_id or ANSWERS[err.code] or 503)
end

local authorization = io.read() or ""
local token = authorization:match "^[Bb]earer +(%S+)$" or ""

-- By the signature, with the endpoint's keys, which are fetched once and kept: quick, and blind to sessions that were
-- revoked after the token was issued.
say("verify", client:verify(token, { scopes = { "openid" } }))

-- By Authgear's resolver: a request each time, and it knows all that was revoked.
say("resolve", client:resolve({ authorization = authorization }))
