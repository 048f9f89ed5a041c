--- The client's settings actions: each sends the user to one page of the server's, logged in, where one thing about the account
-- can be changed, and comes back. Must never keep state outside the client.
local check = require "authgear.check"
local clients = require "authgear.client"
local core = require "authgear.core"
local kinds = require "authgear.kinds"
local lazy = require "authgear.lazy"

local login = lazy "authgear.login"

---@class authgear.Client
local Client = clients.Client
local not_configured = clients.not_configured

---@alias authgear.SettingsAction
---| "change_password" | "delete_account" | "add_email" | "add_phone" | "add_username"
---| "change_email" | "change_phone" | "change_username" | "link_oauth" | "unlink_oauth"

---@class authgear.SettingsActionOptions
---@field redirect_uri string|nil one of the client's registered redirect URIs, to the letter
---@field login_id string|nil of add_ and change_: the email address, phone number or user name that it is about
---@field oauth_provider_alias string|nil of link_oauth and unlink_oauth, which need it: the provider's
---@field x_state string|nil a string of yours, passed through to the server
---@field ui_locales string|nil e.g. "fr-CA en"
---@field color_scheme "light"|"dark"|nil

---@class authgear.SettingsOptions : authgear.SettingsActionOptions
---@field redirect_uris string[]|nil loopback redirect URIs, tried in turn until one's port is free
---@field ui nil|"browser"|"console"|fun(request: table): string|nil, any how the user gets to the page and back: as authenticate
---@field timeout number|nil seconds for the person (300)
---@field cancelled nil|fun(): boolean polled about ten times a second; true gives up

-- What each takes besides what all do.
local ACTIONS = {
  change_password = {}, delete_account = {},
  add_email = { login_id = "text" }, add_phone = { login_id = "text" }, add_username = { login_id = "text" },
  change_email = { login_id = "text" }, change_phone = { login_id = "text" }, change_username = { login_id = "text" },
  link_oauth = { oauth_provider_alias = "text" }, unlink_oauth = { oauth_provider_alias = "text" },
}

local function known(action)
  local all = {
    redirect_uri = "text", x_state = "text", ui_locales = "text", color_scheme = kinds.one_of { "light", "dark" },
  }
  for name, kind in pairs(ACTIONS[action]) do
    all[name] = kind
  end
  return all
end

-- The option that an action cannot do without.
local function required(action)
  return ACTIONS[action].oauth_provider_alias and "oauth_provider_alias" or nil
end

-- What the server is told besides the options that it knows as they are.
local function wanted(action, options)
  return {
    settings_action = action, settings_action_query = options.login_id and "q_login_id=" .. core.percent_encode(options.login_id),
  }
end

local function act(self, action, options)
  options = check.options(action, 1, options, login.with_ui(known(action)), { required(action) })
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  return login.through_ui(runtime, action, 1, "settings", options, wanted(action, options))
end

--- The first half of a settings action, for hosts that show the page themselves: as start_authentication.
---@param action authgear.SettingsAction
---@param options authgear.SettingsActionOptions redirect_uri is needed
---@return { url: string, state: string, redirect_uri: string }|nil
---@return authgear.Error|nil err `no_session`, `session_revoked`, `oauth`, `discovery`, `network`, ...
function Client:start_settings_action(action, options)
  check.value("start_settings_action", 1, "action", action, kinds.key_of(ACTIONS))
  options = check.options("start_settings_action", 2, options, known(action), { "redirect_uri", required(action) })
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  local all = wanted(action, options)
  for name, value in pairs(options) do
    all[name] = value
  end
  return login.begin(runtime, "settings", all)
end

--- The second half. Each that was started can be finished once, within an hour. After delete_account nobody is logged in.
---@param callback_url string the whole URL that the server redirected to
---@return boolean|nil ok
---@return authgear.Error|nil err as change_password; `no_login`: none was started here
function Client:finish_settings_action(callback_url)
  check.value("finish_settings_action", 1, "callback URL", callback_url, "text")
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  return login.complete(runtime, "settings", callback_url)
end

--- Lets the user change the password.
---@param options authgear.SettingsOptions
---@return boolean|nil ok
---@return authgear.Error|nil err `no_session`, `session_revoked`, `oauth` (`access_denied`: the user did not want to), `timeout`,
--- `cancelled`, `callback`, `state_mismatch`, `network`, ...
function Client:change_password(options)
  return act(self, "change_password", options)
end

--- Lets the user delete the account; once that is done nobody is logged in (reason CLEAR).
---@param options authgear.SettingsOptions
---@return boolean|nil ok
---@return authgear.Error|nil err as change_password
function Client:delete_account(options)
  return act(self, "delete_account", options)
end

--- Lets the user add an email address.
---@param options authgear.SettingsOptions
---@return boolean|nil ok
---@return authgear.Error|nil err as change_password
function Client:add_email(options)
  return act(self, "add_email", options)
end

--- Lets the user add a phone number.
---@param options authgear.SettingsOptions
---@return boolean|nil ok
---@return authgear.Error|nil err as change_password
function Client:add_phone(options)
  return act(self, "add_phone", options)
end

--- Lets the user add a user name.
---@param options authgear.SettingsOptions
---@return boolean|nil ok
---@return authgear.Error|nil err as change_password
function Client:add_username(options)
  return act(self, "add_username", options)
end

--- Lets the user change the email address `login_id` into another.
---@param options authgear.SettingsOptions
---@return boolean|nil ok
---@return authgear.Error|nil err as change_password
function Client:change_email(options)
  return act(self, "change_email", options)
end

--- Lets the user change the phone number `login_id` into another.
---@param options authgear.SettingsOptions
---@return boolean|nil ok
---@return authgear.Error|nil err as change_password
function Client:change_phone(options)
  return act(self, "change_phone", options)
end

--- Lets the user change the user name `login_id` into another.
---@param options authgear.SettingsOptions
---@return boolean|nil ok
---@return authgear.Error|nil err as change_password
function Client:change_username(options)
  return act(self, "change_username", options)
end

--- Lets the user link the account at another provider, `oauth_provider_alias`.
---@param options authgear.SettingsOptions
---@return boolean|nil ok
---@return authgear.Error|nil err as change_password
function Client:link_oauth(options)
  return act(self, "link_oauth", options)
end

--- Lets the user take that link off again.
---@param options authgear.SettingsOptions
---@return boolean|nil ok
---@return authgear.Error|nil err as change_password
function Client:unlink_oauth(options)
  return act(self, "unlink_oauth", options)
end
