-- A server as a transport: discovery, tokens with rotation, user info, revocation and an application server, in this
-- process, so that each of its answers can be replaced by a hostile one. Its tokens are canaries.
-- Must never answer by itself what a real server would refuse.

local canary = require "spec.support.canary"
local core = require "authgear.core"
local with = require "spec.support.with"

local fake = {}
local Provider = {}
Provider.__index = Provider

fake.ENDPOINT = "https://auth.test"
fake.APP = "https://app.test"
fake.CLIENT = "canary-client"
fake.REDIRECT_URI = "http://127.0.0.1:8989/callback"

local JSON = { ["Content-Type"] = "application/json" }

--- An answer with a JSON body.
function fake.json(status, value)
  return { status = status, headers = JSON, body = type(value) == "string" and value or assert(core.json_encode(value)) }
end

local function decode_form(text)
  local fields = {}
  for name, value in (text or ""):gmatch("([^&=]+)=([^&]*)") do
    fields[name] = value:gsub("+", " "):gsub("%%(%x%x)", function(digits)
      return string.char(tonumber(digits, 16))
    end)
  end
  return fields
end
fake.decode_form = decode_form

--- A JWT with these claims; nobody checks the signature of one that came straight from the token endpoint.
function fake.jwt(claims, signature)
  return canary.base64url('{"alg":"RS256","typ":"JWT"}') .. "." .. canary.base64url(assert(core.json_encode(claims)))
    .. "." .. (signature or canary.text("signature"))
end

function fake.now()
  local _, wall = core.now()
  return math.floor(wall)
end

--- The claims of a good ID token; `more` replaces some (authgear.null-like `false` removes).
function fake.claims(more)
  local now = fake.now()
  local claims = { iss = fake.ENDPOINT, aud = { fake.CLIENT }, sub = "user-1", iat = now, exp = now + 300, auth_time = now,
    ["https://authgear.com/claims/user/can_reauthenticate"] = true }
  for name, value in pairs(more or {}) do
    if value == false then
      claims[name] = nil
    else
      claims[name] = value
    end
  end
  return claims
end

function fake.metadata()
  local e = fake.ENDPOINT
  return {
    issuer = e, authorization_endpoint = e .. "/oauth2/authorize", token_endpoint = e .. "/oauth2/token",
    userinfo_endpoint = e .. "/oauth2/userinfo", revocation_endpoint = e .. "/oauth2/revoke",
    end_session_endpoint = e .. "/oauth2/end_session", jwks_uri = e .. "/oauth2/jwks",
    token_endpoint_auth_methods_supported = { "none", "client_secret_post" },
  }
end

--- A provider. Fields to change: `answers[target]`, a function(request, provider) that answers instead of the default
--- (nil: the default all the same); `seen`, the requests so far, or nil; `on_secret(name, value)`, told of every secret it makes or sees.
function fake.new()
  return setmetatable({ serial = 0, answers = {}, counts = {}, seen = {}, on_secret = function() end, lifetime = 1800,
    ahead = 0, token_type = "Bearer" }, Provider)
end

function Provider:secret(kind)
  self.serial = self.serial + 1
  local value = canary.text(kind .. " " .. self.serial)
  self.on_secret(kind, value)
  self[kind] = value
  return value
end

--- The claims of a good ID token for the log-in under way; `more` as fake.claims.
function Provider:claims(more)
  local claims = fake.claims(more)
  if claims.nonce == nil and (more or {}).nonce ~= false then
    claims.nonce = self.nonce
  end
  return claims
end

--- The fields of a good token answer.
---@param without_refresh boolean|nil
function Provider:tokens(without_refresh)
  local id_token = fake.jwt(self:claims())
  self.on_secret("signature of the ID token", id_token:match("[^.]+$"))
  return {
    access_token = self:secret("access token"), refresh_token = not without_refresh and self:secret("refresh token") or nil,
    id_token = id_token, token_type = self.token_type, expires_in = self.lifetime, scope = "openid offline_access",
  }
end

local SETTINGS = "urn:authgear:params:oauth:grant-type:settings-action"
local ID_TOKEN = "urn:authgear:params:oauth:grant-type:id-token"
local ANONYMOUS = "urn:authgear:params:oauth:grant-type:anonymous-request"
local EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"

-- What else the token endpoint gives, by grant; nil: it refuses.
local grants = {}

function grants.authorization_code(self, form)
  if form.code == self.code and not self.action then
    self.code = nil
    self.older = not self.offline and self["access token"] or nil -- the session goes on as it is
    local tokens = self:tokens(not self.offline)
    tokens.device_secret = self.sso and self:secret "device secret" or nil
    return tokens
  end
end

function grants.refresh_token(self, form)
  return form.refresh_token == self["refresh token"] and self:tokens() or nil
end

grants[SETTINGS] = function(self, form)
  if form.code == self.code and self.action then
    self.code = nil
    return {}
  end
end

grants[ID_TOKEN] = function(self, _, request)
  self.nonce = nil
  return request.headers.Authorization == self.token_type .. " " .. self["access token"]
    and { id_token = fake.jwt(self:claims()) } or nil
end

