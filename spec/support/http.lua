-- A small HTTP/1.1 client on LuaSocket for specs: one request per connection, the answer exactly as it came.
-- It must never share code with the SDK, which it is there to check. No TLS, no redirects, no cookies.

local socket = require "socket"

local http = {}

local function escape(text)
  return (tostring(text):gsub("[^%w%-._~]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

--- Encodes a table as a form or query, its keys sorted.
---@param fields table<string, string|number|boolean>
---@return string
function http.form(fields)
  local names = {}
  for name in pairs(fields) do
    names[#names + 1] = name
  end
  table.sort(names)
  for i, name in ipairs(names) do
    names[i] = escape(name) .. "=" .. escape(fields[name])
  end
  return table.concat(names, "&")
end

--- Decodes a form or query.
---@param text string
---@return table<string, string>
function http.parse_form(text)
  local fields = {}
  local function unescape(part)
    return (part:gsub("%+", " "):gsub("%%(%x%x)", function(hex)
      return string.char(tonumber(hex, 16))
    end))
  end
  for name, value in text:gmatch("([^&=]+)=([^&]*)") do
    fields[unescape(name)] = unescape(value)
  end
  return fields
end

--- The parameters of a URL's query.
---@param url string
---@return table<string, string>
function http.query(url)
  return http.parse_form(url:match "%?(.*)$")
end

local function split_url(url)
  local host, port, path = url:match("^http://([^:/]+):?(%d*)(.*)$")
  assert(host, "not an http URL: " .. url)
  return host, tonumber(port) or 80, path == "" and "/" or path
end

local function read_headers(conn)
  local headers, list = {}, {}
  while true do
    local line, err = conn:receive "*l"
    if not line then
      return nil, err
    end
    if line == "" then
      return headers, list
    end
    local name, value = line:match "^([^:]+):%s*(.-)%s*$"
    if name then
      list[#list + 1] = { name, value }
      local key = name:lower()
      headers[key] = headers[key] and headers[key] .. ", " .. value or value
    end
  end
end

local function read_chunked(conn)
  local parts = {}
  while true do
    local size = tonumber((assert(conn:receive "*l"):match "^%x+"), 16)
    if size == 0 then
      read_headers(conn)
      return table.concat(parts)
    end
    parts[#parts + 1] = assert(conn:receive(size))
    conn:receive "*l"
  end
end

local function read_body(conn, method, status, headers)
  if method == "HEAD" or status == 204 or status == 304 then
    return ""
  end
  if (headers["transfer-encoding"] or ""):find "chunked" then
    return read_chunked(conn)
  end
  local length = tonumber(headers["content-length"])
  if length then
    return length == 0 and "" or conn:receive(length)
  end
  local body, _, partial = conn:receive "*a"
  return body or partial
end

local function request_text(options, host, port, path)
  local method = options.method or (options.body and "POST" or "GET")
  local lines = { ("%s %s HTTP/1.1"):format(method, path) }
  local given = {}
  for name, value in pairs(options.headers or {}) do
    given[name:lower()] = true
    lines[#lines + 1] = name .. ": " .. value
  end
  if not given.host then
    lines[#lines + 1] = ("Host: %s:%d"):format(host, port)
  end
  lines[#lines + 1] = "Connection: close"
  if options.body then
    lines[#lines + 1] = "Content-Length: " .. #options.body
  end
  lines[#lines + 1] = "\r\n"
  return table.concat(lines, "\r\n") .. (options.body or ""), method
end

-- Connects and sends: the connection and the method, or nil and why.
local function begin(options)
  if options.form then
    local headers = { ["Content-Type"] = "application/x-www-form-urlencoded" }
    for name, value in pairs(options.headers or {}) do
      headers[name] = value
    end
    options = {
      url = options.url, method = options.method, headers = headers, timeout = options.timeout,
      body = http.form(options.form),
    }
  end
  local host, port, path = split_url(options.url)
  local conn = socket.tcp()
  conn:settimeout(options.timeout or 30)
  local ok, err = conn:connect(host, port)
  if not ok then
    conn:close()
    return nil, err
  end
  local text, method = request_text(options, host, port, path)
  conn:send(text)
  return conn, method
end

local function finish(conn, method)
  local line, err = conn:receive "*l"
  local status = line and tonumber(line:match "^HTTP/%S+ (%d+)")
  if not status then
    conn:close()
    return nil, err or "not HTTP"
  end
  local headers, list = read_headers(conn)
  local body
  if headers then
    body, err = read_body(conn, method, status, headers)
  end
  conn:close()
  if not body then
    return nil, err
  end
  return { status = status, headers = headers, header_list = list, body = body }
end

--- Sends one request. options: url, method, headers, body, form (a table), timeout (seconds, 30).
---@return table|nil answer `status`, `headers` (lower-case names), `header_list`, `body`
---@return string|nil error
function http.request(options)
  local conn, method = begin(options)
  if not conn then
    return nil, method
  end
  return finish(conn, method)
end

--- Sends a request n times before it reads the first answer. A list of n answers; in place of one that did not come { err = why }.
function http.many(options, n)
  local conns, answers = {}, {}
  for i = 1, n do
    conns[i] = { begin(options) }
  end
  for i, begun in ipairs(conns) do
    local answer, err
    if begun[1] then
      answer, err = finish(begun[1], begun[2])
    end
    answers[i] = answer or { err = err or begun[2] }
  end
  return answers
end

return http
