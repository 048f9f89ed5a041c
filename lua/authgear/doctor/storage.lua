--- What the doctor finds out about where the session is kept: who may read and change it, whether it can be locked, what it
-- says. Must never write a record, nor show what is in one.
local core = require "authgear.core"
local driver = require "authgear.driver"
local errors = require "authgear.errors"

local M = {}

local ADVICE = {
  storage_insecure = "Make the directory and the file yours alone (chmod 700 and 600), and no symbolic links.",
  storage_damaged = "Nothing can be read from it any more: clear_session_state{ force = true } (authgear logout --force), then log in.",
  storage_version = "A newer release has written it: use that one.",
  storage_foreign = "It belongs to another endpoint or client_id: give this client another 'name'.",
  storage_key = "Give the key it was encrypted with, unlock the secret store, or clear_session_state{ force = true }.",
  keyring = "Unlock the secret store, or give a key of your own: docs/storage.md.",
  user_code = "Look at the storage that the program brings along.",
}

local RIGHTS = {
  directory = "the directory can be looked into by others than you",
  record = "the session file can be read by others than you",
}
local MODES = { directory = "chmod 700 on the directory.", record = "chmod 600 on the file; the next log-in or refresh does it too." }

-- A file store's rights and lock. False: it is no use to read on.
local function check_file(findings, store)
  local seen, code, message = store:look()
  if not seen then
    findings:fail("storage_rights", message, ADVICE[code] or "Correct owner and permissions.", code)
    return false
  end
  local readable = seen.record == "readable" and "record" or seen.directory == "readable" and "directory"
  if readable then
    findings:warn("storage_rights", RIGHTS[readable] .. ": " .. store:path(), "Use " .. MODES[readable])
  else
    findings:ok("storage_rights", seen.directory and "only you can get at " .. store:path()
      or "nothing is there yet; the first log-in makes " .. store:path())
  end
  if not seen.directory then
    return true
  end
  local taken
  taken, code, message = store:try_lock()
  store:unlock()
  if taken == nil then
    findings:fail("storage_lock", message, "The directory must be yours to write to, on a file system that knows flock.", code)
  elseif taken then
    findings:ok("storage_lock", "it can be locked")
  else
    findings:ok("storage_lock", "another program holds the lock at the moment")
  end
  return true
end

local function check_session(findings, runtime)
  local ends, _, wall = core.expires_at(runtime.core), core.now()
  local left = ends and ends - (runtime.clock and runtime.clock.wall() or wall)
  if core.state(runtime.core) ~= "AUTHENTICATED" then
    findings:ok("session", "nobody is logged in")
  elseif left and left > 0 then
    findings:ok("session", ("somebody is logged in; the access token is good for %d more seconds"):format(math.floor(left)))
  else
    findings:ok("session", "somebody is logged in; the access token has expired and is refreshed when it is next needed")
  end
end

---@param runtime table the doctor's own
function M.check(findings, runtime)
  local store = runtime.storage
  if runtime.own_memory then
    findings:ok("storage", 'the session is kept in memory, and gone with the program; storage = "file" keeps it')
    return
  elseif store.kind == "file" and not check_file(findings, store) then
    return
  end
  local flow, code, message, retryable = core.open_flow(runtime.core)
  local ok, err
  if flow then
    ok, err = driver.run(runtime, flow, {})
  else
    err = errors.new(code, message, retryable)
  end
  if ok then
    findings:ok("storage", "what is stored can be read")
    check_session(findings, runtime)
  else
    findings:fail("storage", err.message, ADVICE[err.code] or "Look at the permissions, and whether the disk is full.", err.code)
  end
end

return M
