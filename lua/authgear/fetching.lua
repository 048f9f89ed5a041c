--- fetch: turns the caller's options into a flow, sends its hops with the caller's body, and
-- makes the response. Must never touch the token: the flow attaches it.
local check = require "authgear.check"
local core = require "authgear.core"
local driver = require "authgear.driver"
local errors = require "authgear.errors"
local kinds = require "authgear.kinds"
local protect = require "authgear.protect"
local record = require "authgear.record"
local response = require "authgear.response"

local POLICIES = { ["return"] = 0, retry = 1, clear = 2 }
local ASK = 3
local TO_FLOW = { [401] = true, [429] = true, [502] = true, [503] = true, [504] = true } -- what a flow may do something about
local METHODS = { GET = true, HEAD = true, POST = true, PUT = true, PATCH = true, DELETE = true }
local HEADERS_OF_OURS = { ["content-length"] = true, ["transfer-encoding"] = true, ["connection"] = true }

local M = {}

local KNOWN = {
  method = "text", headers = "table", body = kinds.either("string", "function"), body_length = "count", json = "any",
  form = "table", query = "table", sink = "function", timeout = "seconds", max_body = "count", max_redirects = "few",
  on_unauthorized = "policy", retry = "retry", authorization = "boolean", cancelled = "function",
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
---@field sink nil|fun(piece: string, response: authgear.Response): boolean|nil, any takes the body of the final answer in
--- pieces, with what is known of the response: all but the body; false, or nil and anything, ends the request
---@field timeout number|nil seconds for the whole call, refresh and replay included
---@field max_body integer|nil bytes of the answer, decompressed
---@field max_redirects integer|nil at most 100; 0: redirects are returned
---@field on_unauthorized "return"|"retry"|"clear"|nil|fun(response: authgear.Response): string what to do about a 401
---@field retry false|authgear.RetryOptions|nil instead of the client's
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

-- The lines that the flow has put after the caller's headers, kept for send_at_once until the session changes.
local function keep_own_headers(runtime, fetch, headers)
  local client = runtime.client
  local own = headers:sub(#fetch.block + 1)
  local ending = "Bearer " .. tostring(client._access_token) .. "\r\n"
  if client._runtime == runtime and own:sub(-#ending) == ending then
    runtime.own_headers = own
  end
end

local function feed_answer(flow, fetch, url, answer, code, message, retryable)
  if not answer then
    return core.feed_error(flow, code or "network", message, retryable)
  end
  fetch.answer, fetch.url = answer, url
  return core.feed_answer(flow, answer.status, answer.headers)
end

local function send(runtime, flow, run, method, url, headers, max_body, fresh, secret)
  local fetch = run.fetch
  local first = fetch.first
  if first then
    fetch.first = nil
    return feed_answer(flow, fetch, url, first.answer, first.code, first.message, first.retryable)
  elseif fetch.plain and secret and not runtime.own_headers then
    keep_own_headers(runtime, fetch, headers)
  end
  fetch.plain = false
  local request = {
    method = method, url = url, headers = headers, max_body = max_body, fresh = fresh, secret = secret,
    connect_timeout = runtime.connect_timeout, cancelled = fetch.cancelled,
  }
  if fetch.body ~= nil and core.fetch_sends_body(flow) then
    attach_body(fetch, request, flow)
  end
  if fetch.sink then
    local head
    request.accept = function(status, block)
      head = response.of({ status = status, headers = block }, url, runtime.decode)
      return core.fetch_accepts(flow, status, block)
    end
    request.sink = function(piece)
      return fetch.sink(piece, head)
    end
  end
  if run.deadline then
    request.timeout = run.deadline - runtime.now()
    if request.timeout <= 0 then
      return core.feed_error(flow, "timeout", "the time for this call is over")
    end
  end
  return feed_answer(flow, fetch, url, runtime.transport:send(request))
end

local NO_INIT = {}

-- Reads the caller's options that the request is made of: URL, method, header lines, which headers are among them, body.
local function read(url, init)
  check.value("fetch", 1, "url", url, "text")
  check.options("fetch", 2, init, KNOWN)
  if init == nil then
    return url, "GET", "", NO_INIT, nil
  end
  local lines, has = header_block(init.headers or NO_INIT)
  local body = read_body(init, lines, has)
  if init.query then
    url = with_query(url, init.query)
  end
  return url, init.method or (body and "POST" or "GET"), table.concat(lines), has, body
end

--- How often a request that failed in a way that passes is sent again, and after what pauses. Only requests that may arrive
--- twice are (GET, HEAD, OPTIONS, PUT, DELETE), and only within the call's time.
---@class authgear.RetryOptions
---@field retries integer|nil tries after the first (2)
---@field base number|nil seconds: the first pause is at most this long, each further one at most twice the one before (0.25)
---@field max number|nil seconds: none is longer, unless the server asks for it with Retry-After (5)

-- The flow, and what its run keeps.
local function prepare(runtime, init, url, method, block, has, body, first)
  local policy = init.on_unauthorized or runtime.on_unauthorized
  local flow, code, message, retryable = core.fetch_flow(runtime.core, method, url, block, body ~= nil,
    type(body) ~= "function", init.authorization ~= false and not has.authorization, has["user-agent"] or false,
    POLICIES[policy] or ASK, init.max_redirects or runtime.max_redirects,
    init.max_body or (init.sink and 2 ^ 53 or runtime.max_body), first ~= nil, init.retry)
  if not flow then
    return nil, errors.new(code, message, retryable)
  end
  return flow, { send = send, ask = ask, policy = policy, body = body, body_length = init.body_length, sink = init.sink,
    cancelled = init.cancelled, first = first, block = block, plain = not (has.authorization or has["user-agent"]) }
end

-- Nearly every request needs nothing of its flow: the token is fresh, nobody has changed what is stored, the answer is no
-- 401 and no redirect. So it is sent first, without one (which would cost more than all else here). Gives the response;
-- or nil and, if it was sent, what came of it, which a flow takes on from there.
local function send_at_once(runtime, url, method, block, body, timeout, max_body)
  local transport, client, own = runtime.transport, runtime.client, runtime.own_headers
  if not (own and transport.exchange) or runtime.due[1] or (runtime.has_look and record.has_changed(runtime) ~= false) then
    return nil
  end
  local version, now = core.fetch_at_once(runtime.core, url)
  if version == nil or version ~= client._version or runtime.closed or driver.refusal(runtime) then
    return nil -- what is wrong with it the flow says
  end
  local headers = block == "" and own or block .. own
  local status, lines, text, http_version = transport:exchange(method, url, headers, body, timeout,
    runtime.connect_timeout, max_body, true)
  if status and (status < 300 or (status >= 400 and not TO_FLOW[status])) then
    return response.new(status, lines, text, http_version, url, runtime.decode)
  end
  local first = { began = now }
  if status then
    -- Has the session changed meanwhile (other tasks ran)? Then it is not the token it has now that was refused.
    first.outdated = status == 401 and core.fetch_at_once(runtime.core, url) ~= version
    first.answer = { status = status, headers = lines, body = text, http_version = http_version }
  else
    first.code, first.message, first.retryable = lines, text, http_version
  end
  return nil, first
end

-- Is it one that send_at_once can send: nothing of the caller's has to be called, and the headers of ours go along?
local function is_plain(init, method, has, body)
  return METHODS[method] and type(body) ~= "function" and not (init.sink or init.cancelled or has.authorization
    or has["user-agent"]) and init.authorization ~= false
end

--- See authgear.Client:fetch.
---@return authgear.Response|nil
---@return authgear.Error|nil
function M.fetch(runtime, url, init)
  local answer, first
  if init == nil then -- anything wrong with the URL is left to what follows
    answer, first = send_at_once(runtime, url, "GET", "", nil, runtime.timeout, runtime.max_body)
    if answer then
      return answer
    end
  end
  local method, block, has, body
  url, method, block, has, body = read(url, init)
  local timeout = init and init.timeout or runtime.timeout
  if init and is_plain(init, method, has, body) then
    answer, first = send_at_once(runtime, url, method, block, body, timeout, init.max_body or runtime.max_body)
    if answer then
      return answer
    end
  end
  local began = first and first.began or runtime.now()
  if first and first.outdated and (init and init.on_unauthorized or runtime.on_unauthorized) ~= "return" then
    first = nil -- sent again, with the token it has now
  end
  local flow, fetch = prepare(runtime, init or NO_INIT, url, method, block, has, body, first)
  if not flow then
    return nil, fetch
  end
  local run = { fetch = fetch, cancelled = fetch.cancelled, deadline = began + timeout }
  local ok, err = driver.run(runtime, flow, run)
  if not ok then
    err.cause = fetch.cause
    return nil, err
  end
  return fetch.answer and response.of(fetch.answer, fetch.url, runtime.decode) or fetch.response
end

return M
