--- The tool's settings: options before environment before configuration file. The file is JSON, one section for each profile,
-- kept where only its user can change it. Must never hold a secret.
local core = require "authgear.core"

local DEFAULT_REDIRECT_URI = "http://127.0.0.1:8989/callback"

local M = {}

--- What a section of the file can have, and the variables that stand for it.
M.KEYS = {
  endpoint = "AUTHGEAR_ENDPOINT", client_id = "AUTHGEAR_CLIENT_ID", redirect_uri = "AUTHGEAR_REDIRECT_URI",
  scope = "AUTHGEAR_SCOPE", ca_file = "AUTHGEAR_CA_FILE", proxy = "AUTHGEAR_PROXY", session = "AUTHGEAR_SESSION",
  encrypt = "AUTHGEAR_ENCRYPT",
}

local function wrong(message)
  return nil, { code = "usage", message = message }
end

-- The directory of the configuration file; nil: none is known.
local function directory()
  local given, home = os.getenv "XDG_CONFIG_HOME", os.getenv "HOME" or os.getenv "USERPROFILE"
  if given and given:sub(1, 1) == "/" then
    return given .. "/authgear"
  end
  return home and home ~= "" and home .. "/.config/authgear" or nil
end

-- The file as a store of records: it is replaced as a whole, and refused where others may write to it.
local function store()
  local dir = directory()
  if not dir then
    return wrong "no directory for the configuration is known: set HOME or XDG_CONFIG_HOME"
  end
  local file, code, message = require("authgear.file").open { dir = dir, name = "config" }
  if not file then
    return nil, { code = code, message = message }
  end
  return file
end

-- All sections of the file; empty when there is none.
local function sections()
  if not directory() then
    return {}
  end
  local file, err = store()
  if not file then
    return nil, err
  end
  local text, code, message = file:get()
  if code then
    return nil, { code = code, message = message }
  end
  local all = core.json_decode(text or "{}")
  if type(all) ~= "table" then
    return wrong("the configuration file is damaged: correct or remove " .. file:path())
  end
  return all
end

--- The configuration file's path.
---@return string|nil
function M.path()
  local file = store()
  return file and file:path()
end

--- Changes a profile's section: values by key; false takes one out.
---@return boolean|nil ok
---@return table|nil err
function M.save(profile, values)
  local all, err = sections()
  if not all then
    return nil, err
  end
  local section = type(all[profile]) == "table" and all[profile] or {}
  for key, value in pairs(values) do
    section[key] = value or nil
  end
  all[profile] = section
  local file
  file, err = store()
  if not file then
    return nil, err
  end
  local ok, code, message = file:set(core.json_encode(all) .. "\n")
  if not ok then
    return nil, { code = code, message = message }
  end
  return true
end

--- A profile's section, as it is in the file.
---@return table|nil
---@return table|nil err
function M.section(profile)
  local all, err = sections()
  if not all then
    return nil, err
  end
  return type(all[profile]) == "table" and all[profile] or {}
end

local function words(text)
  local list = {}
  for word in tostring(text):gmatch "%S+" do
    list[#list + 1] = word
  end
  return list
end

local function is_set(value)
  value = tostring(value or ""):lower()
  return value ~= "" and value ~= "0" and value ~= "no" and value ~= "false"
end

-- Profile names become part of a client's name, and are typed: nothing odd.
local function profile_of(options)
  local profile = options.profile or os.getenv "AUTHGEAR_PROFILE"
  profile = profile ~= "" and profile or "default"
  if not profile:find "^[%w][%w_.-]*$" or #profile > 40 then
    return wrong "a profile's name has letters, digits, '.', '-' and '_' only"
  end
  return profile
end

--- Finds out all of them.
---@return table|nil settings the keys above, profile, redirect_uris, session, timeout, client_secret
---@return table|nil err
function M.read(options)
  local profile, err = profile_of(options)
  if not profile then
    return nil, err
  end
  local section
  section, err = M.section(profile)
  if not section then
    return nil, err
  end
  local settings, secret = { profile = profile, in_file = next(section) ~= nil }, os.getenv "AUTHGEAR_CLIENT_SECRET"
  settings.client_secret = secret ~= "" and secret or nil
  for key, variable in pairs(M.KEYS) do
    local value = os.getenv(variable)
    settings[key] = options[key] or (value ~= "" and value) or section[key]
  end
  local uris = options.redirect_uri or settings.redirect_uri and words(settings.redirect_uri) or {}
  settings.redirect_uris = #uris > 0 and uris or { DEFAULT_REDIRECT_URI }
  settings.session = settings.session or (profile == "default" and "cli" or "cli." .. profile)
  settings.encrypt = is_set(settings.encrypt)
  if options.timeout then
    settings.timeout = tonumber(options.timeout)
    if not settings.timeout or settings.timeout <= 0 then
      return wrong "--timeout is a number of seconds"
    end
  end
  return settings
end

--- What configure gets.
---@return table|nil options
---@return table|nil err
function M.client_options(settings, log)
  if not settings.endpoint or not settings.client_id then
    if not settings.in_file and settings.profile ~= "default" then
      return wrong(("there is no profile '%s': run 'authgear configure -p %s'"):format(settings.profile, settings.profile))
    end
    return wrong(("no %s is set: run 'authgear configure', or set %s"):format(
      settings.endpoint and "client id" or "endpoint", M.KEYS[settings.endpoint and "client_id" or "endpoint"]))
  end
  local authgear = require "authgear"
  local key = settings.encrypt and authgear.storage.system_key() or nil
  return {
    endpoint = settings.endpoint, client_id = settings.client_id, client_secret = settings.client_secret,
    name = settings.session, storage = authgear.storage.file { key = key }, ca_file = settings.ca_file,
    proxy = settings.proxy, timeout = settings.timeout, scopes = settings.scope and words(settings.scope) or nil,
    log = log, user_agent = "authgear-cli/" .. authgear._VERSION,
  }
end

return M
