-- An authorization server and an application server as a transport in Lua: rotation without a grace period, and a log
-- of what it saw. For specs that need thousands of flows, or a request at a known moment, and no network.
-- Must never be more forgiving than the real one: an old refresh token is refused, and counted.
local core = require "authgear.core"

local fake = {}
local Server = {}
Server.__index = Server

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

local function base64url(text)
  local out, bits, count = {}, 0, 0
  for i = 1, #text do
    bits, count = bits * 256 + text:byte(i), count + 8
    while count >= 6 do
      count = count - 6
      local six = math.floor(bits / 2 ^ count)
      bits = bits - six * 2 ^ count
      out[#out + 1] = ALPHABET:sub(six + 1, six + 1)
    end
  end
  if count > 0 then
    local six = bits * 2 ^ (6 - count)
    out[#out + 1] = ALPHABET:sub(six + 1, six + 1)
  end
  return table.concat(out)
end

local function decode_base64url(text)
  local out, bits, count = {}, 0, 0
  for c in text:gmatch "." do
    bits, count = bits * 64 + ALPHABET:find(c, 1, true) - 1, count + 6
    if count >= 8 then
      count = count - 8
      out[#out + 1] = string.char(math.floor(bits / 2 ^ count))
      bits = bits % 2 ^ count
    end
  end
  return table.concat(out)
end

local function decode_form(text)
  local fields = {}
  for name, value in (text or ""):gmatch("([^&=]+)=([^&]*)") do
    fields[name] = value:gsub("+", " "):gsub("%%(%x%x)", function(hex)
      return string.char(tonumber(hex, 16))
    end)
  end
  return fields
end

--- options: now() in seconds; pause(where), called before and after everything it does; lifetime of access tokens in
--- seconds (3600); dpop: tokens are bound, and every request needs a proof with the right nonce; fail(where, request)
--- -> an error for the client, or nil: where is "before" or "after" it has acted.
function fake.new(options)
  options = options or {}
  return setmetatable({
    endpoint = "https://auth.example", app = "https://app.example", client_id = "fake", redirect_uri = "app://callback",
    now = options.now or core.now, pause = options.pause or function() end, fail = options.fail or function() end,
    lifetime = options.lifetime or 3600, dpop = options.dpop, proofs = {}, serial = 0, codes = {},
    sessions = {}, tokens = {}, owners = {}, refreshes = {}, used = {}, secrets = {},
    challenges = {}, devices = {}, users = {}, promotion_codes = {},
    counts = { machine = 0, anonymous = 0, discovery = 0, refresh = 0, code = 0, userinfo = 0, revoke = 0, app = 0, reused = 0,
      refused = 0, replayed = 0, wrong_key = 0 },
  }, Server)
end

function Server:name(kind)
  self.serial = self.serial + 1
  return kind .. "-" .. self.serial .. "-secret"
end

local function json(status, value)
  return { status = status, headers = { ["Content-Type"] = "application/json" }, body = core.json_encode(value) }
end

function Server:id_token(session, nonce)
  local now = math.floor(select(2, core.now()))
  return base64url '{"alg":"RS256"}' .. "." .. base64url(core.json_encode {
    iss = self.endpoint, aud = self.client_id, sub = session.sub, iat = now, exp = now + 3600, nonce = nonce, auth_time = now,
    ["https://authgear.com/claims/user/can_reauthenticate"] = true,
  }) .. ".c2lnbmF0dXJl"
end

-- New tokens for a session; the old refresh token is used up.
function Server:issue(session, how, nonce)
  if session.refresh_token then
    self.used[session.refresh_token] = session
  end
  session.refresh_token, session.access_token = self:name "refresh", self:name "access"
  session.born, session.key = self.now(), self.key
  self.owners[session.refresh_token] = session
  self.tokens[session.access_token] = { session = session, born = session.born, how = how, key = self.key }
  return json(200, { access_token = session.access_token, refresh_token = session.refresh_token,
    token_type = self.dpop and "DPoP" or "Bearer", expires_in = self.lifetime, id_token = self:id_token(session, nonce) })
end

-- Who is meant by what a device has signed (the signature is left to the real server); nil when the challenge is not
-- one of ours, or used up.
local function read_device(self, jwt, action)
  local head, body = jwt:match "^([^.]+)%.([^.]+)%.[^.]+$"
  head, body = core.json_decode(decode_base64url(head)), core.json_decode(decode_base64url(body))
  local good = self.challenges[body.challenge] and body.action == action and head.jwk.kid == head.kid
  self.challenges[body.challenge] = nil
  return good and head.kid or nil
end

-- The anonymous user whose consent a promotion's hint carries.
local function promoted(self, hint)
  local fields = decode_form(hint:match "%?(.*)$")
  if fields.app_session_token then
    return nil
  end
  local sub = self.promotion_codes[fields.promotion_code]
  if fields.jwt then
    local kid = read_device(self, fields.jwt, "promote")
    sub = kid and self.devices[kid]
    self.devices[kid or 0] = nil
  end
  self.users[sub].anonymous = false
  return sub
end

--- What a browser would do: the callback URL. `sub`: who logs in, "user" unless it is a promotion.
function Server:visit(url, sub)
  local fields = decode_form(url:match "%?(.*)$")
  local code = self:name "code"
  local who = sub or fields.login_hint and promoted(self, fields.login_hint) or "user"
  self.codes[code] = { nonce = fields.nonce, sub = who, action = fields.x_settings_action,
    anew = not (" " .. fields.scope .. " "):find(" offline_access ", 1, true), sso = fields.scope:find("device_sso", 1, true) }
  return fields.redirect_uri .. "?state=" .. fields.state .. "&code=" .. code
end

--- Ends all sessions, as an administrator would.
function Server:revoke_all()
  for token, session in pairs(self.sessions) do
    session.revoked = true
    self.sessions[token] = nil
  end
end

local routes = {}

routes["GET /.well-known/openid-configuration"] = function(self)
  self.counts.discovery = self.counts.discovery + 1
  local at = self.endpoint
  return json(200, { issuer = at, authorization_endpoint = at .. "/authorize", token_endpoint = at .. "/token",
    userinfo_endpoint = at .. "/userinfo", revocation_endpoint = at .. "/revoke", end_session_endpoint = at .. "/end" })
end

local function refresh(self, form)
  local session = self.sessions[form.refresh_token]
  self.counts.refresh = self.counts.refresh + 1
  if not session then
    local kind = self.used[form.refresh_token] and not self.used[form.refresh_token].revoked and "reused" or "refused"
    self.counts[kind] = self.counts[kind] + 1
    return json(400, { error = "invalid_grant" })
  end
  self:check_key(session)
  table.insert(self.refreshes, { age = self.now() - session.born, at = self.now() })
  self.sessions[form.refresh_token] = nil
  local answer = self:issue(session, "refresh")
  self.sessions[session.refresh_token] = session
  return answer
end

-- A token for the client itself: no session, and nothing that could be lost with it.
local function machine(self, form)
  self.counts.machine = self.counts.machine + 1
  local token = self:name "machine"
  self.tokens[token] = { session = { sub = form.client_id }, born = self.now(), how = "machine", key = self.key }
  return json(200, { access_token = token, token_type = self.dpop and "DPoP" or "Bearer", expires_in = self.lifetime, scope = form.scope })
end

function Server:new_user()
  local sub = self:name "anonymous"
  self.users[sub] = { anonymous = true }
  return sub
end

local function anonymous(self, sub, how)
  local session = { sub = sub }
  local answer = self:issue(session, how)
  self.sessions[session.refresh_token] = session
  return answer
end

-- The same device is the same user.
local function device(self, form)
  local kid = read_device(self, form.jwt, "auth")
  self.counts.anonymous = self.counts.anonymous + 1
  if not kid then
    return json(400, { error = "invalid_grant", error_description = "InvalidCredentials" })
  end
  self.devices[kid] = self.devices[kid] or self:new_user()
  return anonymous(self, self.devices[kid], "device")
end

local function refuse(self, kind)
  self.counts[kind] = self.counts[kind] + 1
  return json(400, { error = "invalid_grant" })
end

-- The session that a request shows an access token of.
local function shown(self, request)
  local token = (request.headers.Authorization or ""):match "^%a+ (.+)$"
  local known = token and self.tokens[token]
  return known and not known.session.revoked and known.session or nil
end

-- A device secret serves once; seen again it is as bad as a refresh token that is.
local function exchange(self, form)
  local session = self.secrets[form.actor_token]
  if not session or session.revoked then
    return refuse(self, session == false and "reused" or "refused")
  end
  local secret = self:name "device"
  self.secrets[form.actor_token], self.secrets[secret] = false, session
  return json(200, { access_token = self:name "pre", token_type = "Bearer", expires_in = 300, device_secret = secret,
    id_token = self:id_token(session) })
end

-- The same user once more, or a settings action: no new session.
local function without_session(self, code)
  if code.action then
    return { status = 200, headers = {}, body = "{}" }
  end
  local token, session = self:name "access", { sub = code.sub }
  self.tokens[token] = { session = session, born = self.now(), how = "code", key = self.key }
  return json(200, { access_token = token, token_type = self.dpop and "DPoP" or "Bearer", expires_in = self.lifetime,
    id_token = self:id_token(session, code.nonce) })
end

local function add_secret(self, answer, session)
  local tokens = core.json_decode(answer.body)
  tokens.device_secret = self:name "device"
  self.secrets[tokens.device_secret] = session
  return json(200, tokens)
end

routes["POST /token"] = function(self, request)
  local form = decode_form(request.body)
  if form.grant_type == "refresh_token" then
    return refresh(self, form)
  elseif form.grant_type == "client_credentials" then
    return machine(self, form)
  elseif form.jwt then
    return device(self, form)
  elseif form.grant_type:find("token-exchange", 1, true) then
    return exchange(self, form)
  elseif form.grant_type:find("grant-type:id-token", 1, true) then
    local session = shown(self, request)
    return session and json(200, { id_token = self:id_token(session) }) or refuse(self, "refused")
  end
  self.counts.code = self.counts.code + 1
  local code = self.codes[form.code]
  if not code or (form.code_verifier or "") == "" then
    return json(400, { error = "invalid_grant" })
  end
  self.codes[form.code] = nil
  if code.anew or code.action then
    return without_session(self, code)
  end
  local session = { sub = code.sub }
  local answer = self:issue(session, "code", code.nonce)
  self.sessions[session.refresh_token] = session
  return code.sso and add_secret(self, answer, session) or answer
end

routes["POST /oauth2/app_session_token"] = function(self, request)
  local session = self.sessions[core.json_decode(request.body).refresh_token]
  return session and json(200, { result = { app_session_token = self:name "app" } })
    or json(403, { error = { reason = "InvalidGrant", message = "invalid refresh token" } })
end

routes["POST /oauth2/challenge"] = function(self)
  local token = self:name "challenge"
  self.challenges[token] = true
  return json(200, { result = { token = token } })
end

routes["POST /api/anonymous_user/signup"] = function(self, request)
  local token = core.json_decode(request.body).refresh_token
  local session = token and self.sessions[token]
  self.counts.anonymous = self.counts.anonymous + 1
  if token and not (session and self.users[session.sub] and self.users[session.sub].anonymous) then
    return json(403, { error = { reason = "InvalidGrant", message = "invalid refresh token" } })
  elseif session then
    session.access_token, session.born = self:name "access", self.now()
    self.tokens[session.access_token] = { session = session, born = session.born, how = "signup", key = self.key }
    return json(200, { result = { access_token = session.access_token, token_type = self.dpop and "DPoP" or "Bearer",
      expires_in = self.lifetime } })
  end
  local answer = core.json_decode(anonymous(self, self:new_user(), "signup").body)
  answer.id_token = nil
  return json(200, { result = answer })
end

routes["POST /api/anonymous_user/promotion_code"] = function(self, request)
  local session = self.sessions[core.json_decode(request.body).refresh_token]
  if not session or not self.users[session.sub].anonymous then
    return json(400, { error = { reason = "Invalid", message = "user logged in as normal user" } })
  end
  local code = self:name "promotion"
  self.promotion_codes[code] = session.sub
  return json(200, { result = { promotion_code = code } })
end

routes["POST /revoke"] = function(self, request)
  self.counts.revoke = self.counts.revoke + 1
  local token = decode_form(request.body).token
  local session = self.sessions[token]
  if session then
    session.revoked = true
    self.sessions[token] = nil
  end
  return json(200, {})
end

-- Is what is bound shown with its key?
function Server:check_key(bound)
  if bound and bound.key ~= self.key then
    self.counts.wrong_key = self.counts.wrong_key + 1
  end
end

-- Is the bearer token good? It is not when its session has ended or its time is over.
local function authorized(self, request)
  local token = (request.headers.Authorization or ""):match(self.dpop and "^DPoP (.+)$" or "^Bearer (.+)$")
  local known = token and self.tokens[token]
  if self.on_token and token then
    self.on_token(token, known and known.how, request)
  end
  self:check_key(known)
  return known and not known.session.revoked and self.now() - known.born < self.lifetime
end

routes["GET /userinfo"] = function(self, request)
  self.counts.userinfo = self.counts.userinfo + 1
  local known = authorized(self, request)
  if not known then
    return json(401, {})
  end
  local token = request.headers.Authorization:match "^%a+ (.+)$"
  local sub = self.tokens[token].session.sub
  local user = self.users[sub] or {}
  return json(200, { sub = sub, ["https://authgear.com/claims/user/is_anonymous"] = user.anonymous or false })
end

local function application(self, request)
  self.counts.app = self.counts.app + 1
  return authorized(self, request) and json(200, { hello = "world" }) or json(401, {})
end

-- What is wrong with the request's proof: an answer, or nil. A used one is as bad as an unknown refresh token.
local function check_proof(self, request)
  local head, claims = (request.headers.DPoP or ""):match "^([%w_-]+)%.([%w_-]+)%.[%w_-]+$"
  local nonce = "nonce-of-" .. request.url:match "^https://([^/]+)"
  local answer = json(400, { error = "use_dpop_nonce" })
  if head then
    head, claims = core.json_decode(decode_base64url(head)), core.json_decode(decode_base64url(claims))
    assert(claims.htm == request.method and claims.htu == request.url:match "^[^?]*" and head.typ == "dpop+jwt")
    assert((claims.ath ~= nil) == (request.headers.Authorization ~= nil))
    if self.proofs[claims.jti] then
      self.counts.replayed = self.counts.replayed + 1
      return json(400, { error = "invalid_grant" })
    end
    self.proofs[claims.jti] = true
    if claims.nonce == nonce then
      self.key = head.jwk.x
      return nil
    end
  end
  answer.status = request.headers.Authorization and 401 or 400
  answer.headers = { ["DPoP-Nonce"] = nonce, ["WWW-Authenticate"] = 'DPoP error="use_dpop_nonce"' }
  return answer
end

local PROVED = { ["/token"] = true, ["/userinfo"] = true, ["/api/anonymous_user/signup"] = true }

-- Acts on a request, at once.
function Server:act(request)
  local path = request.url:match "^https://auth%.example([^?]*)"
  local refused = self.dpop and (path == nil or PROVED[path]) and check_proof(self, request)
  if refused then
    return refused
  end
  local route = path and routes[request.method .. " " .. path] or not path and application
  return route and route(self, request) or json(404, {})
end

--- The transport's function, in the shape of a user's own client.
function Server:send(request)
  self.pause("before", request)
  local err = self.fail("before", request)
  if err then
    return nil, err
  end
  local answer = self:act(request)
  self.pause("after", request)
  err = self.fail("after", request)
  if err then
    return nil, err
  end
  return answer
end

--- How many sessions live.
function Server:live()
  local n = 0
  for _ in pairs(self.sessions) do
    n = n + 1
  end
  return n
end

--- Is the record what it should be: none, or one with a session's present refresh token? One whose session was ended
--- here is as good, for nobody has told the client yet.
function Server:agrees(record)
  local token = record and core.json_decode(record).refresh_token
  local session = token and self.owners[token]
  return token == nil or session ~= nil and (session.revoked or session.refresh_token == token)
end

local Prepared = {}
Prepared.__index = Prepared

function Prepared:perform()
  if not self.answer then
    self.server.atomic(function()
      self.answer = self.server:act(self.request)
    end)
  end
end

function Prepared:result()
  local lines = {}
  for name, value in pairs(self.answer.headers) do
    lines[#lines + 1] = name .. ": " .. value .. "\r\n"
  end
  return { status = self.answer.status, headers = table.concat(lines), body = self.answer.body }
end

--- The transport in the driver's own shape, which prepares requests: what is sent and its answer are one, as in the
--- C module. atomic(fn) runs fn undisturbed.
function Server:port(atomic)
  self.atomic = atomic
  local port = {}
  function port.prepare(_, request)
    local headers = {}
    for name, value in (request.headers or ""):gmatch "([^:\r\n]+): ([^\r\n]*)\r\n" do
      headers[name] = value
    end
    request = { method = request.method, url = request.url, headers = headers, body = request.body }
    return setmetatable({ server = self, request = request }, Prepared)
  end
  function port.send(_, request)
    local prepared = port:prepare(request)
    prepared:perform()
    return prepared:result()
  end
  return port
end

return fake
