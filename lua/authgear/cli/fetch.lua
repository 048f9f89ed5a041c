--- authgear fetch: a request with a fresh access token, and its answer. Must never print the token: what is shown of the
-- request is nothing.
local body = require "authgear.cli.body"
local clean = require("authgear.cli.screen").clean
local datas = require "authgear.cli.data"

local M = {
  summary = "send a request with a fresh access token",
  usage = "[OPTIONS] URL",
  arguments = 1,
  options = {
    { name = "request", short = "X", value = "METHOD", help = "GET; POST when there is data" },
    { name = "header", short = "H", value = "LINE", many = true, help = "'Name: value'" },
    { name = "data", short = "d", value = "DATA", many = true,
      help = "a form's fields, joined with &; @FILE: what is in it, @-: standard input" },
    { name = "data-json", short = "J", value = "DATA", help = "the same as JSON" },
    { name = "include", short = "i", help = "print the status and the headers as well" },
    { name = "head", short = "I", help = "ask for them alone" },
    { name = "output", short = "o", value = "FILE", help = "write the body there; -: to standard output, whatever it is" },
    { name = "fail", short = "f", help = "print no body and exit with 4 when the status is 400 or more" },
    { name = "max-redirects", value = "N", help = "follow so many (10)" },
    { name = "no-token", help = "without the access token" },
  },
  text = [[
The token is refreshed first if needed, and goes to https and loopback addresses only; a 401 leads to one refresh and a second try.
Data of more than 4 MiB is read while it is sent, and is sent once: a 401 is the answer then, and a redirect that asks for it again
an error. JSON is checked first and may have 16 MiB.
The body is printed as it comes. With --json the answer is one JSON value: status, url, headers, body.]],
}

-- The caller's headers by name; nil and what is wrong.
local function headers_of(lines)
  local headers = {}
  for _, line in ipairs(lines or {}) do
    local name, value = line:match "^([^:%s]+):%s*(.-)%s*$"
    if not name then
      return nil, "a header is written 'Name: value'"
    end
    headers[name] = headers[name] or {}
    table.insert(headers[name], value)
  end
  return headers
end

local function has_header(headers, wanted)
  for name in pairs(headers) do
    if name:lower() == wanted then
      return true
    end
  end
end

-- The request's options for client:fetch, and where its body comes from, if it has one; nil and what is wrong.
local function request_of(context, options)
  local headers, why = headers_of(options.header)
  if not headers then
    return nil, why
  end
  local redirects = options.max_redirects and tonumber(options.max_redirects)
  if options.max_redirects and not redirects then
    return nil, "--max-redirects is a number"
  end
  local data, given, length
  data, why = datas.new(context.screen, options.data, options.data_json)
  if why then
    return nil, why
  elseif data then
    given, length = data:body()
    if not given then
      return nil, length
    elseif not has_header(headers, "content-type") then
      headers["Content-Type"] = options.data_json and "application/json" or "application/x-www-form-urlencoded"
    end
  end
  return {
    method = options.request and options.request:upper() or (options.head and "HEAD") or nil, headers = headers, body = given,
    body_length = length, max_redirects = redirects, authorization = not options.no_token,
  }, data
end

local function head_of(response)
  local lines, names = {}, {}
  for name in pairs(response.headers) do
    names[#names + 1] = name
  end
  table.sort(names)
  for i, name in ipairs(names) do
    lines[i] = name .. ": " .. response.headers[name]:gsub("\n", "\n" .. name .. ": ")
  end
  return clean(("HTTP/%s %d\n%s\n\n"):format(response.http_version or "?", response.status, table.concat(lines, "\n")))
end

local function print_json(screen, response)
  local headers = {}
  for name, value in pairs(response.headers) do
    headers[name] = value
  end
  local decoded = response:json()
  screen:value { status = response.status, url = response.url, headers = headers,
    body = decoded == nil and body.printable(response.body) or decoded }
end

-- The exit code for the answer's status, after having said so; nil: all is well.
local function judge(context, client, response, options)
  if response.status == 401 and not options.no_token and client:session_state() ~= "AUTHENTICATED" then
    return context:fail { code = "session_revoked", message = "the server has ended the session" }
  elseif options.fail and response.status >= 400 then
    return context:fail { code = "http_status", message = "the server answered with status " .. response.status,
      status = response.status }
  end
end

local function show(context, client, response, writer, options)
  if options.fail and response.status >= 400 then
    return judge(context, client, response, options)
  end
  local ok, why = true, nil
  if context.screen.json then
    print_json(context.screen, response)
  else
    if options.include or options.head then
      context.screen:write(head_of(response))
    end
    if response.body then
      ok, why = writer:write(response.body)
    end
    if ok then
      ok, why = writer:finish()
    end
  end
  if not ok then
    return context:fail { code = "output", message = why }
  end
  return judge(context, client, response, options)
end

function M.run(context, options, arguments)
  local url = arguments[1]
  if not url then
    return context:usage "fetch needs a URL"
  end
  local request, data = request_of(context, options)
  if not request then
    return context:usage(data)
  end
  local client, code
  if options.no_token then
    client, code = context:client()
  else
    client, code = context:session()
  end
  if not client then
    return code
  end
  local writer = body.writer(context.screen, options.output)
  local collects = context.screen.json or options.include or options.head or options.fail
  if not collects then
    request.sink = function(piece)
      return writer:write(piece)
    end
  end
  local response, err = client:fetch(url, request)
  if not response then
    writer:abandon()
    if writer.why then
      err = { code = "output", message = writer.why }
    elseif data and data.why then
      err = { code = "input", message = data.why }
    end
    return context:fail(err)
  end
  return show(context, client, response, writer, options)
end

return M
