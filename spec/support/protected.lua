-- For the specs about protect{}: requests byte by byte, an upstream that says what it was sent, and an issuer that is a function.
local nginx = require "spec.support.nginx"
local socket = require "socket"

local protected = {}

-- The upstream answers with the headers that reached it.
local UPSTREAM = [[
  server {
    listen 127.0.0.1:${upstream};
    underscores_in_headers on;
    ignore_invalid_headers off;
    large_client_header_buffers 8 64k;
    location / { content_by_lua_block { ngx.print(ngx.req.raw_header()) } }
  }
]]

--- Starts an nginx with guards. options: init: Lua for init_worker_by_lua, where `guards` is a table to fill and `authgear` is
--- authgear.openresty; guards: names, each a location /NAME in front of the upstream; and those of nginx.start.
function protected.start(options)
  local locations = {}
  for _, name in ipairs(options.guards) do
    locations[#locations + 1] = ([[
      location /%s { access_by_lua_block { guards["%s"]() } proxy_pass http://127.0.0.1:${upstream}; }
    ]]):format(name, name)
  end
  local values = { upstream = nginx.free_port() }
  for name, value in pairs(options.values or {}) do
    values[name] = value
  end
  return nginx.start {
    workers = options.workers, values = values, level = options.level, listen = options.listen,
    http = "lua_shared_dict authgear 4m;" .. UPSTREAM .. (options.http or "")
      .. "init_worker_by_lua_block { authgear = require 'authgear.openresty' guards = {}\n" .. options.init .. " }",
    server = "underscores_in_headers on; ignore_invalid_headers off; large_client_header_buffers 8 64k;"
      .. "proxy_pass_request_headers on; proxy_http_version 1.1;"
      .. table.concat(locations) .. (options.server or ""),
  }
end

--- Sends bytes; gives what comes back until the other side closes.
function protected.send(n, text)
  local s = assert(socket.connect("127.0.0.1", n.port))
  s:settimeout(20)
  assert(s:send(text))
  return s
end

local function unchunked(body)
  local parts, at = {}, 1
  while true do
    local size, start = body:match("^(%x+)\r\n()", at)
    size = tonumber(size or "0", 16)
    if size == 0 then
      return table.concat(parts)
    end
    parts[#parts + 1] = body:sub(start, start + size - 1)
    at = start + size + 2
  end
end

function protected.receive(s)
  local all, _, partial = s:receive "*a"
  s:close()
  all = all or partial
  local head, body = all:match "^(.-\r\n)\r\n(.*)$"
  local headers = {}
  for name, value in (head or ""):gmatch "\n([^:\r\n]+): *([^\r\n]*)" do
    headers[name:lower()] = value
  end
  if headers["transfer-encoding"] == "chunked" then
    body = unchunked(body)
  end
  return { status = tonumber(all:match "^HTTP/%d%.%d (%d+)"), headers = headers, body = body, raw = all }
end

--- One request: lines of headers as they are.
function protected.request(n, path, lines, method)
  local text = (method or "GET") .. " " .. path .. " HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n"
  for _, line in ipairs(lines or {}) do
    text = text .. line .. "\r\n"
  end
  return protected.receive(protected.send(n, text .. "\r\n"))
end

--- The lines of what reached the upstream that are, or could be taken for, X-Authgear-*.
function protected.ours(body)
  local found = {}
  for line in body:gmatch "[^\r\n]+" do
    local name = line:match "^([^:]*):"
    if name and name:lower():gsub("[^%l%d]", ""):find "xauthgear" then
      found[#found + 1] = line
    end
  end
  table.sort(found)
  return found
end

return protected
