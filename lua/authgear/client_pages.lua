--- The client's calls that open web pages as who is logged in here. Must never keep state outside the client, nor say a URL
-- with a token in it to anyone but the caller and the browser.
local check = require "authgear.check"
local clients = require "authgear.client"
local core = require "authgear.core"
local driver = require "authgear.driver"
local errors = require "authgear.errors"
local kinds = require "authgear.kinds"
local lazy = require "authgear.lazy"

local login = lazy "authgear.login"
local tasks = lazy "authgear.task"

---@class authgear.Client
local Client = clients.Client
local not_configured = clients.not_configured

---@class authgear.PageOptions
---@field ui_locales string|nil e.g. "fr-CA en"
---@field color_scheme "light"|"dark"|nil

---@class authgear.OpenOptions : authgear.PageOptions
---@field ui nil|"browser"|"console"|fun(request: { url: string }): any, any how the page is shown: the system's browser (where there
--- is one), the URL printed, or by a function of yours, which gives false, or nil and a reason, when it could not

local PAGE = { ui_locales = "text", color_scheme = kinds.one_of { "light", "dark" } }
local OPEN = { ui = kinds.one_of({ "browser", "console" }, true), ui_locales = PAGE.ui_locales, color_scheme = PAGE.color_scheme }
local PAGES = { settings = "/settings", identities = "/settings/identities" }

local function make(runtime, uri, options)
  local page, err = login.begin(runtime, "page", {
    redirect_uri = uri, prompt = "none", ui_locales = options and options.ui_locales, color_scheme = options and options.color_scheme,
  })
  return page and page.url, err
end

local function show(runtime, uri, options)
  local url, err = make(runtime, uri, options)
  if not url then
    return nil, err
  end
  local shown, code, message, cause = require("authgear.ui").show(options and options.ui, url)
  if shown then
    return true
  end
  err = errors.new(code, message)
  err.cause = cause
  return nil, err
end

--- Opens a page in the browser, where the user is logged in as here: the server logs the browser in and sends it on to url,
--- which has to be one that it lets you use.
---@param url string
---@param options authgear.OpenOptions|nil
---@return boolean|nil ok
---@return authgear.Error|nil err `no_session`, `session_revoked`, `browser`, `user_code`, `oauth`, `invalid_url`, `network`, ...
function Client:open_url(url, options)
  check.value("open_url", 1, "url", url, "text")
  check.options("open_url", 2, options, OPEN)
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  return show(runtime, url, options)
end

--- Opens one of the server's own pages: the account's "settings", or its "identities".
---@param page "settings"|"identities"
---@param options authgear.OpenOptions|nil
---@return boolean|nil ok
---@return authgear.Error|nil err as open_url
function Client:open(page, options)
  check.value("open", 1, "page", page, kinds.key_of(PAGES))
  check.options("open", 2, options, OPEN)
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  return show(runtime, PAGES[page], options)
end

--- The URL that open and open_url open, for hosts that show pages themselves. It logs in whoever opens it, once, within
--- minutes: use it at once, and show it to nobody.
---@param page string "settings", "identities", or a URL
---@param options authgear.PageOptions|nil
---@return string|nil url
---@return authgear.Error|nil err as open_url
function Client:make_page_url(page, options)
  check.value("make_page_url", 1, "page", page, "text")
  check.options("make_page_url", 2, options, PAGE)
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  return make(runtime, PAGES[page] or page, options)
end

---@class authgear.PreAuthenticatedOptions
---@field web_application_client_id string the other application's client id
---@field web_application_uri string where in it the browser ends: one of its registered redirect URIs, to the letter
---@field state string|nil what the other application gets as `state`

local PRE_AUTHENTICATED = { web_application_client_id = "text", web_application_uri = "text", state = "text" }

--- A URL that opens another application of the same project, a web application, logged in as here (OpenID Native SSO). It logs in
--- whoever opens it, once, within minutes: use it at once, and show it to nobody. Needs `pre_authenticated_url_enabled` at the
--- log-in; what the server gives for the next such URL is stored first.
---@param options authgear.PreAuthenticatedOptions
---@return string|nil url
---@return authgear.Error|nil err `no_device_secret`, `no_session`, `oauth`, `id_token`, `user_mismatch`, `storage`, `network`, ...
function Client:make_pre_authenticated_url(options)
  check.options("make_pre_authenticated_url", 1, options, PRE_AUTHENTICATED, { "web_application_client_id", "web_application_uri" })
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  local flow, err = tasks.finish(runtime, { deadline = runtime.now() + runtime.timeout },
    core.pre_authenticated_flow(runtime.core, options.web_application_client_id, options.web_application_uri, options.state))
  if not flow then
    return nil, err
  end
  return core.pre_authenticated_url(flow)
end

---@class authgear.EndSessionOptions
---@field post_logout_redirect_uri string|nil where the browser goes afterwards: registered with the server, to the letter
---@field state string|nil comes back with it

local END_SESSION = { post_logout_redirect_uri = "text", state = "text" }

--- The URL that ends the browser's own session at the server (OpenID Connect RP-Initiated Logout), which logout does not: it
--- ends this program's. Ask for it before logout, while there is an ID token to say whose session is meant.
---@param options authgear.EndSessionOptions|nil
---@return string|nil url
---@return authgear.Error|nil err `discovery` (the server has no such page), `network`, `storage`, ...
function Client:end_session_url(options)
  check.options("end_session_url", 1, options, END_SESSION)
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  local flow, err = driver.finish(runtime, { deadline = runtime.now() + runtime.timeout },
    core.end_session_flow(runtime.core, options and options.post_logout_redirect_uri, options and options.state))
  if not flow then
    return nil, err
  end
  return core.end_session_url(flow)
end