grants[EXCHANGE] = function(self, form)
  if form.actor_token == self["device secret"] then
    self.nonce = nil
    return { access_token = canary.text "pre-authenticated", token_type = "Bearer", expires_in = 300,
      id_token = fake.jwt(self:claims()), device_secret = self:secret "device secret" }
  end
end

function grants.client_credentials(self)
  return { access_token = self:secret "machine token", token_type = self.token_type, expires_in = self.lifetime }
end

grants[ANONYMOUS] = function(self, form)
  self.on_secret("signature of the device key", form.jwt:match "[^.]+$")
  self.nonce = nil
  return form.jwt:find("..", 1, true) == nil and self:tokens() or nil
end

local default = {}

function default.challenge() -- no secret: it serves once, and nobody without the key
  return fake.json(200, { result = { token = "challenge" } })
end

function default.anonymous_signup(_, self)
  self.nonce = nil
  local tokens = self:tokens()
  tokens.id_token = nil
  return fake.json(200, { result = tokens })
end

function default.promotion_code(_, self)
  return fake.json(200, { result = { promotion_code = self:secret "promotion code" } })
end

function default.discovery()
  return fake.json(200, fake.metadata())
end

function default.token(request, self)
  local form = decode_form(request.body)
  if form.code_verifier then
    self.on_secret("code verifier", form.code_verifier)
  end
  local grant = grants[form.grant_type]
  local tokens = grant and grant(self, form, request)
  return tokens and fake.json(200, next(tokens) == nil and "{}" or tokens) or fake.json(400, { error = "invalid_grant" })
end

function default.app_session(request, self)
  local token = core.json_decode(request.body).refresh_token
  if token ~= self["refresh token"] then
    return fake.json(403, { error = { name = "Forbidden", reason = "InvalidGrant", message = "invalid refresh token", code = 403 } })
  end
  return fake.json(200, { result = { app_session_token = self:secret "app session token" } })
end

local function has_token(self, request)
  local shown = request.headers.Authorization
  return shown ~= nil and (shown == self.token_type .. " " .. tostring(self["access token"])
    or shown == self.token_type .. " " .. tostring(self.older) or shown == self.token_type .. " " .. tostring(self["machine token"]))
end

function default.userinfo(request, self)
  return has_token(self, request) and fake.json(200, { sub = "user-1" }) or fake.json(401, {})
end

function default.revoke()
  return { status = 200 }
end

function default.app(request, self)
  return has_token(self, request) and fake.json(200, { hello = "user-1" }) or fake.json(401, {})
end

local PATHS = {
  ["/.well-known/openid-configuration"] = "discovery", ["/oauth2/token"] = "token", ["/oauth2/userinfo"] = "userinfo",
  ["/oauth2/revoke"] = "revoke", ["/oauth2/app_session_token"] = "app_session",
  ["/oauth2/challenge"] = "challenge", ["/api/anonymous_user/signup"] = "anonymous_signup",
  ["/api/anonymous_user/promotion_code"] = "promotion_code",
}

function fake.target(url)
  local path = url:match("^" .. fake.ENDPOINT .. "([^?]*)")
  return path and PATHS[path] or "app"
end

--- The transport's function.
function Provider:send(request)
  local target = fake.target(request.url)
  if request.headers.DPoP then
    self.on_secret("proof", request.headers.DPoP:sub(-150)) -- before that stand the public key and the target
  end
  self.counts[target] = (self.counts[target] or 0) + 1
  if self.seen then
    self.seen[#self.seen + 1] = request
  end
  local answer = self.answers[target]
  if answer then
    local res, err = answer(request, self)
    if res ~= nil or err ~= nil then
      return res, err
    end
  end
  return default[target](request, self)
end

--- A storage that keeps one record where a spec can look at it.
function fake.storage()
  local storage = { writes = 0 }
  function storage.get() return storage.record end
  function storage.set(_, _, record) storage.record, storage.writes = record, storage.writes + 1 return true end
  function storage.del() storage.record, storage.writes = nil, storage.writes + 1 return true end
  return storage
end

--- Options for configure: this provider, and a clock that runs `self.ahead` seconds ahead.
function Provider:options(more)
  return with({
    endpoint = fake.ENDPOINT, client_id = fake.CLIENT, timeout = 5, refresh_timeout = 5, retry = false,
    transport = function(request) return self:send(request) end,
    clock = {
      monotonic = function() return core.now() + self.ahead end,
      wall = function() local _, wall = core.now() return wall + self.ahead end,
    },
  }, more)
end

--- What the browser would be redirected to after the user has logged in.
function Provider:callback(request, more)
  local scope = request.url:match "[?&]scope=([^&]*)"
  self.nonce, self.offline = request.url:match "[?&]nonce=([^&]*)", scope:find("offline_access", 1, true) ~= nil
  self.sso, self.action = scope:find("device_sso", 1, true) ~= nil, request.url:match "[?&]x_settings_action=([^&]*)"
  self.on_secret("nonce", self.nonce)
  self:secret("code")
  self.on_secret("state", request.state)
  return request.redirect_uri .. "?code=" .. core.percent_encode(self.code) .. "&state=" .. request.state .. (more or "")
end

--- Starts and finishes a log-in.
function Provider:log_in(client)
  local request = assert(client:start_authentication { redirect_uri = fake.REDIRECT_URI })
  return client:finish_authentication(self:callback(request))
end

return fake
