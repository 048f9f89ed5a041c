-- Starts the development server (spec/server) for specs and talks to its control API. The server ends with the Lua
-- state that started it, however that ends: it watches its standard input, a pipe from here, and our process id.
-- Needs LuaSocket and dkjson (Debian: lua-socket, lua-dkjson).

local http = require "spec.support.http"
local json = require "dkjson"
local socket = require "socket"

local server = {}
local Server = {}
Server.__index = Server

local root = (debug.getinfo(1, "S").source:match "^@(.*)spec/support/server%.lua$") or "./"
if root == "" then
  root = "./"
end

local function quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

local function make_fifo()
  local path = os.tmpname()
  os.remove(path)
  local result = os.execute("mkfifo -m 600 " .. quote(path))
  assert(result == true or result == 0, "mkfifo failed")
  return path
end

local function command_line(options, fifo)
  local words = { quote(root .. "spec/server/run"), options.plain and "--plain" or "", "--parent", "$PPID" }
  if options.tls then
    words[#words + 1] = "--tls"
  end
  for _, uri in ipairs(options.redirect_uris or {}) do
    words[#words + 1] = "--redirect-uri " .. quote(uri)
  end
  return "exec " .. table.concat(words, " ") .. " >" .. quote(fifo)
end

--- A server that somebody else started, perhaps another process: its methods work, `stop` does nothing.
---@param announced string what it said when it was ready: the field `announced` of what `start` gave
---@return table server
function server.at(announced)
  local self = setmetatable({ announced = announced }, Server)
  for name, value in pairs(assert(json.decode(announced))) do
    if name == "control" then
      self.control_url = value
    else
      self[name] = value
    end
  end
  return self
end

--- Starts a server and waits until it is ready.
---@param options? { tls?: boolean, redirect_uris?: string[], plain?: boolean } plain: the provider that knows nothing of Authgear
---@return table server its URLs as fields (endpoint, app, other_app, resolver, control_url, ...), and the methods below
function server.start(options)
  options = options or {}
  local fifo = make_fifo()
  local pipe = assert(io.popen(command_line(options, fifo), "w"))
  local out = assert(io.open(fifo, "r"))
  local line = out:read "*l"
  out:close()
  os.remove(fifo)
  assert(line and json.decode(line), "the development server did not start: " .. tostring(line))
  local self = server.at(line)
  self.pipe = pipe
  return self
end

local shared = {}

--- The one server of this Lua state, set back to its defaults. One with TLS and one without may be shared.
---@param options? { tls?: boolean }
function server.shared(options)
  local key = options and options.tls and "tls" or "plain"
  if not shared[key] then
    shared[key] = server.start(options)
  end
  shared[key]:reset()
  return shared[key]
end

--- Ends the server and waits for it.
function Server:stop()
  if self.pipe then
    self.pipe:close()
    self.pipe = nil
  end
  for key, one in pairs(shared) do
    if one == self then
      shared[key] = nil
    end
  end
end

--- One call of the control API: GET without a body, else POST; raises when the server refuses.
---@param path string for example "/settings"
---@param body? table
---@param method? string
function Server:control(path, body, method)
  local text
  if body then
    -- An empty table is an object here; dkjson would make it an array.
    text = next(body) == nil and "{}" or json.encode(body)
  end
  local answer = assert(http.request {
    url = self.control_url .. path, body = text, method = method,
    headers = { ["Content-Type"] = "application/json" },
  })
  local value = json.decode(answer.body)
  if answer.status ~= 200 then
    error(("control %s: %s"):format(path, value and value.error or answer.body), 2)
  end
  return value
end

--- Clears faults, log, counters and settings; sessions stay unless told otherwise.
function Server:reset(options)
  return self:control("/reset", options or {})
end

--- A logged-in session without a browser: { client, user, scope, ttl (seconds), dpop (the name of a key) } -> token response, session, sub.
function Server:session(options)
  return self:control("/session", options or {})
end

--- Orders a fault (see spec/server/README.md); returns it with its id.
function Server:fault(fault)
  return self:control("/faults", fault)[1]
end

--- Lets the requests go on that the fault `hold` holds. Waits until there is one.
function Server:release()
  local last = socket.gettime() + 30
  while self:control("/release", {}).released == 0 do
    assert(socket.gettime() < last, "no request came that could have been held")
    socket.sleep(0.002)
  end
end

function Server:faults()
  return self:control "/faults"
end

--- Ends the sessions that match: { client, user, session, refresh_token, access_token }; {} is all of them.
function Server:revoke(filter)
  return self:control("/revoke", filter or {}).revoked
end

--- Makes the access tokens of the sessions that match expire now.
function Server:expire(filter)
  return self:control("/expire", filter or {}).expired
end

function Server:settings(settings)
  return self:control("/settings", settings)
end

--- What the next logins do: { user, error, error_description, times, interactive }.
function Server:login(settings)
  return self:control("/login", settings)
end

--- A proof of possession (RFC 9449) that another program's key makes: { key (its name), htm, htu, age, nonce, ath, jti }.
function Server:proof(claims)
  return self:control("/proof", claims).proof
end

--- Opens a URL as a browser would. With `deliver` the redirect URI is fetched too.
function Server:visit(url, deliver)
  return self:control("/visit", { url = url, deliver = deliver or false })
end

--- Registers redirect URIs for a client.
function Server:add_redirect_uris(client_id, uris)
  return self:control("/clients", { client_id = client_id, redirect_uris = uris }).redirect_uris
end

function Server:counters()
  return self:control "/counters"
end

--- How many token requests of a grant and client: { requests, ok, failed, rotated }, zeros when there was none.
function Server:token_count(grant, client)
  local by_client = self:counters().token[grant]
  return by_client and by_client[client] or { requests = 0, ok = 0, failed = 0, rotated = 0 }
end

--- Events in order; filter { since, target, event, tag }.
function Server:log(filter)
  return self:control("/log?" .. http.form(filter or {}))
end

--- Any request to the server under test, without the SDK: { url, method, headers, body, form }.
function Server.request(_, options)
  local answer, err = http.request(options)
  if answer and (answer.headers["content-type"] or ""):find "json" then
    answer.json = json.decode(answer.body, 1, json.null)
  end
  return answer, err
end

return server
