--- fetch: turns the caller's options into a flow, sends its hops with the caller's body, and
-- makes the response. Must never touch the token: the flow attaches it.
local check = require "authgear.check"
local core = require "authgear.core"
local driver = require "authgear.driver"
local errors = require "authgear.errors"
local protect = require "authgear.protect"
local response = require "authgear.response"

local POLICIES = { ["return"] = 0, retry = 1, clear = 2 }
local ASK = 3
local HEADERS_OF_OURS = { ["content-length"] = true, ["transfer-encoding"] = true, ["connection"] = true }

local M = {}

--- The kind of the option `on_unauthorized`, here and in configure.
M.policy_kind = check.one_of({ "return", "retry", "clear" }, true)

local KNOWN = {
  method = "text", headers = "table", body = check.either("string", "function"), body_length = "count", json = "any",
  form = "table", query = "table", sink = "function", timeout = "seconds", max_body = "count", max_redirects = "few",
  on_unauthorized = M.policy_kind, authorization = "boolean", cancelled = "function",
}

---@class authgear.FetchInit
---@field method string|nil "GET", or "POST" when there is a body
---@field headers table<string, string|number|string[]>|nil
---@field body string|nil|fun(): string|nil, any a string, or a function that gives pieces until nil (nil and anything
--- fails the request); a function's body cannot be sent twice
---@field body_length integer|nil bytes that the function will give; without it the body goes out chunked
---@field json any a value to send as JSON
---@field form table<string, string|number|boolean>|nil fields to send as a form
---@field query table<string, string|number|boolean>|nil added to the URL
---@field sink nil|fun(piece: string): boolean|nil, any takes the body of the final answer in pieces; false, or nil and
--- anything, ends the request
---@field timeout number|nil seconds for the whole call, refresh and replay included
---@field max_body integer|nil bytes of the answer, decompressed
---@field max_redirects integer|nil 0: redirects are returned
---@field on_unauthorized "return"|"retry"|"clear"|nil|fun(response: authgear.Response): string what to do about a 401
---@field authorization boolean|nil false: without the access token
---@field cancelled nil|fun(): boolean polled while waiting; true ends the call

