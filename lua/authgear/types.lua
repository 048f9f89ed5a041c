---@meta authgear.types
-- The types of the face, for the Lua language server. Must never be loaded: nothing here runs, and reading it costs time.

---@class authgear.Options
---@field endpoint string the Authgear endpoint (or another OpenID provider's issuer), https unless it is loopback
---@field client_id string
---@field client_secret string|nil of a confidential client
---@field token_endpoint_auth_method "client_secret_basic"|"client_secret_post"|nil how the secret goes to the token endpoint (as the
--- server's metadata say, in the body where both are taken)
---@field name string|nil tells this client's stored session from others' ("default")
---@field storage "memory"|"file"|authgear.Storage|nil where the session is kept ("memory")
---@field scopes string[]|nil instead of the usual ones
---@field sso_enabled boolean|nil share the browser's log-in session (false)
---@field dpop boolean|nil bind what the server gives to a key in this client's storage (RFC 9449, docs/dpop.md) (false)
---@field pre_authenticated_url_enabled boolean|nil ask for what pre-authenticated URLs need (false)
---@field verify_id_token boolean|nil check the signatures of ID tokens by the endpoint's keys, though they come from it over TLS (false)
---@field allowed_origins string[]|nil the only origins that get the access token (any https or loopback URL)
---@field on_unauthorized "return"|"retry"|"clear"|nil|fun(response: authgear.Response): string 401 policy of fetch ("retry")
---@field timeout number|nil seconds for a call (60)
---@field connect_timeout number|nil seconds to connect, within the above (15)
---@field refresh_timeout number|nil seconds for a token request, which no caller's end cuts short (30)
---@field lock_timeout number|nil seconds to wait for another process's refresh (60)
---@field close_timeout number|nil seconds that the end of the Lua state waits for a token request that was sent from inside
--- authgear.async, to store its answer (5)
---@field max_connections integer|nil connections kept for reuse, by calls that block (16); clients with the same settings share them
---@field retry false|authgear.RetryOptions|nil how requests that failed in a way that passes are tried again; false: never
---@field max_body integer|nil bytes of an answer, decompressed (64 MiB)
---@field max_redirects integer|nil at most 100 (10)
---@field proxy string|nil URL; nil: as the environment says; loopback is never proxied
---@field no_proxy string|nil hosts that are reached without it
---@field ca_file string|nil PEM file of the certificates to trust
---@field user_agent string|nil
---@field allow_insecure_http boolean|nil permit http to other hosts than loopback (false)
---@field transport table|function|nil your own HTTP client, see docs/transports.md
---@field host authgear.Host|nil how to wait, see docs/hosts.md
---@field clock { monotonic: fun(): number, wall: fun(): number }|nil your own clocks, seconds
---@field json fun(text: string): any|nil your own decoder for response:json()
---@field log fun(level: string, message: string)|nil told what happens; never a token
---@field on_session_state_change fun(client: authgear.Client, state: string, reason: string)|nil

---@class authgear.FileOptions of authgear.storage.file
---@field dir string|nil where the files go (default: the platform's data directory)
---@field key nil|string|authgear.KeySource|authgear.SystemKey encrypts the files: 32 random bytes, or where they come from

---@class authgear.KeySource where a key is kept
---@field get fun(self, name: string, make: boolean): string|nil, any the 32 bytes for the client of that name; nil: there
--- is none, also when one should have been made (`make`) and could not be; nil and anything: it failed

---@class authgear.SystemKeyOptions
---@field service string|nil tells your program's keys from others' ("authgear")
---@field timeout number|nil seconds that the secret store, and whoever has to unlock it, may take (30)

---@class authgear : authgear.Client
local authgear = {}

--- Verifies an access token here, with the issuer's keys and no network call: see docs/verify.md.
---@param token string
---@param policy authgear.Policy|authgear.CompiledPolicy
---@return authgear.Claims|nil
---@return authgear.Error|nil err `invalid_token` (see `reason`), `unknown_key`, `insufficient_scope`,
--- `insufficient_user_authentication`, `jwks`, `memory`
function authgear.verify(token, policy) end

--- Makes a policy ready, to verify many tokens with it.
---@param options authgear.Policy
---@return authgear.CompiledPolicy|nil
---@return authgear.Error|nil err `jwks`, `memory`
function authgear.policy(options) end

--- Reads a JWKS (RFC 7517), for a policy's `jwks`.
---@param text string
---@return authgear.Jwks|nil
---@return authgear.Error|nil err `jwks`, `memory`
function authgear.jwks(text) end

--- Looks for what is wrong with the options, the way to the server, the storage and this machine: see docs/doctor.md.
---@param options authgear.DoctorOptions what configure gets, and the redirect_uris of authenticate
---@return authgear.Finding[] findings
---@return boolean well nothing failed
function authgear.doctor(options) end

--- Runs fn as a task, in which every call here lets others go on instead of blocking.
---@param fn function
---@param ... any its arguments
---@return authgear.Handle
function authgear.async(fn, ...) end

--- Moves all tasks on; never waits.
---@param budget number|nil seconds: no other task is gone on with after that; one at least is
---@return integer running tasks that are not done
function authgear.update(budget) end

--- Runs functions as tasks, and waits for them and for handles: see authgear/async.lua.
---@param list (function|authgear.Handle)[]
---@param at_once integer|nil so many functions at a time
---@return authgear.Handle
function authgear.all(list, at_once) end

--- Waits: in a task, the others go on.
---@param seconds number
---@return boolean|nil ok
---@return authgear.Error|nil err `cancelled`
function authgear.sleep(seconds) end
