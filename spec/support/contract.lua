-- Replays recorded exchanges of an Authgear server against the development server and says where the answers differ:
-- in status, in a header that matters, in the JSON's keys and types, in any value that is not free to differ
-- (tokens, ids, times). JWTs are looked into.

local http = require "spec.support.http"
local json = require "dkjson"
local mime = require "mime"

local contract = {}

local RECORDED_ORIGIN = "http://localhost:4000"
local RECORDED_HOST = "localhost:4000"

-- Headers that tell a client something. Any x-authgear-* header matters too.
local HEADERS = { "content-type", "cache-control", "pragma", "www-authenticate", "location" }

-- Members whose value is another one each time; only its form has to be the same.
local FREE = {
  access_token = true, refresh_token = true, id_token = true, app_session_token = true, device_secret = true,
  kid = true, n = true, jti = true, sub = true, sid = true, tracking_id = true, preferred_username = true,
  iat = true, ds_hash = true, exp = true, auth_time = true, created_at = true, updated_at = true, expire_at = true,
  token = true, promotion_code = true,
  ["x-authgear-user-id"] = true, ["x-authgear-session-authenticated-at"] = true, x_ref = true, x_traceparent = true,
}

-- What a later request may carry of an earlier answer.
local LEARNED = { "access_token", "refresh_token", "id_token", "token" }

local UUID = ("%x"):rep(8) .. "%-" .. (("%x"):rep(4) .. "%-"):rep(3) .. ("%x"):rep(12)
local RANDOM = ("%w"):rep(32)

local FORMS = {
  { "JWT", "^eyJ[%w_-]+%.eyJ[%w_-]+%.[%w_-]+$" },
  { "UUID", "^" .. UUID .. "$" },
  { "UUID.random", "^" .. UUID .. "%." .. RANDOM .. "$" },
  { "time", "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d+Z$" },
  { "trace", "^%x%x%-%x+%-%x+%-%x%x$" },
  { "number", "^%d+$" },
  { "hex", "^" .. ("%x"):rep(64) .. "$" },
  { "hex-hex", "^%x+%-%x+$" },
  { "32 letters", "^" .. RANDOM .. "$" },
}

local function form_of(text)
  for _, form in ipairs(FORMS) do
    if text:find(form[2]) then
      return form[1]
    end
  end
  return "text"
end

