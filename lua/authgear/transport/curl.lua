--- The transport on libcurl: requests go out on the calling thread, or through the engine where the caller can wait without
-- the thread: inside a task of the scheduler, or on a coroutine of a loop whose adapter says `engine`.
-- Must never load libcurl before the first request: that takes longer than all the rest of a start.
local current = require "authgear.current"
local drive = require "authgear.lazy" "authgear.transport.drive"

local OPTIONS = { proxy = "string", no_proxy = "string", ca_file = "string", max_connections = "number",
  connect_timeout = "number" }
local POLL = 0.1 -- seconds between two looks at `cancelled`

---@class authgear.transport.curl : authgear.transport
local Transport = {}
Transport.__index = Transport

-- What the requests of this caller go by: made when it is first needed. Else nil, code, message, retryable, sent.
local function open(self, kind, make)
  if self.closed then
    return nil, "closed", "the client is closed", false, false
  end
  local loaded, curl = pcall(require, "authgear.curl")
  if not loaded then
    return nil, "host", "the module authgear.curl can't be loaded: " .. tostring(curl):match("^[^\n]*"), false, false
  end
  local made, code, message, retryable = make(curl, self)
  if not made then
    return nil, code, message, retryable, false
  end
  self[kind] = made
  return made
end

-- Pools that clients share: those of this Lua state with the same settings have one, so a hundred of them keep no more
-- connections than one does. By their settings, and how many have each; none is held when nobody has it.
local shared, users = setmetatable({}, { __mode = "v" }), setmetatable({}, { __mode = "k" })

local function make_pool(curl, self)
  if not self.shares then
    return curl.pool(self.options)
  end
  local o = self.options
  local key = ("%s\n%s\n%s\n%s"):format(tostring(o.proxy), tostring(o.no_proxy), tostring(o.ca_file), tostring(o.max_connections))
  local pool = shared[key]
  if not pool then
    local code, message, retryable
    pool, code, message, retryable = curl.pool(o)
    if not pool then
      return nil, code, message, retryable
    end
    shared[key] = pool
  end
  users[pool] = (users[pool] or 0) + 1
  return pool
end

-- Lets go of the pool; the last one ends its connections.
local function leave_pool(self)
  local pool = self.pool
  self.pool = nil
  users[pool] = users[pool] and users[pool] - 1
  if not users[pool] or users[pool] == 0 then
    for key, one in pairs(shared) do
      if one == pool then
        shared[key] = nil
      end
    end
    pool:close()
  end
end

local function make_engine(curl, self)
  return require("authgear.transport.engine").new(curl, self.options, self.loop)
end

local function pool_of(self)
  if self.pool then
    return self.pool
  end
  return open(self, "pool", make_pool)
end

-- Can this caller wait without the thread? `loop` is nil but with an adapter.
local function waits_apart(self)
  local loop = self.loop
  return current.current ~= nil or (loop ~= nil and not (loop.blocks and loop.blocks()))
end

local function engine_of(self)
  if self.engine and not self.closed then
    return self.engine
  end
  return open(self, "engine", make_engine)
end

local function with_defaults(self, req)
  if self.connect_timeout and req.connect_timeout == nil then
    local copy = {}
    for k, v in pairs(req) do
      copy[k] = v
    end
    copy.connect_timeout = self.connect_timeout
    return copy
  end
  return req
end

-- On this thread.
local function send_here(self, req)
  local pool, code, message, retryable, sent = pool_of(self)
  if not pool then
    return nil, code, message, retryable, sent
  end
  if req.source or req.sink then
    local t
    t, code, message, retryable, sent = pool:start(req)
    if not t then
      return nil, code, message, retryable, sent
    end
    return drive.run(t, req, POLL)
  end
  local status, headers, body, version
  status, headers, body, version, sent = pool:send(req.method, req.url, req.headers, req.body, req.timeout,
    req.connect_timeout, req.max_body, req.fresh, req.secret)
  if status == false then -- slow: goes on as a transfer, so that it can be cancelled and Ctrl-C works
    return drive.run(headers, req, POLL)
  elseif not status then -- the others are code, message, retryable
    return nil, headers, body, version, sent
  end
  return { status = status, headers = headers, body = body, http_version = version }
end

--- Sends a request and waits for the answer.
---@param req authgear.transport.request
---@return authgear.transport.response|nil res
---@return string|nil code
---@return string|nil message
---@return boolean|nil retryable
---@return boolean|nil sent false: the server can't have seen the request
function Transport:send(req)
  if self.connect_timeout then
    req = with_defaults(self, req)
  end
  if (req.cancelled and req.cancelled()) or current.is_cancelled() then
    return nil, "cancelled", "the request was cancelled", false, false
  end
  if waits_apart(self) then
    local engine, code, message, retryable, sent = engine_of(self)
    if not engine then
      return nil, code, message, retryable, sent
    end
    return engine:send(req)
  end
  return send_here(self, req)
end

-- Slow, as above.
local function drive_exchange(transfer)
  local answer, code, message, retryable, sent = drive.run(transfer, {}, POLL)
  if not answer then
    return nil, code, message, retryable, sent
  end
  return answer.status, answer.headers, answer.body, answer.http_version
end

