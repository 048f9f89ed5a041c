-- A server on copas (Lua 5.1) that passes each request on to another server, with the session's access token.
-- However many requests come in at once, none waits for another, and a token that is getting old is refreshed once.
--
-- Needs lua-copas. AUTHGEAR_ENDPOINT and AUTHGEAR_CLIENT_ID name your Authgear project, YOUR_SERVER_URL the other server;
-- somebody has logged in before (examples/guide/log_in.lua). Then: curl http://127.0.0.1:PORT/
local copas = require "copas" -- before anything that loads socket.http
local socket = require "socket"
local authgear = require "authgear"

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file",
  host = require "authgear.host.copas", -- calls in a copas thread let the others go on
})

local upstream = assert(os.getenv "YOUR_SERVER_URL")

local function answer(status, body)
  return ("HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"):format(status,
    #body, body)
end

-- Called by copas for each connection, in a thread of its own.
local function handle(connection)
  local client = copas.wrap(connection)
  repeat -- the request line and the headers, up to the empty line
    local line = client:receive "*l"
  until not line or line == ""
  local response, err = authgear.fetch(upstream)
  if response then
    client:send(answer(response.status .. " upstream said so", response.body))
  else
    client:send(answer("502 Bad Gateway", ('{"error":"%s"}'):format(err.code)))
  end
  connection:close() -- copas 1.x closes only the socket that a thread waited for last
end

local listener = assert(socket.bind("127.0.0.1", tonumber(os.getenv "PORT") or 0))
print(("listening on http://127.0.0.1:%d/"):format(select(2, listener:getsockname())))
io.stdout:flush()
copas.addserver(listener, handle)
copas.loop()
