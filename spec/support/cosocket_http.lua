-- An ordinary HTTP/1.1 client on nginx's cosockets, of the shape that Lua programs in nginx know (new, set_timeout,
-- request_uri): header tables, chunked bodies, kept connections. A transport of a user's own in the specs, and what the benches
-- compare with. Must never share code with the SDK.
local http = {}
http.__index = http

local Headers = {}

function Headers.__index(headers, name)
  return rawget(headers, name:lower())
end

function http.new()
  return setmetatable({ timeout = 60000 }, http)
end

function http:set_timeout(milliseconds)
  self.timeout = milliseconds
end

local function parse(url)
  local scheme, host, port, path = url:match "^(https?)://([^/:?#]+):?(%d*)([^#]*)"
  if not scheme then
    return nil, "bad URL"
  end
  return { scheme = scheme, host = host, port = tonumber(port) or (scheme == "https" and 443 or 80),
    path = path:sub(1, 1) == "/" and path or "/" .. path, authority = port == "" and host or host .. ":" .. port }
end

local function connect(self, to, options)
  local socket = ngx.socket.tcp()
  socket:settimeout(self.timeout)
  local ok, err = socket:connect(to.host, to.port, options.pool and { pool = options.pool } or nil)
  if not ok then
    return nil, err
  end
  if to.scheme == "https" and socket:getreusedtimes() == 0 then
    ok, err = socket:sslhandshake(nil, to.host, options.ssl_verify ~= false)
    if not ok then
      return nil, err
    end
  end
  return socket
end

local function head(to, options)
  local headers = options.headers or {}
  local lines = { options.method or "GET", " ", to.path, " HTTP/1.1\r\n" }
  local n = 4
  local function add(name, value)
    lines[n + 1], lines[n + 2], lines[n + 3], lines[n + 4] = name, ": ", value, "\r\n"
    n = n + 4
  end
  if not headers.Host then
    add("Host", to.authority)
  end
  for name, value in pairs(headers) do
    if type(value) == "table" then
      for _, one in ipairs(value) do
        add(name, one)
      end
    else
      add(name, value)
    end
  end
  if options.body then
    add("Content-Length", #options.body)
  end
  lines[n + 1] = "\r\n"
  return lines
end

local function read_headers(socket)
  local headers = setmetatable({}, Headers)
  while true do
    local line, err = socket:receive "*l"
    if not line then
      return nil, err
    elseif line == "" then
      return headers
    end
    local name, value = line:match "^([^:]+):%s*(.-)%s*$"
    if not name then
      return nil, "malformed header"
    end
    name = name:lower()
    local before = headers[name]
    if not before then
      headers[name] = value
    elseif type(before) == "table" then
      before[#before + 1] = value
    else
      headers[name] = { before, value }
    end
  end
end

local function read_chunked(socket)
  local parts = {}
  while true do
    local line, err = socket:receive "*l"
    local size = line and tonumber(line:match "^%x+", 16)
    if not size then
      return nil, err or "malformed chunk"
    elseif size == 0 then
      local _, why = read_headers(socket) -- trailers
      return not why and table.concat(parts) or nil, why
    end
    local bytes
    bytes, err = socket:receive(size)
    if not bytes then
      return nil, err
    end
    parts[#parts + 1] = bytes
    socket:receive(2)
  end
end

-- The body, and may the connection be kept?
local function read_body(socket, method, status, headers)
  if method == "HEAD" or status == 204 or status == 304 then
    return "", true
  elseif (headers["transfer-encoding"] or ""):lower() == "chunked" then
    local body, err = read_chunked(socket)
    return body, body and true or err
  end
  local length = tonumber(headers["content-length"])
  if length then
    local body, err = socket:receive(length)
    return length == 0 and "" or body, body and true or err
  end
  return socket:receive "*a", false
end

local function exchange(socket, to, options)
  local ok, err = socket:send(head(to, options))
  if ok and options.body then
    ok, err = socket:send(options.body)
  end
  if not ok then
    return nil, err
  end
  local line, status, headers
  repeat
    line, err = socket:receive "*l"
    status = line and tonumber(line:match "^HTTP/1%.%d (%d%d%d)")
    if not status then
      return nil, err or "not HTTP"
    end
    headers, err = read_headers(socket)
    if not headers then
      return nil, err
    end
  until status >= 200
  local body, keep = read_body(socket, options.method, status, headers)
  if not body then
    return nil, keep
  end
  local kept = keep and options.keepalive ~= false and (headers.connection or ""):lower() ~= "close"
  return { status = status, headers = headers, body = body }, kept
end

--- One request. options: method, headers, body, ssl_verify, keepalive (false: no), pool (a name of the connections to use).
---@return table|nil response status, headers, body
---@return string|nil err
function http:request_uri(url, options)
  local to, err = parse(url)
  if not to then
    return nil, err
  end
  local socket
  socket, err = connect(self, to, options or {})
  if not socket then
    return nil, err
  end
  local response, kept = exchange(socket, to, options or {})
  if response and kept then
    socket:setkeepalive(60000, 256)
  else
    socket:close()
  end
  if not response then
    return nil, kept
  end
  return response
end

return http
