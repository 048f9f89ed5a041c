--- protect{}: finds out who is calling, in access_by_lua, and lets nobody else in. What a token or an answer must be is decided
-- in C; here is what that means for the request. Must never let in what it could not judge, keep a token, or log one.
local check = require "authgear.check"
local core = require "authgear.core"
local clients = require "authgear.client"
local resolving = require "authgear.resolve"
local verifying = require "authgear.verify"

local answers = require "authgear.openresty.answers"
local denials = require "authgear.openresty.denial"
local headers = require "authgear.openresty.headers"
local host = require "authgear.openresty.host"
local keys = require "authgear.openresty.keys"
local laid = require "authgear.openresty.options"
local memory = require "authgear.openresty.memory"

local get_phase = ngx.get_phase

local M = {}

---@class authgear.ProtectOptions : authgear.Policy, authgear.ResolveOptions
---@field endpoint string of the project, as in configure
---@field mode "jwt"|"resolver"|"jwt+resolver" how a token is judged: here, by the resolver, or by both
---@field dict string|nil the lua_shared_dict for keys and answers ("authgear")
---@field optional boolean|nil requests that show no token pass, with no user (those with a bad one don't)
---@field resolver_ttl number|nil seconds for which the resolver's answer about a token is used (1; with "jwt+resolver" 60)
---@field negative_ttl number|nil seconds for which a refused token is known to be one (1)
---@field on_resolver_error "deny"|"jwt"|nil when the resolver cannot be asked: nobody gets in, or whose token is good ("deny")
---@field cache integer|nil how many tokens each worker remembers (10000)
---@field request_headers boolean|nil tell the upstream by X-Authgear-* headers who is calling (true)
---@field realm string|nil in WWW-Authenticate ("api")
---@field login_url string|nil where pages are redirected that lack a good token; "{url}" in it: the page's own URL, escaped
---@field on_denied nil|fun(denial: authgear.Denial) answers those that are not let in
---@field client_options authgear.Options|nil more options of configure, for asking the endpoint: timeout, ca_file, proxy ...

local PHASES = { rewrite = true, access = true, content = true, server_rewrite = true }
local MODES = { jwt = { jwt = true }, resolver = { resolver = true }, ["jwt+resolver"] = { jwt = true, resolver = true } }
local WITH_RESOLVER = { "resolver_url", "resolver_host", "session_cookie", "resolver_ttl", "on_resolver_error" }
local WITH_JWT = { "issuer", "audience", "algorithms", "typ", "client_ids", "scopes", "max_bytes" }

local function one_of(list)
  return require("authgear.kinds").one_of(list)
end

local function seconds(value)
  if type(value) ~= "number" or not (value >= 0 and value <= 3600) then
    return "a number of seconds from 0 to 3600"
  end
end

local function quotable(value)
  if type(value) ~= "string" or value:find '["\\%c]' then
    return "a string without quotes, backslashes and control characters"
  end
end

local KNOWN = {
  endpoint = "text", mode = one_of { "jwt", "resolver", "jwt+resolver" }, dict = "text", optional = "boolean", resolver_ttl = seconds,
  negative_ttl = seconds, on_resolver_error = one_of { "deny", "jwt" }, request_headers = "boolean", realm = quotable,
  login_url = quotable, on_denied = "function", client_options = "table",
}
for name, kind in pairs(verifying.KNOWN) do
  KNOWN[name] = name ~= "jwks" and kind or nil
end
for name, kind in pairs(resolving.KNOWN) do
  KNOWN[name] = kind
end

-- ---- making a guard ----

local Guard = {}
Guard.__index = Guard

local function check_mode(options, mode)
  for _, name in ipairs(mode.resolver and {} or WITH_RESOLVER) do
    if options[name] ~= nil then
      check.fail("protect", 1, "option '" .. name .. "' needs a mode with the resolver")
    end
  end
  local has_jwt = mode.jwt or options.on_resolver_error == "jwt"
  for _, name in ipairs(has_jwt and {} or WITH_JWT) do
    if options[name] ~= nil then
      check.fail("protect", 1, "option '" .. name .. "' is about tokens, of which the resolver says nothing: it needs a mode with jwt")
    end
  end
  for _, scope in ipairs(options.scopes or {}) do
    if quotable(scope) or scope:find " " then
      check.fail("protect", 1, "option 'scopes' must be a list of scopes, without spaces and quotes in them")
    end
  end
  if mode.jwt and options.session_cookie then
    check.fail("protect", 1, "option 'session_cookie' needs the mode \"resolver\": the cookie is no token")
  end
end

local function make_client(options)
  local all = { endpoint = options.endpoint, client_id = "protect", timeout = 5, retry = { retries = 1, base = 0.05 }, host = host }
  local client = clients.new()
  local ok, err = client:configure(laid.over(all, options.client_options or {}))
  if not ok then
    error(err, 0)
  end
  return client
end

local function id_of(...)
  return ngx.encode_base64(ngx.sha1_bin(table.concat({ ... }, "\n"))):sub(1, 12)
end

--- Makes a guard. Wrong options raise.
---@param options authgear.ProtectOptions
---@return fun() guard to be called in access_by_lua; it returns when the request may go on, and ends the request otherwise
function M.protect(options)
  options = check.options("protect", 1, options, KNOWN, { "endpoint", "mode" })
  local mode = MODES[options.mode]
  check_mode(options, mode)
  local dict = ngx.shared[options.dict or "authgear"]
  if not dict then
    check.fail("protect", 1, "there is no lua_shared_dict of the name that option 'dict' gives (\"authgear\" if it does not)")
  end
  local self = setmetatable({ mode = mode, known = memory.new(options.cache or 10000), refused = memory.new(1000) }, Guard)
  self.options = setmetatable({ realm = options.realm or "api" }, { __index = options })
  self.client = make_client(options)
  local runtime = self.client._runtime
  if mode.jwt or options.on_resolver_error == "jwt" then
    self.keys = keys.new(runtime, dict, id_of(options.endpoint))
  end
  if mode.resolver then
    self.rights = resolving.compile(options)
    self.answers = answers.new(runtime, dict, id_of(options.endpoint, options.resolver_url or "", options.resolver_host or ""), options,
      options.resolver_ttl or (mode.jwt and 60 or 1), options.negative_ttl or 1)
  end
  self.now = options.now and function() return verifying.time_of(options) end or headers.now
  self.sets_headers = options.request_headers ~= false
  self.token_cookie, self.session_cookie = options.token_cookie, options.session_cookie
  self.takes_cookies = (options.token_cookie or options.session_cookie) ~= nil
  if self.keys and get_phase() == "init_worker" then
    self.keys:warm()
  end
  return function()
    return self:run()
  end
end

-- ---- judging what is not known yet ----

-- What a request is told by: who is calling, until when that is known, and the headers for the upstream.
local function admission(claims, since, until_)
  return { claims = claims, headers = headers.of(claims), since = since, until_ = until_ }
end

local function refusal(self, err, reason, since)
  return { denial = denials.new(err, reason, self.options), since = since, until_ = since + (self.options.negative_ttl or 1) }
end

-- The codes that are a verdict about the caller; anything else is a failure of ours or the server's.
local VERDICTS = { invalid_token = true, insufficient_scope = true, insufficient_user_authentication = true }

local function unavailable(self, err, now)
  ngx.log(ngx.ERR, "authgear: a caller could not be judged: ", err and tostring(err) or "no answer in time")
  return refusal(self, "temporarily_unavailable", err and err.code, now), true
end

-- Until when what was found out at that time stays true.
local function last_moment(self, claims, until_)
  local skew, age = self.options.skew or 0, self.options.max_auth_age
  if claims.expires_at and claims.expires_at + skew < until_ then
    until_ = claims.expires_at + skew
  end
  if age and claims.authenticated_at + age + skew < until_ then
    until_ = claims.authenticated_at + age + skew
  end
  return until_
end

local function verify(self, token, now)
  local held = self.keys
  if self.policy_for ~= held.issuer then
    local policy = setmetatable({ issuer = self.options.issuer or held.issuer }, { __index = self.options })
    self.policy, self.policy_for = verifying.compile(policy), held.issuer
  end
  return core.jwt_verify(token, held.set.core, self.policy, now)
end

-- A token by its own claims: an admission, or a refusal and whether it must not be kept.
local function judge_jwt(self, token, now)
  local ok, why = self.keys:ensure()
  if not ok then
    return unavailable(self, why, now)
  end
  local claims, code, message, _, reason = verify(self, token, now)
  if code == "unknown_key" then
    if self.keys:lacks() then
      claims, code, message, _, reason = verify(self, token, now)
    end
    if code == "unknown_key" then
      return refusal(self, "invalid_token", "kid", now), true
    end
  end
  if claims then
    return admission(claims, now, last_moment(self, claims, math.huge))
  elseif VERDICTS[code] then
    return refusal(self, code, reason, now)
  end
  return unavailable(self, { code = code, message = message }, now)
end

-- The resolver's newer word about a user that the token named as well.
local function merge(claims, newer)
  local merged = {}
  for name, value in pairs(claims) do
    merged[name] = value
  end
  for name, value in pairs(newer) do
    if name ~= "audience" then
      merged[name] = value
    end
  end
  return merged
end

local function without_resolver(self, local_one, kind, text, err, now)
  if self.options.on_resolver_error ~= "jwt" or kind ~= "token" then
    return unavailable(self, err, now)
  end
  local one, do_not_keep = local_one, false
  if not one then
    one, do_not_keep = judge_jwt(self, text, now)
  end
  if one.denial then
    if one.denial.reason == "parts" then -- it is opaque: nobody but the resolver can say anything about it
      return unavailable(self, err, now)
    end
    return one, do_not_keep
  end
  return admission(one.claims, now, math.min(one.until_, now + (self.options.negative_ttl or 1)))
end

local function judge_by_resolver(self, local_one, hash, kind, text)
  local answer, err = self.answers:about(hash, kind, text)
  local now = self.now()
  if not answer then
    return without_resolver(self, local_one, kind, text, err, now)
  end
  local claims, code, message, _, reason = core.resolver_claims(answer.headers, self.rights, now)
  if not claims then
    if VERDICTS[code] then
      return refusal(self, code, reason, now)
    end
    return unavailable(self, { code = code, message = message }, now)
  end
  local until_ = last_moment(self, claims, answer.until_)
  if local_one then
    if local_one.claims.user_id ~= claims.user_id then
      return unavailable(self, { code = "user_mismatch" }, now)
    end
    claims, until_ = merge(local_one.claims, claims), math.min(until_, local_one.until_)
  end
  return admission(claims, answer.asked, until_)
end

local function judge(self, hash, kind, text, now)
  local one, do_not_keep
  if self.mode.jwt then
    one, do_not_keep = judge_jwt(self, text, now)
  end
  if self.mode.resolver and not (one and one.denial) then
    one, do_not_keep = judge_by_resolver(self, one, hash, kind, text)
  end
  return one, do_not_keep
end

-- ---- the request ----

-- What was verified by keys that are no longer held, or are too old, is not known any more.
local function forget_with_keys(self)
  local held = self.keys
  local may_be_used = held:look()
  if self.known_for ~= held.set or (held.set and not may_be_used) then
    self.known:forget()
    self.refused:forget()
    self.known_for = held.set
  end
end

-- What is not known yet. header_hash: of the Authorization header; where cookies count, what they show is known by itself.
local function decide_anew(self, header_hash, now)
  local token_cookie, session_cookie = self.token_cookie, self.session_cookie
  local authorization, cookies = ngx.var.http_authorization, self.takes_cookies and ngx.var.http_cookie or nil
  local hash, what = core.shown_key(authorization, cookies, token_cookie, session_cookie)
  if what == "bad" then
    return refusal(self, "invalid_request", "malformed", now)
  elseif not hash then
    return not self.options.optional and refusal(self, nil, "missing", now) or nil
  end
  local name = self.takes_cookies and hash or header_hash
  local one = self.takes_cookies and (self.known:get(hash, now) or self.refused:get(hash, now))
  if not one then
    local kind, text = core.shown(authorization, cookies, token_cookie, session_cookie)
    local do_not_keep
    one, do_not_keep = judge(self, hash, kind, text, now)
    if not do_not_keep then
      (one.denial and self.refused or self.known):put(name, one)
    end
  end
  return one
end

-- The admission or refusal of this request; nil: it shows nothing, and needs not.
local function decide(self)
  if self.keys then
    forget_with_keys(self)
  end
  local authorizations, header_hash = headers.clean()
  local now = self.now()
  if not authorizations then
    return refusal(self, "invalid_request", "malformed", now)
  elseif authorizations == 1 and not self.takes_cookies then
    local one = self.known:get(header_hash, now) or self.refused:get(header_hash, now)
    if one then
      return one
    end
  elseif authorizations > 1 then
    return refusal(self, "invalid_request", "doubled", now)
  end
  return decide_anew(self, header_hash, now)
end

local has_clone, clone = pcall(require, "table.clone") -- LuaJIT as OpenResty has it: without a loop, which could not be compiled

local function copy_list(list)
  local copy
  if has_clone then
    copy = clone(list)
    return copy
  end
  copy = {}
  for i = 1, #list do
    copy[i] = list[i]
  end
  return copy
end

-- Each request has a table of its own, for what it does to it is nobody else's affair.
local function identity(claims)
  return {
    user_id = claims.user_id, client_id = claims.client_id, scope = claims.scope, roles = copy_list(claims.roles),
    amr = copy_list(claims.amr), is_anonymous = claims.is_anonymous, is_verified = claims.is_verified,
    can_reauthenticate = claims.can_reauthenticate, authenticated_at = claims.authenticated_at, expires_at = claims.expires_at,
  }
end

-- Nil: the request may go on. Else why not.
local function enter(self)
  local one = decide(self)
  if one == nil then
    ngx.ctx.authgear = nil
    return nil
  elseif one.denial then
    return one.denial
  end
  ngx.ctx.authgear = identity(one.claims)
  if self.sets_headers then
    headers.set(one.headers)
  end
  return nil
end

local function answer(self, denial)
  if self.options.on_denied then
    self.options.on_denied(denial)
  end
  if not ngx.headers_sent then
    denials.answer(denial, self.options)
  end
end

--- In the request. Returns when it may go on.
function Guard:run()
  if not PHASES[get_phase()] then
    check.misuse("a guard of protect{} works in access_by_lua (or rewrite, content), not in the phase " .. get_phase())
  end
  local ok, denial = pcall(enter, self)
  if ok and denial == nil then
    return
  elseif not ok then
    ngx.log(ngx.ERR, "authgear: an error in protect{}, nobody is let in: ", tostring(denial))
    denial = denials.new("server_error", "error", self.options)
  end
  local answered, why = pcall(answer, self, denial)
  if not answered then
    ngx.log(ngx.ERR, "authgear: an error in answering: ", tostring(why))
    return ngx.exit(500)
  end
  return ngx.exit(ngx.HTTP_OK)
end

return M
