--- A key source on the system's secret store: the Secret Service on Linux, the keychain on macOS, the Credential Manager
-- on Windows. One key per service and client name; made when the first record is written, and never replaced.
-- Must never wait for longer than its timeout, and never keep a key itself.
local core = require "authgear.core"
local current = require "authgear.current"
local errors = require "authgear.errors"

local TIMEOUT = 30 -- seconds: a person may have to unlock the store
local SERVICE = "authgear"
local FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.05 -- seconds between two looks

---@class authgear.SystemKey : authgear.KeySource
local SystemKey = {}
SystemKey.__index = SystemKey

-- Looks again and again whether it is done: in a task the others go on meanwhile, elsewhere the thread waits.
-- True, or nil, err.
local function wait(deadline, is_done)
  local sleep = require("authgear.host.blocking").sleep
  local pause = FIRST_PAUSE
  while not is_done() do
    local left = deadline - core.now()
    if current.is_cancelled() then
      return nil, errors.new("cancelled", "the task was cancelled")
    elseif left <= 0 then
      return nil, errors.new("keyring", "the system's secret store did not answer in time; is it locked?")
    end
    sleep(math.min(pause, left))
    pause = math.min(pause * 2, LONGEST_PAUSE)
  end
  return true
end

-- One call: the key, or nil (there is none), or nil, err.
local function ask(self, what, name, deadline)
  local loaded, keyring = pcall(require, "authgear.keyring")
  if not loaded then
    return nil, errors.new("keyring", "the module authgear.keyring is not there", false)
  end
  local call, code, message, retryable = keyring.call(what, self.service, core.percent_encode(name))
  if not call then
    return errors.pass(nil, code, message, retryable)
  end
  local ok, err = wait(deadline, function()
    return call:done()
  end)
  local key
  if ok then
    key, code, message, retryable = call:result()
  end
  call:close()
  if not ok then
    return nil, err
  end
  return errors.pass(key, code, message, retryable)
end

-- Makes the key, unless another has meanwhile: two that did it at once would leave one of them with a record that
-- nothing opens. Records of one name in several directories have one key, so the record's own lock is not enough.
local function make_key(self, name, deadline)
  local guard, code, message, retryable = require("authgear.file").open { name = "system key of " .. self.service }
  if not guard then
    return errors.pass(nil, code, message, retryable)
  end
  local key
  local ok, err = wait(deadline, function()
    local taken
    taken, code, message, retryable = guard:try_lock()
    return taken ~= false
  end)
  if ok and code then
    ok, err = errors.pass(nil, code, message, retryable)
  end
  if ok then
    key, err = ask(self, "get", name, deadline)
  end
  if ok and not key and not err then
    key, err = ask(self, "make", name, deadline)
  end
  guard:close()
  return key, err
end

--- See authgear.KeySource.
---@param name string
---@param make boolean
---@return string|nil key
---@return authgear.Error|nil err `keyring`, `storage_key`, `cancelled`
function SystemKey:get(name, make)
  local deadline = core.now() + self.timeout
  local key, err = ask(self, "get", name, deadline)
  if key or err then
    return key, err
  elseif not make then -- a store that stays locked says the same as one that has nothing
    return nil, errors.new("storage_key", "the system's secret store has no key for this session, or is locked")
  end
  return make_key(self, name, deadline)
end

--- Removes a client's key from the secret store: what it has encrypted cannot be read any more.
---@param name string|nil the client's ("default")
---@return boolean|nil ok also when there was none
---@return authgear.Error|nil err `keyring`
function SystemKey:forget(name)
  local _, err = ask(self, "del", name or "default", core.now() + self.timeout)
  if err then
    return nil, err
  end
  return true
end

local M = {}

--- Asks nobody anything yet.
---@param options authgear.SystemKeyOptions
---@return authgear.SystemKey
function M.new(options)
  return setmetatable({ service = options.service or SERVICE, timeout = options.timeout or TIMEOUT }, SystemKey)
end

return M
