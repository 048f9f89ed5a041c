--- The transport on libcurl: requests go out on the calling thread.
-- libcurl is loaded with the first request, not before. What user code does
-- (sink, source, accept, cancelled) is called from here, never from inside
-- libcurl, so it may yield, raise, or close the transport.
local protect = require "authgear.protect"

local OPTIONS = { proxy = "string", no_proxy = "string", ca_file = "string", max_connections = "number",
  connect_timeout = "number" }
local POLL = 0.1 -- seconds between two looks at `cancelled`

---@class authgear.transport.curl : authgear.transport
local Transport = {}
Transport.__index = Transport

local function open(self)
  if self.closed then
    return nil, "closed", "the client is closed", false
  end
  local loaded, curl = pcall(require, "authgear.curl")
  if not loaded then
    return nil, "host", "the module authgear.curl can't be loaded: " .. tostring(curl):match("^[^\n]*"), false
  end
  local pool, code, message, retryable = curl.pool(self.options)
  if not pool then
    return nil, code, message, retryable
  end
  self.pool = pool
  return pool
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

local function is_cancelled(req)
  return req.cancelled and req.cancelled()
end

-- The answers to what a transfer says. Each gives nil to go on, or code and message.
local on = {}

function on.headers(t, req, status, block)
  if req.accept == nil or req.accept(status, block) then
    t:accept("stream")
  else
    t:accept("collect")
  end
end

function on.chunk(_, req, bytes)
  local ok, why = req.sink(bytes)
  if ok == false or (ok == nil and why ~= nil) then
    return "user_code", "the sink refused a piece of the body"
  end
end

-- The next piece of the request's body: true and a string or nil (its end), or nil, code and message.
local function pull(req)
  local bytes, why = req.source()
  if bytes == nil and why ~= nil then
    return nil, "user_code", "the source of the body failed"
  elseif bytes ~= nil and type(bytes) ~= "string" then
    return nil, "user_code", "the source of the body gave a " .. type(bytes) .. " instead of a string"
  end
  return true, bytes
end

-- libcurl stops asking once it has as many bytes as were said: it is seen here that there are no more.
local function check_end(req)
  local ok, bytes, message
  repeat
    ok, bytes, message = pull(req)
  until bytes ~= ""
  if ok and bytes then
    return "user_code", "the body is not as long as was said"
  end
  return bytes, message
end

function on.need(t, req, _, _, progress)
  local ok, bytes, message = pull(req)
  if not ok then
    return bytes, message
  end
  t:feed(bytes)
  progress.fed = progress.fed + #(bytes or "")
  if bytes and progress.fed == req.source_length then
    return check_end(req)
  end
end

function on.wait() end

-- Moves t to its end. Returns what send returns.
local function drive(t, req)
  local progress = { fed = 0 }
  while true do
    if is_cancelled(req) then
      return nil, "cancelled", "the request was cancelled", false, true
    end
    local event, a, b, c, d = t:step(POLL)
    if event == "done" then
      return t:result()
    elseif event == "error" then
      return nil, a, b, c, d
    end
    local code, message = on[event](t, req, a, b, progress)
    if code then
      return nil, code, message, false, true
    end
  end
end

local function finish(t, ok, ...)
  t:close()
  if not ok then
    error((...), 0)
  end
  return ...
end

-- A transfer that takes several steps: closed whatever happens, and what user code raises goes on to the caller.
local function run(t, req)
  return finish(t, protect(drive, t, req))
end

--- Sends a request and waits for the answer.
---@param req authgear.transport.request
---@return authgear.transport.response|nil res
---@return string|nil code
---@return string|nil message
---@return boolean|nil retryable
---@return boolean|nil sent false: the server can't have seen the request
function Transport:send(req)
  local pool = self.pool
  if not pool then
    local code, message, retryable
    pool, code, message, retryable = open(self)
    if not pool then
      return nil, code, message, retryable, false
    end
  end
  if self.connect_timeout then
    req = with_defaults(self, req)
  end
  if is_cancelled(req) then
    return nil, "cancelled", "the request was cancelled", false, false
  end
  if req.source or req.sink then
    local t, code, message, retryable, sent = pool:start(req)
    if not t then
      return nil, code, message, retryable, sent
    end
    return run(t, req)
  end
  local status, headers, body, version, sent = pool:send(req.method, req.url, req.headers, req.body, req.timeout,
    req.connect_timeout, req.max_body, req.fresh, req.secret)
  if not status then -- the others are code, message, retryable
    return nil, headers, body, version, sent
  elseif type(status) == "userdata" then -- slow: goes on as a transfer, so that it can be cancelled and Ctrl-C works
    return run(status, req)
  end
  return { status = status, headers = headers, body = body, http_version = version }
end

local function answer_of(status, headers, body, version, sent)
  if type(status) ~= "userdata" then
    return status, headers, body, version, sent
  end
  local answer, code, message, retryable -- slow, as above
  answer, code, message, retryable, sent = run(status, {})
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
  local pool = self.pool
  if not pool then
    local code, message, retryable
    pool, code, message, retryable = open(self)
    if not pool then
      return nil, code, message, retryable, false
    end
  end
  return answer_of(pool:send(method, url, headers, body, timeout, connect_timeout, max_body, false, secret))
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
  local pool = self.pool
  if not pool then
    local code, message, retryable
    pool, code, message, retryable = open(self)
    if not pool then
      return nil, code, message, retryable, false
    end
  end
  return pool:start(with_defaults(self, req))
end

--- Ends the kept connections. Transfers under way fail with `closed`, later ones too.
function Transport:close()
  self.closed = true
  if self.pool then
    self.pool:close()
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
---@field fresh boolean|nil on a new connection, and sent once at most
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
---@return authgear.transport.curl
function M.new(options)
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
  return setmetatable({ options = copy, connect_timeout = connect_timeout }, Transport)
end

return M
