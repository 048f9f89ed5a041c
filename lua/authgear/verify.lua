--- Verifying access tokens here, without asking the server: the policy as users write it, and the claims they get.
-- Every check is in C (src/core/jwt.c). Must never keep a token, or put one into an error.
local check = require "authgear.check"
local core = require "authgear.core"
local driver = require "authgear.lazy" "authgear.driver"
local errors = require "authgear.errors"

local jwt_verify = core.jwt_verify

local M = {}

---@class authgear.Policy what a token must be, see docs/verify.md
---@field issuer string `iss`, to the letter: the endpoint
---@field jwks string|authgear.Jwks|nil the issuer's keys: a JWKS as JSON text, or what authgear.jwks made of it
---@field audience string|string[]|nil `aud` must hold one of these (the issuer)
---@field algorithms string[]|nil of RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA ({"RS256", "ES256"})
---@field typ string|string[]|nil the header's `typ` must be one of these ("at+jwt")
---@field skew number|nil seconds that clocks may differ (0)
---@field now number|nil|fun(): number seconds since 1970 (the system's clock)
---@field client_ids string[]|nil `client_id` must be one of these
---@field scopes string[]|nil the token must have every one of these
---@field roles string[]|nil the user must have every one of these
---@field any_role string[]|nil the user must have at least one of these
---@field only_verified boolean|nil the user must be verified
---@field refuse_anonymous boolean|nil the user must not be anonymous
---@field max_auth_age number|nil seconds since the user logged in
---@field max_bytes integer|nil of a token (16384)
---@field cache integer|nil how many verified tokens authgear.policy remembers, to save checking their signatures again (0)

---@class authgear.Claims
---@field user_id string `sub`
---@field issuer string
---@field audience string[]
---@field client_id string|nil
---@field scope string|nil
---@field roles string[] empty when there are none
---@field amr string[]
---@field is_anonymous boolean|nil nil: the token does not say (a machine's)
---@field is_verified boolean|nil
---@field can_reauthenticate boolean|nil
---@field expires_at number seconds since 1970
---@field issued_at number|nil
---@field authenticated_at number|nil
---@field token_id string|nil `jti`
---@field payload string all claims as the JSON text that was signed
---@field raw table<string, any> the same as a table, made when it is first asked for

local ALGORITHMS = { RS256 = true, RS384 = true, RS512 = true, PS256 = true, PS384 = true, PS512 = true, ES256 = true,
  ES384 = true, ES512 = true, EdDSA = true }
local MAX_LIST = 64
-- Of a client's key set, seconds: asked for anew when it is older; used on, if that fails, until it is older than this; and
-- for a key id that it lacks, or after a failure, the server is asked at most that often.
local MAX_AGE, STALE, INTERVAL = 3600, 86400, 60
local FIRST_INTERVAL = 1 -- while there are no keys at all
M.MAX_AGE, M.STALE, M.INTERVAL, M.FIRST_INTERVAL = MAX_AGE, STALE, INTERVAL, FIRST_INTERVAL

-- What C makes of a token has this metatable; `raw` is decoded when it is first asked for.
function core.claims_metatable.__index(claims, key)
  if key == "raw" then
    local raw = core.json_decode(claims.payload)
    rawset(claims, "raw", raw)
    return raw
  end
end

---@class authgear.Jwks
local Jwks = {}
Jwks.__index = Jwks

---@class authgear.CompiledPolicy
local Compiled = {}
Compiled.__index = Compiled

local function texts(value)
  if type(value) == "table" then
    for i = 1, math.max(#value, 1) do
      if type(value[i]) ~= "string" or value[i] == "" or value[i]:find("%z") then
        return "a list of strings"
      end
    end
    if #value > MAX_LIST then
      return "a list of at most " .. MAX_LIST .. " strings"
    end
  elseif type(value) ~= "string" or value == "" or value:find("%z") then
    return "a string or a list of strings"
  end
end

local function text_list(value)
  return type(value) ~= "table" and "a list of strings" or texts(value)
end

local function algorithms(value)
  local expected = text_list(value)
  for _, name in ipairs(not expected and value or {}) do
    if not ALGORITHMS[name] then
      return "a list of RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA (nothing else is ever accepted)"
    end
  end
  return expected
end

local function seconds(value)
  if type(value) ~= "number" or not (value >= 0 and value <= 1e9) then
    return "a number of seconds, not negative"
  end
end

local function skew(value)
  return (seconds(value) or value > 600) and "a number of seconds from 0 to 600" or nil
end

local function now(value)
  if type(value) ~= "function" and (type(value) ~= "number" or not (value >= 0 and value <= 1e12)) then
    return "a number of seconds since 1970, or a function"
  end
end

local function keys(value)
  if type(value) ~= "string" and getmetatable(value) ~= Jwks then
    return "a string, or what authgear.jwks made"
  end
end

local function bytes(value)
  if type(value) ~= "number" or value < 1 or value > 1048576 or value ~= math.floor(value) then
    return "a whole number of bytes, at most 1048576"
  end
end

local function entries(value)
  if type(value) ~= "number" or value < 0 or value > 1e6 or value ~= math.floor(value) then
    return "a whole number from 0 to 1000000"
  end
end

local KNOWN = {
  issuer = "text", jwks = keys, audience = texts, algorithms = algorithms, typ = texts, skew = skew, now = now,
  client_ids = text_list, scopes = text_list, roles = text_list, any_role = text_list, only_verified = "boolean",
  refuse_anonymous = "boolean", max_auth_age = seconds, max_bytes = bytes, cache = entries,
}

--- What may be demanded of a user, whoever says who it is: the kinds of these options.
M.RIGHTS = { "skew", "now", "roles", "any_role", "only_verified", "refuse_anonymous", "max_auth_age" }

--- The kinds of a policy's options, by name.
M.KNOWN = KNOWN

local function list(value, default)
  if value == nil then
    return { default }
  end
  return type(value) == "string" and { value } or value
end

local function failed(code, message, retryable, reason)
  local err = errors.new(code, message, retryable)
  err.reason = reason
  return nil, err
end
M.failed = failed

--- Reads a key set (RFC 7517), to be used for many tokens.
---@param text string JSON
---@return authgear.Jwks|nil
---@return authgear.Error|nil err `jwks`, `memory`
function M.jwks(text)
  check.value("jwks", 1, "text", text, "string")
  local set, count, usable, retryable = core.jwks(text)
  if not set then
    return failed(count, usable, retryable)
  end
  return setmetatable({ core = set, count = count, usable = usable }, Jwks)
end

--- What C judges by. The options were checked.
---@param options authgear.Policy
function M.compile(options)
  return core.jwt_policy {
    issuer = options.issuer, audience = list(options.audience, options.issuer), typ = list(options.typ, "at+jwt"),
    algorithms = options.algorithms or { "RS256", "ES256" }, client_ids = options.client_ids, scopes = options.scopes,
    roles = options.roles, any_role = options.any_role, only_verified = options.only_verified,
    refuse_anonymous = options.refuse_anonymous, skew = options.skew, max_auth_age = options.max_auth_age,
    max_bytes = options.max_bytes,
  }
end

--- Checks a policy and makes it ready, for use with many tokens. Later changes of the table change nothing.
---@param options authgear.Policy
---@return authgear.CompiledPolicy|nil
---@return authgear.Error|nil err `jwks`: the key set cannot be used; `memory`
function M.policy(options)
  check.options("policy", 1, options, KNOWN, { "issuer" })
  local set = options.jwks
  if type(set) == "string" then
    local read, err = M.jwks(set)
    if not read then
      return nil, err
    end
    set = read
  end
  local compiled = M.compile(options)
  local cache, code, message, retryable
  if (options.cache or 0) > 0 then
    cache, code, message, retryable = core.jwt_cache(options.cache)
    if not cache then
      return failed(code, message, retryable)
    end
  end
  return setmetatable({ core = compiled, jwks = set, now = options.now, cache = cache,
    cache_size = options.cache, cached_for = set }, Compiled)
end

--- The time to judge by, in seconds since 1970.
---@param policy { now: number|nil|fun(): number }
---@return number
local function time_of(policy)
  local given = policy.now
  if type(given) == "function" then
    given = given()
    if type(given) ~= "number" or given ~= given then
      check.misuse("the policy's function 'now' gave no number of seconds")
    end
  end
  if given then
    return given
  end
  local _, wall = core.now()
  return wall
end
M.time_of = time_of

--- Verifies an access token (RFC 7519, 8725, 9068) against the issuer's keys. No network call.
---@param token string
---@param policy authgear.Policy|authgear.CompiledPolicy `jwks` is needed
---@return authgear.Claims|nil
---@return authgear.Error|nil err `invalid_token` (see `reason`), `unknown_key`: no key has the token's kid, newer ones
--- may; `insufficient_scope`, `insufficient_user_authentication`: a good token that is not enough; `jwks`, `memory`
function M.verify(token, policy)
  if type(token) ~= "string" then
    check.value("verify", 1, "token", token, "string")
  end
  if getmetatable(policy) ~= Compiled then
    check.options("verify", 2, policy, KNOWN, { "issuer", "jwks" })
    local compiled, err = M.policy(policy)
    if not compiled then
      return nil, err
    end
    policy = compiled
  elseif not policy.jwks then
    check.fail("verify", 2, "option 'jwks' is missing")
  end
  local claims, code, message, retryable, reason = jwt_verify(token, policy.jwks.core, policy.core, time_of(policy), policy.cache)
  if not claims then
    return failed(code, message, retryable, reason)
  end
  return claims
end

--- Asks the server for its keys.
---@return authgear.Jwks|nil
---@return authgear.Error|string issuer the error, or whose keys they are
---@return string|nil text the key set as it came
function M.fetch(runtime)
  local flow, code, message, retryable = core.jwks_flow(runtime.core)
  if not flow then
    return failed(code, message, retryable)
  end
  local ok, err = driver.run(runtime, flow, { deadline = runtime.now() + runtime.timeout })
  if not ok then
    return nil, err
  end
  local set, count, usable, issuer = core.jwks_of(flow)
  return setmetatable({ core = set, count = count, usable = usable }, Jwks), issuer, core.jwks_text(flow)
end

-- The same for a client; what was known stays if that fails.
local function fetch_keys(runtime, state)
  state.tried = runtime.now()
  local fetched, issuer = M.fetch(runtime)
  if not fetched then
    state.failure = issuer
    return nil, issuer
  end
  state.keys, state.issuer, state.fetched, state.failure = fetched, issuer, runtime.now(), nil
  return true
end

-- Brings the client's keys up to date. False: there are none that may be used.
local function have_keys(runtime, state)
  local time = runtime.now()
  local age = state.keys and time - state.fetched
  local waited = state.tried and time - state.tried or math.huge
  if age and (age <= MAX_AGE or (waited < INTERVAL and age <= STALE)) then
    return true
  elseif state.failure and waited < (age and INTERVAL or FIRST_INTERVAL) then
    return nil, state.failure
  end
  local ok, err = fetch_keys(runtime, state)
  if ok or (age and age <= STALE) then
    return true
  end
  return nil, err
end

local function judge(runtime, state, token, policy)
  if policy.cache and policy.cached_for ~= state.keys then
    policy.cache, policy.cached_for = core.jwt_cache(policy.cache_size), state.keys
  end
  local time = not policy.now and runtime.clock and runtime.clock.wall() or time_of(policy)
  return jwt_verify(token, state.keys.core, policy.core, time, policy.cache)
end

--- client:verify, see there.
function M.with_client(runtime, token, policy)
  check.value("verify", 1, "token", token, "string")
  if getmetatable(policy) ~= Compiled then
    policy = check.options("verify", 2, policy, KNOWN)
  end
  if policy and policy.jwks then
    check.fail("verify", 2, "a client has keys of its own: leave out option 'jwks'")
  end
  local state = runtime.verifying
  if not state then
    state = {}
    runtime.verifying = state
  end
  local ok, err = have_keys(runtime, state)
  if not ok then
    return nil, err
  end
  if getmetatable(policy) ~= Compiled then
    local options = { issuer = state.issuer }
    for name, value in pairs(policy or {}) do
      options[name] = value
    end
    options.cache = nil
    policy = M.policy(options)
  end
  local claims, code, message, retryable, reason = judge(runtime, state, token, policy)
  if code == "unknown_key" and runtime.now() - state.tried >= INTERVAL and fetch_keys(runtime, state) then
    claims, code, message, retryable, reason = judge(runtime, state, token, policy)
  end
  if not claims then
    return failed(code, message, retryable, reason)
  end
  return claims
end

return M