--- The same for requests that are made of nothing but plain fields, and without a table for the answer either: what
--- is called all the time. See authgear.transport.request.
---@param connect_timeout number
---@return integer|nil status
---@return string headers_or_code
---@return string|nil body_or_message
---@return string|boolean|nil http_version_or_retryable
---@return boolean|nil sent
function Transport:exchange(method, url, headers, body, timeout, connect_timeout, max_body, secret)
  if current.current or self.loop and waits_apart(self) then
    local engine, code, message, retryable, sent = engine_of(self)
    if not engine then
      return nil, code, message, retryable, sent
    end
    return engine:exchange(method, url, headers, body, timeout, connect_timeout, max_body, false, secret)
  end
  local pool = self.pool
  if not pool then
    local code, message, retryable, sent
    pool, code, message, retryable, sent = pool_of(self)
    if not pool then
      return nil, code, message, retryable, sent
    end
  end
  local status, lines, text, version, sent = pool:send(method, url, headers, body, timeout, connect_timeout, max_body, false,
    secret)
  if status == false then
    return drive_exchange(lines)
  end
  return status, lines, text, version, sent
end

--- The same in two halves, for what must not be lost: a Ctrl-C in lua.c raises the moment a C function
--- returns, and the answer is then still in the object. `cancelled` is not asked.
---@param req authgear.transport.request without source and sink
---@return authgear.transport.prepared|nil prepared :perform() waits to the end, :result() gives what send gives
--- (as often as wanted), :close() wipes and frees
---@return string|nil code
---@return string|nil message
---@return boolean|nil retryable
---@return boolean|nil sent
function Transport:prepare(req)
  local apart = waits_apart(self)
  local by, code, message, retryable, sent
  if apart then
    by, code, message, retryable, sent = engine_of(self)
  else
    by, code, message, retryable, sent = pool_of(self)
  end
  if not by then
    return nil, code, message, retryable, sent
  end
  return (apart and by.prepare or by.start)(by, with_defaults(self, req))
end

--- Ends the kept connections, unless others share them. Transfers under way on them fail with `closed`, later ones too.
function Transport:close()
  self.closed = true
  if self.pool then
    leave_pool(self)
  end
end

local M = {}

--- What the driver asks of a transport.
---@class authgear.transport
---@field send fun(self, req: authgear.transport.request): authgear.transport.response|nil, string?, string?, boolean?, boolean?
---@field prepare nil|fun(self, req: authgear.transport.request): authgear.transport.prepared|nil, string?, string?, boolean?, boolean?
---@field close nil|fun(self)

---@class authgear.transport.prepared
---@field perform fun(self): boolean waits to the end
---@field result fun(self): authgear.transport.response|nil, string?, string?, boolean?, boolean?
---@field close fun(self)

---@class authgear.transport.request
---@field method string
---@field url string absolute, checked
---@field headers string|nil "Name: value\r\n" repeated. Content-Length, Transfer-Encoding and Expect are left out:
--- they are the transport's
---@field body string|nil
---@field source nil|fun():string|nil, any the body in pieces; nil ends it, nil and anything fails the request
---@field source_length integer|nil bytes that source will give; unless set, chunked
---@field sink nil|fun(bytes: string):boolean|nil, any takes the answer's body in pieces, decompressed;
--- false, or nil and anything, fails the request. What it raises goes on to the caller of send
---@field accept nil|fun(status: integer, headers: string): boolean asked once when there is a sink: true (or no
--- accept) gives the body to sink, false collects it in res.body
---@field timeout number|nil seconds, for everything
---@field connect_timeout number|nil seconds
---@field max_body integer|nil bytes once decompressed; unless set 64 MiB, and no limit for a sink
---@field fresh boolean|"once"|nil true: on a new connection, and sent once at most; "once": on any, and sent once at most
---@field secret boolean|nil the answer holds tokens: our copy of it is wiped
---@field cancelled nil|fun(): boolean asked about ten times a second

---@class authgear.transport.response
---@field status integer
---@field headers string "Name: value\r\n" repeated; of the final answer
---@field body string|nil nil when it went to the sink
---@field http_version string|nil "1.0", "1.1", "2", "3"

---@class authgear.transport.curl.options
---@field proxy string|nil URL of a proxy; "" for none; nil for what the environment says
---@field no_proxy string|nil comma-separated hosts that are reached without it (loopback always is)
---@field ca_file string|nil PEM file of the certificates to trust, and no others; nil: CURL_CA_BUNDLE, SSL_CERT_FILE, the system's
---@field connect_timeout number|nil seconds, for requests that name none
---@field max_connections integer|nil kept for reuse (16)

--- Makes a transport. Loads nothing, connects to nothing.
---@param options authgear.transport.curl.options|nil
---@param loop authgear.Host|nil an adapter that waits for the engine's jobs
---@param shares boolean|nil its connections with other transports of the same options
---@return authgear.transport.curl
function M.new(options, loop, shares)
  local copy = {}
  for k, v in pairs(options or {}) do
    if OPTIONS[k] == nil then
      error("unknown option '" .. tostring(k) .. "'", 2)
    elseif type(v) ~= OPTIONS[k] then
      error("option '" .. k .. "' must be a " .. OPTIONS[k] .. ", not a " .. type(v), 2)
    end
    copy[k] = v
  end
  local connect_timeout = copy.connect_timeout
  copy.connect_timeout = nil
  return setmetatable({ options = copy, connect_timeout = connect_timeout, loop = loop, shares = shares },
    Transport)
end

return M
