--- Machines: tokens for the program itself. To the core a machine is a client whose one refresh asks with the client's own
-- credentials, so its token is kept, renewed, shared and replaced after a 401 by the same code as a session's.
-- Must never touch the session of the client it belongs to.
local check = require "authgear.check"
local core = require "authgear.core"
local errors = require "authgear.errors"
local fetching = require "authgear.fetching"
local lazy = require "authgear.lazy"
local storages = require "authgear.storage"

local dpop = lazy "authgear.dpop"
local unauthorized = lazy "authgear.unauthorized"

local M = {}

---@class authgear.MachineOptions
---@field resource string|nil what the tokens are for (RFC 8707): Authgear wants it
---@field scope string|nil with spaces between; nil: all that is allowed

local KNOWN = { resource = "text", scope = "text" }

---@class authgear.Machine
local Machine = {}
Machine.__index = Machine

-- A runtime like the client's, with a core client, a record and a single flight of its own. The transport is the client's,
-- and so are the runs: the ports are let go of when the last of them is over.
local function derive(runtime, machine, options)
  local handle, name, message, retryable = core.machine(runtime.core, options.resource, options.scope)
  if not handle then
    return nil, errors.new(name, message, retryable)
  end
  local own = {}
  for key, value in pairs(runtime) do
    own[key] = value
  end
  local code
  own.storage, code, message, retryable = storages.open(runtime.storage_option, runtime.name .. ".machine." .. name)
  if not own.storage then
    return nil, errors.new(code, message, retryable)
  end
  own.parent, own.machines, own.client, own.core = runtime, nil, machine, handle
  own.lock, own.lock_taken = setmetatable({}, { __mode = "v" }), false
  own.refreshing, own.due = setmetatable({}, { __mode = "v" }), {}
  own.accesses, own.adopted, own.own_headers = 1, 0, nil -- the first look finds that nothing has been read yet
  own.has_look = false -- a fresh token is good whatever is stored by now
  if own.on_unauthorized == "clear" then
    own.on_unauthorized = "retry" -- there is no session to be cleared
  end
  return own
end

local function make(runtime, options)
  local machine = setmetatable({ _listeners = {} }, Machine)
  local own, err = derive(runtime, machine, options)
  if not own then
    return nil, err
  end
  machine._runtime = own
  return machine
end

--- See authgear.Client:client_credentials.
---@return authgear.Machine|nil
---@return authgear.Error|nil
function M.get(runtime, options)
  check.options("client_credentials", 1, options, KNOWN, {})
  local key = (options.resource or "") .. "\n" .. (options.scope or "")
  local machines = runtime.machines or {}
  runtime.machines = machines
  local machine = machines[key] and machines[key].client
  if not machine then
    local err
    machine, err = make(runtime, options)
    if not machine then
      return nil, err
    end
    machines[key] = machine._runtime
  end
  local ok, err = machine:refresh_access_token_if_needed()
  if not ok then
    return nil, err
  end
  return machine
end

local function refresh(machine, refused, demanded)
  local runtime = machine._runtime
  if runtime.closed then
    return nil, errors.new("closed", "the client is closed")
  end
  return runtime.refreshed(runtime, refused, demanded)
end

--- The access token as it stands; nil if there never was one. Call refresh_access_token_if_needed first.
---@return string|nil
function Machine:access_token()
  return self._access_token
end

--- When that token ends, as the server said: seconds since 1970.
---@return number|nil
function Machine:expires_at()
  return core.expires_at(self._runtime.core)
end

--- "Bearer ..." for the Authorization header (RFC 6750 section 2.1), or "DPoP ...": see the client's.
---@return string|nil
function Machine:authorization_header()
  local token = self._access_token
  return token and core.token_type(self._runtime.core) .. " " .. token
end

--- As the client's dpop_proof, with this machine's token.
---@param method string
---@param url string absolute
---@return string|nil
---@return authgear.Error|nil
function Machine:dpop_proof(method, url)
  return dpop.proof(self._runtime, method, url)
end

--- Makes sure that access_token() can be used: asks for a new one if the old one has used up 90 % of its life.
---@return boolean|nil ok
---@return authgear.Error|nil err as client_credentials
function Machine:refresh_access_token_if_needed()
  local runtime = self._runtime
  if not runtime.clock and not runtime.closed and core.fresh(runtime.core) then
    return true
  end
  return refresh(self)
end

--- Asks for a new token though the old one may still be good. About a 401 ask handle_unauthorized.
---@return boolean|nil ok
---@return authgear.Error|nil err as client_credentials
function Machine:refresh_access_token()
  return refresh(self, self._access_token, true)
end

--- As the client's fetch, with this machine's token: a 401 leads to one new token and one replay, never twice for one token.
---@param url string
---@param init authgear.FetchInit|nil
---@return authgear.Response|nil
---@return authgear.Error|nil err as the client's fetch, and those of client_credentials
function Machine:fetch(url, init)
  local runtime = self._runtime
  if runtime.closed then
    return nil, errors.new("closed", "the client is closed")
  end
  return fetching.fetch(runtime, url, init)
end

--- As the client's handle_unauthorized, about this machine's token.
---@param options { status: integer, headers: any, access_token: string|nil, url: string|nil }
---@return "retry"|"return"|nil action
---@return string|authgear.Error|nil header_or_error
function Machine:handle_unauthorized(options)
  return unauthorized.handle(self, options)
end

--- As the client's wrap, with this machine's token.
---@param request fun(authorization: string|nil, ...): any
---@param options { status: nil|fun(...): integer|nil, target: nil|fun(...): string, string, headers: nil|fun(...): any }|nil
---@return fun(...): any
function Machine:wrap(request, options)
  return unauthorized.wrap(self, request, options)
end

return M
