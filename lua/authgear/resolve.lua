--- Asking Authgear's resolver who is calling: what a request shows, and what is demanded of the user. Every check is in C
-- (src/core/bearer.c, resolver.c, jwt.c). Must never keep a token or a cookie, or put one into an error.
local check = require "authgear.check"
local core = require "authgear.core"
local driver = require "authgear.lazy" "authgear.driver"
local verifying = require "authgear.verify"

local M = {}

---@class authgear.Shown what an incoming request shows: the values of its headers
---@field authorization string|nil of its one Authorization header
---@field cookie string|nil of its Cookie headers (joined by "; ")

---@class authgear.ResolveOptions where to ask, and what is demanded of the user (see docs/verify.md)
---@field resolver_url string|nil an internal resolver; nil: the endpoint's own
---@field resolver_host string|nil the Host header for it: the project's host, by which it knows the project
---@field token_cookie string|nil the name of a cookie that holds an access token; it counts where there is no bearer token
---@field session_cookie string|nil the name of the cookie of Authgear's own session, to be sent on; it counts last
---@field roles string[]|nil the user must have every one of these
---@field any_role string[]|nil the user must have at least one of these
---@field only_verified boolean|nil the user must be verified
---@field refuse_anonymous boolean|nil the user must not be anonymous
---@field max_auth_age number|nil seconds since the user logged in
---@field skew number|nil seconds that clocks may differ (0)
---@field now number|nil|fun(): number seconds since 1970 (the system's clock)

local function cookie_name(value)
  if type(value) ~= "string" or not value:find "^[%w!#$%%&'*+%-.^_`|~]+$" then
    return "a cookie's name"
  end
end

-- A header that a transport could take apart otherwise than we do is no host.
local function host_name(value)
  if type(value) ~= "string" or not (value:find "^[%w.%-]+:?%d*$" or value:find "^%[[%x:.]+%]:?%d*$") then
    return "a host, with its port if there is one"
  end
end

--- The kinds of the options, by name.
M.KNOWN = { resolver_url = "text", resolver_host = host_name, token_cookie = cookie_name, session_cookie = cookie_name }
for _, name in ipairs(verifying.RIGHTS) do
  M.KNOWN[name] = verifying.KNOWN[name]
end

--- What C judges a resolver's answers by. The options were checked; what a resolver says nothing about is not demanded.
function M.compile(options)
  local rights = { issuer = "-" }
  for _, name in ipairs(verifying.RIGHTS) do
    rights[name] = options[name]
  end
  return verifying.compile(rights)
end

--- Asks the resolver about what core.shown has found.
---@param kind "token"|"cookie"
---@param text string
---@return string|nil headers for core.resolver_claims; "": nobody is logged in with that
---@return authgear.Error|nil err
function M.ask(runtime, options, kind, text)
  local flow, err = driver.finish(runtime, { deadline = runtime.now() + runtime.timeout }, core.resolve_flow(runtime.core,
    options.resolver_url, options.resolver_host, kind == "token" and text or nil, kind == "cookie" and text or nil))
  if not flow then
    return nil, err
  end
  return core.resolve_headers(flow)
end

local function shown(what, options)
  if type(what) == "string" then
    return core.shown("Bearer " .. what)
  end
  check.options("resolve", 1, what, { authorization = "string", cookie = "string" })
  return core.shown(what.authorization, what.cookie, options.token_cookie, options.session_cookie)
end

--- client:resolve, see there.
function M.with_client(runtime, what, options)
  if type(what) ~= "string" and type(what) ~= "table" then
    check.value("resolve", 1, "what", what, "string")
  end
  check.options("resolve", 2, options, M.KNOWN)
  options = options or {}
  local kind, text = shown(what, options)
  if kind == "none" then
    return verifying.failed("invalid_token", "the request shows no token", false, "missing")
  elseif kind == "bad" then
    return verifying.failed("invalid_token", "the token is malformed", false, "malformed")
  end
  local headers, err = M.ask(runtime, options, kind, text)
  if not headers then
    return nil, err
  end
  local time = not options.now and runtime.clock and runtime.clock.wall() or verifying.time_of(options)
  local claims, code, message, retryable, reason = core.resolver_claims(headers, M.compile(options), time)
  if not claims then
    return verifying.failed(code, message, retryable, reason)
  end
  return claims
end

return M