-- Fields as "a=1&b=2", in the order of their names.
local function encode_fields(where, name, fields)
  local names, parts = {}, {}
  for key, value in pairs(fields) do
    local kind = type(value)
    if type(key) ~= "string" then
      check.fail(where, 2, name .. " has a key that is no string")
    elseif kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
      check.fail(where, 2, ("%s: %s must be a string, number or boolean, got %s"):format(name, check.shown(key), kind))
    end
    names[#names + 1] = key
  end
  table.sort(names)
  for i, key in ipairs(names) do
    parts[i] = core.percent_encode(key) .. "=" .. core.percent_encode(tostring(fields[key]))
  end
  return table.concat(parts, "&")
end

local function add_header(lines, name, value)
  if type(name) ~= "string" then
    check.fail("fetch", 2, "headers has a name that is no string")
  elseif HEADERS_OF_OURS[name:lower()] then
    check.fail("fetch", 2, ("header '%s' is the library's to set"):format(name))
  end
  if type(value) == "number" then
    value = tostring(value)
  elseif type(value) ~= "string" then
    check.fail("fetch", 2, ("header %s must be a string or number, got %s"):format(check.shown(name), type(value)))
  end
  local line, message = core.header_line(name, value)
  if not line then
    check.fail("fetch", 2, message)
  end
  lines[#lines + 1] = line
end

-- The caller's headers as a block, and which of those that matter here are among them.
local function header_block(headers)
  local lines, has = {}, {}
  for name, value in pairs(headers) do
    if type(value) == "table" then
      for _, one in ipairs(value) do
        add_header(lines, name, one)
      end
    else
      add_header(lines, name, value)
    end
    if type(name) == "string" then
      has[name:lower()] = true
    end
  end
  table.sort(lines)
  return lines, has
end

-- body, json and form: at most one of them, and its Content-Type.
local function read_body(init, lines, has)
  local given = (init.body ~= nil and 1 or 0) + (init.json ~= nil and 1 or 0) + (init.form ~= nil and 1 or 0)
  if given > 1 then
    check.fail("fetch", 2, "body, json and form exclude each other")
  end
  local body, content_type = init.body, nil
  if init.json ~= nil then
    local code, message
    body, code, message = core.json_encode(init.json)
    if not body then
      if code == "memory" then
        error(message, 0)
      end
      check.fail("fetch", 2, "option 'json': " .. message)
    end
    content_type = "application/json"
  elseif init.form ~= nil then
    body, content_type = encode_fields("fetch", "form", init.form), "application/x-www-form-urlencoded"
  end
  if content_type and not has["content-type"] then
    lines[#lines + 1] = "Content-Type: " .. content_type .. "\r\n"
  end
  return body
end

local function with_query(url, query)
  local text = encode_fields("fetch", "query", query)
  if text == "" then
    return url
  end
  local before, fragment = url:match("^([^#]*)(.*)$")
  return before .. (before:find("?", 1, true) and "&" or "?") .. text .. fragment
end

-- The policy function's word. What it raises ends the call.
local function ask(runtime, flow, run)
  local fetch = run.fetch
  fetch.response = response.of(fetch.answer, fetch.url, runtime.decode)
  fetch.answer = nil
  local ok, choice = protect(fetch.policy, fetch.response)
  if not ok then
    local err = "the on_unauthorized function raised an error"
    fetch.cause = choice
    return core.feed_error(flow, "user_code", err, false)
  elseif not POLICIES[choice] then
    return core.feed_error(flow, "user_code",
      "the on_unauthorized function must return \"return\", \"retry\" or \"clear\"", false)
  end
  return core.feed(flow, POLICIES[choice])
end

local function attach_body(fetch, request, flow)
  if type(fetch.body) ~= "function" then
    request.body = fetch.body
    return
  end
  request.source = function()
    if not fetch.used then
      fetch.used = true
      core.fetch_body_used(flow)
    end
    return fetch.body()
  end
  request.source_length = fetch.body_length
end

local function send(runtime, flow, run, method, url, headers, max_body, secret)
  local fetch = run.fetch
  local request = {
    method = method, url = url, headers = headers, max_body = max_body, secret = secret,
    connect_timeout = runtime.connect_timeout, cancelled = fetch.cancelled,
  }
  if fetch.body ~= nil and core.fetch_sends_body(flow) then
    attach_body(fetch, request, flow)
  end
  if fetch.sink then
    request.sink = fetch.sink
    request.accept = function(status, block)
      return core.fetch_accepts(flow, status, block)
    end
  end
  if run.deadline then
    request.timeout = run.deadline - runtime.now()
    if request.timeout <= 0 then
      return core.feed_error(flow, "timeout", "the time for this call is over")
    end
  end
  local answer, code, message, retryable = runtime.transport:send(request)
  if not answer then
    return core.feed_error(flow, code or "network", message, retryable)
  end
  fetch.answer, fetch.url = answer, url
  return core.feed_answer(flow, answer.status, answer.headers)
end

local NO_INIT = {}

-- Reads the caller's options: the flow, and what its run keeps.
local function prepare(runtime, url, init)
  check.value("fetch", 1, "url", url, "text")
  check.options("fetch", 2, init, KNOWN)
  init = init or NO_INIT
  local block, has, body = "", NO_INIT, nil
  if init ~= NO_INIT then
    local lines
    lines, has = header_block(init.headers or NO_INIT)
    body = read_body(init, lines, has)
    block = table.concat(lines)
    if init.query then
      url = with_query(url, init.query)
    end
  end
  local policy = init.on_unauthorized or runtime.on_unauthorized
  local flow, code, message, retryable = core.fetch_flow(runtime.core, init.method or (body and "POST" or "GET"), url,
    block, body ~= nil, type(body) ~= "function", init.authorization ~= false and not has.authorization,
    has["user-agent"] or false, POLICIES[policy] or ASK, init.max_redirects or runtime.max_redirects,
    init.max_body or (init.sink and 2 ^ 53 or runtime.max_body))
  if not flow then
    return nil, errors.new(code, message, retryable)
  end
  return flow, { send = send, ask = ask, policy = policy, body = body, body_length = init.body_length,
    sink = init.sink, cancelled = init.cancelled }
end

--- See authgear.Client:fetch.
---@return authgear.Response|nil
---@return authgear.Error|nil
function M.fetch(runtime, url, init)
  local flow, fetch = prepare(runtime, url, init)
  if not flow then
    return nil, fetch
  end
  local timeout = init and init.timeout or runtime.timeout
  local run = { fetch = fetch, deadline = timeout and runtime.now() + timeout }
  local ok, err = driver.run(runtime, flow, run)
  if not ok then
    err.cause = fetch.cause
    return nil, err
  end
  return fetch.answer and response.of(fetch.answer, fetch.url, runtime.decode) or fetch.response
end

return M