local function decode_part(part)
  local text = part:gsub("-", "+"):gsub("_", "/")
  return json.decode((mime.unb64(text .. ("="):rep(-#text % 4))), 1, json.null)
end

local function decode_jwt(token)
  local header, payload = token:match "^([^.]+)%.([^.]+)%."
  return { header = decode_part(header), payload = decode_part(payload) }
end

local function json_type(value)
  if value == json.null then
    return "null"
  end
  if type(value) == "table" then
    return getmetatable(value).__jsontype
  end
  return type(value)
end

local Comparison = {}
Comparison.__index = Comparison

function Comparison:differ(path, text, ...)
  self.differences[#self.differences + 1] = path .. ": " .. text:format(...)
end

--- A recorded string as it would read at the live server.
function Comparison:here(text)
  local from = RECORDED_ORIGIN:gsub("%p", "%%%0")
  return (text:gsub(from, (self.origin:gsub("%%", "%%%%"))))
end

function Comparison:object(path, recorded, live)
  for key in pairs(recorded) do
    if live[key] == nil then
      self:differ(path, "no member %s", key)
    end
  end
  for key, value in pairs(live) do
    if recorded[key] == nil then
      self:differ(path, "unrecorded member %s", key)
    else
      self:value(path .. "." .. key, key, recorded[key], value)
    end
  end
end

function Comparison:array(path, recorded, live)
  if #recorded ~= #live then
    self:differ(path, "%d elements instead of %d", #live, #recorded)
    return
  end
  for i = 1, #recorded do
    self:value(path .. "[" .. i .. "]", i, recorded[i], live[i])
  end
end

function Comparison:jwt(path, recorded, live)
  recorded, live = decode_jwt(recorded), decode_jwt(live)
  self:object(path .. ".header", recorded.header, live.header)
  self:object(path .. ".payload", recorded.payload, live.payload)
  -- The times are free, the time a token lasts is not.
  local function lasts(token)
    return token.payload.exp - token.payload.iat
  end
  if not (live.payload.exp and live.payload.iat) or lasts(recorded) ~= lasts(live) then
    self:differ(path, "lasts for another time than %d s", lasts(recorded))
  end
end

function Comparison:text(path, key, recorded, live)
  if not FREE[key] then
    if self:here(recorded) ~= live then
      self:differ(path, "%q instead of %q", live, self:here(recorded))
    end
  elseif form_of(recorded) ~= form_of(live) then
    self:differ(path, "has the form of %s instead of %s", form_of(live), form_of(recorded))
  elseif form_of(recorded) == "JWT" then
    self:jwt(path, recorded, live)
  end
end

function Comparison:value(path, key, recorded, live)
  local kind = json_type(recorded)
  if kind ~= json_type(live) then
    self:differ(path, "%s instead of %s", json_type(live), kind)
  elseif kind == "object" then
    self:object(path, recorded, live)
  elseif kind == "array" then
    self:array(path, recorded, live)
  elseif kind == "string" then
    self:text(path, key, recorded, live)
  elseif recorded ~= live and not FREE[key] then
    self:differ(path, "%s instead of %s", tostring(live), tostring(recorded))
  end
end

function Comparison:location(recorded, live)
  recorded = self:here(recorded)
  local function parse(url)
    local base, query = url:match "^([^?]*)%??(.*)$"
    local fields = http.parse_form(query)
    return base, setmetatable(fields, { __jsontype = "object" })
  end
  local recorded_base, recorded_query = parse(recorded)
  local live_base, live_query = parse(live)
  if recorded_base ~= live_base then
    self:differ("location", "%s instead of %s", live_base, recorded_base)
  end
  self:object("location", recorded_query, live_query)
end

function Comparison:headers(recorded, live)
  local names = {}
  for _, name in ipairs(HEADERS) do
    names[name] = true
  end
  for _, headers in ipairs { recorded, live } do
    for name in pairs(headers) do
      if name:find "^x%-authgear%-" then
        names[name] = true
      end
    end
  end
  for name in pairs(names) do
    if (recorded[name] == nil) ~= (live[name] == nil) then
      self:differ("headers", recorded[name] and "no %s" or "unrecorded %s", name)
    elseif name == "location" and recorded[name] then
      self:location(recorded[name], live[name])
    elseif recorded[name] then
      self:text("headers." .. name, name, recorded[name], live[name])
    end
  end
end

function Comparison:body(recorded, live)
  local expected, actual = json.decode(recorded, 1, json.null), json.decode(live, 1, json.null)
  if type(expected) == "table" then
    self:value("body", "body", expected, actual == nil and json.null or actual)
  elseif recorded == "<an HTML page>" then
    if not live:find "^<" then
      self:differ("body", "no HTML page")
    end
  elseif self:here(recorded) ~= live then
    self:differ("body", "%q instead of %q", live, self:here(recorded))
  end
end

local function lower(headers)
  local result = {}
  for name, value in pairs(headers) do
    result[name:lower()] = value
  end
  return result
end

--- Where a live answer differs from the recorded one.
---@param recorded table response as recorded: status, headers (nil: not recorded), body
---@param live table status, headers (lower-case names), body
---@param origin string the live endpoint
---@return string[] differences none when the contract is kept
function contract.compare(recorded, live, origin)
  local self = setmetatable({ differences = {}, origin = origin }, Comparison)
  if recorded.status ~= live.status then
    self:differ("status", "%d instead of %d", live.status, recorded.status)
  end
  if recorded.headers then
    self:headers(lower(recorded.headers), live.headers)
  end
  self:body(recorded.body, live.body)
  return self.differences
end

local Replay = {}
Replay.__index = Replay

--- Replays exchanges in their order; what an answer brings stands in for what was recorded in later requests.
---@param server table a development server
function contract.replay(server)
  return setmetatable({
    server = server,
    known = {
      [RECORDED_ORIGIN] = server.endpoint, [RECORDED_HOST] = server.endpoint:match "//(.*)$",
      ["127.0.0.1:4001"] = server.resolver:match "//(.*)$",
    },
  }, Replay)
end

--- From now on `live` stands where `recorded` was.
function Replay:learn(recorded, live)
  self.known[recorded] = live
end

function Replay:live(value)
  if type(value) ~= "string" then
    return value
  end
  local token = value:match "^Bearer (.*)$"
  if token then
    return "Bearer " .. (self.known[token] or token)
  end
  return self.known[value] or value
end

function Replay:all(fields)
  if type(fields) ~= "table" then
    return nil
  end
  local result = {}
  for name, value in pairs(fields) do
    result[name] = self:live(value)
  end
  return result
end

function Replay:learn_from(recorded, live)
  local expected, actual = json.decode(recorded.body, 1, json.null), json.decode(live.body, 1, json.null)
  if type(expected) ~= "table" or type(actual) ~= "table" then
    return
  end
  if type(expected.result) == "table" and type(actual.result) == "table" then
    expected, actual = expected.result, actual.result
  end
  for _, name in ipairs(LEARNED) do
    if type(expected[name]) == "string" and type(actual[name]) == "string" then
      self:learn(expected[name], actual[name])
    end
  end
end

--- Sends one exchange's request; returns the live answer.
function Replay:send(exchange)
  local request = exchange.request
  local origin = request.server == "resolver" and self.server.resolver or self.server.endpoint
  local body = self:all(request.json)
  local live = assert(http.request {
    method = request.method,
    url = origin .. request.path,
    headers = self:all(request.headers) or {},
    form = self:all(request.form),
    body = body and json.encode(body),
  })
  self:learn_from(exchange.response, live)
  return live
end

return contract
