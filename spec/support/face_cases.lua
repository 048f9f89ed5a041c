-- What every public function of a client has to do in any host, one case for each: `cases`, of an environment that `env` makes.
-- Must never ask what the host is: it runs in busted and inside nginx, so luassert is asked for by its name.

local assert = require "luassert"
local authgear = require "authgear"
local clients = require "authgear.client"
local sdk = require "spec.support.sdk"
local with = require "spec.support.with"

local Env = {}
Env.__index = Env

--- A client in this host, logged in unless told otherwise.
function Env:open(more, logged_out)
  local usual = { storage = authgear.storage.memory(), pre_authenticated_url_enabled = true, dpop = self.dpop }
  local client = assert(sdk.client(self.dev, with(with(usual, self.options), more), self.new))
  if not logged_out then
    sdk.log_in(self.dev, client)
  end
  return client
end

--- The client that most calls share.
function Env:client()
  self.shared = self.shared or self:open()
  return self.shared
end

-- A user interface: the server's browser.
local function browser(env)
  return function(request)
    return env.dev:visit(request.url).location
  end
end

-- A settings action from its beginning to its end.
local function action(name, more)
  return function(env)
    local options = with({ redirect_uri = sdk.REDIRECT_URI, ui = browser(env) }, more)
    local leaves = name == "delete_account"
    env.dev:login { user = leaves and "somebody who leaves" or "user" }
    local client = leaves and env:open() or env:client()
    assert.is_true(assert(client[name](client, options)))
    env.dev:login { user = "user" }
    assert.equal(leaves and "NO_SESSION" or "AUTHENTICATED", client:session_state())
  end
end

local function halves(start, finish, ...)
  local more = { ... }
  return function(env)
    local client = env:client()
    more[#more + 1] = { redirect_uri = sdk.REDIRECT_URI }
    local request = assert(client[start](client, (unpack or table.unpack)(more)))
    more[#more] = nil
    assert.is_truthy(assert(client[finish](client, env.dev:visit(request.url).location)))
  end
end

local CASES = {}

function CASES.configure(env)
  local client = env:open()
  assert.is_true(client:configure { endpoint = env.dev.endpoint, client_id = "opaque", host = env.options.host })
  assert.equal("NO_SESSION", client:session_state())
end

function CASES.session_state(env)
  assert.equal("NO_SESSION", env:open(nil, true):session_state())
  assert.equal("AUTHENTICATED", env:client():session_state())
end

function CASES.on_session_state_change(env)
  local client, heard = env:open(), {}
  local remove = client:on_session_state_change(function(_, state, reason)
    heard[#heard + 1] = state .. " " .. reason
  end)
  assert(client:clear_session_state())
  remove()
  sdk.log_in(env.dev, client)
  assert.same({ "NO_SESSION CLEAR" }, heard)
end

function CASES.remove_session_state_listener(env)
  local client, heard = env:open(), 0
  local function listener()
    heard = heard + 1
  end
  client:on_session_state_change(listener)
  client:remove_session_state_listener(listener)
  assert(client:logout())
  assert.equal(0, heard)
end

function CASES.access_token(env)
  assert.equal(true, env.dev:control("/check", { access_token = env:client():access_token() }).active)
end

function CASES.authorization_header(env)
  assert.equal("Bearer " .. env:client():access_token(), env:client():authorization_header())
end

function CASES.refresh_access_token_if_needed(env)
  local before = env:client():access_token()
  assert.is_true(assert(env:client():refresh_access_token_if_needed()))
  assert.equal(before, env:client():access_token())
end

function CASES.refresh_access_token(env)
  local before = env:client():access_token()
  assert.is_true(assert(env:client():refresh_access_token()))
  assert.not_equal(before, env:client():access_token())
end

function CASES.fetch(env)
  local response = assert(env:client():fetch(env.dev.app .. "/api/echo", { json = { a = 1 } }))
  assert.same({ 200, '{"a":1}' }, { response.status, response:json().body })
end

function CASES.fetch_user_info(env)
  assert.equal(env.dev:control("/users", { name = "user" }).sub, assert(env:client():fetch_user_info()).sub)
end

function CASES.dpop_proof(env)
  assert.same({ nil, nil }, { env:client():dpop_proof("GET", env.dev.app) }) -- Authgear's tokens are bearer tokens
  if env.dpop then
    local client = env:open({ endpoint = env.dev.strict.endpoint, client_id = "strict", scopes = { "openid", "offline_access" } }, true)
    sdk.log_in(env.dev, client, { prompt = "consent" })
    assert.is_string(client:dpop_proof("GET", env.dev.strict.app))
    assert.equal(200, assert(client:fetch(env.dev.strict.app .. "/hello")).status)
  end
end

function CASES.handle_unauthorized(env)
  local client = env:open()
  local token = client:access_token()
  local word, header = client:handle_unauthorized { status = 401, access_token = token }
  assert.is_true(word == "retry" and header == client:authorization_header() and token ~= client:access_token())
end

function CASES.wrap(env)
  local client, n = env:open(), 0
  local get = client:wrap(function(authorization)
    n = n + 1
    return { status = n == 1 and 401 or 200, authorization = authorization }
  end)
  local seen = get().authorization
  assert.is_true(seen == client:authorization_header())
  assert.equal(2, n)
end

function CASES.authenticate(env)
  local client = env:open(nil, true)
  assert.is_string(assert(client:authenticate { redirect_uri = sdk.REDIRECT_URI, ui = browser(env) }).sub)
end

CASES.start_authentication = halves("start_authentication", "finish_authentication")
CASES.finish_authentication = CASES.start_authentication
CASES.start_reauthentication = halves("start_reauthentication", "finish_reauthentication")
CASES.finish_reauthentication = CASES.start_reauthentication
CASES.start_settings_action = halves("start_settings_action", "finish_settings_action", "change_password")
CASES.finish_settings_action = CASES.start_settings_action

function CASES.reauthenticate(env)
  local before = env:client():id_token_hint()
  assert.is_string(assert(env:client():reauthenticate { redirect_uri = sdk.REDIRECT_URI, ui = browser(env) }).sub)
  assert.not_equal(before, env:client():id_token_hint())
end

function CASES.refresh_id_token(env)
  assert.is_true(assert(env:client():refresh_id_token()))
end

function CASES.id_token_hint(env)
  assert.matches("^eyJ", env:client():id_token_hint())
end

function CASES.can_reauthenticate(env)
  assert.is_true(env:client():can_reauthenticate())
end

function CASES.auth_time(env)
  assert.is_true(env:client():auth_time() > 1.7e9)
end

for _, name in ipairs { "email", "phone", "username" } do
  CASES["add_" .. name] = action("add_" .. name, { login_id = "x" })
  CASES["change_" .. name] = action("change_" .. name, { login_id = "x" })
end
CASES.change_password = action "change_password"
CASES.delete_account = action "delete_account"
CASES.link_oauth = action("link_oauth", { oauth_provider_alias = "google" })
CASES.unlink_oauth = action("unlink_oauth", { oauth_provider_alias = "google" })

-- Is it a page of the server's, logged in?
local function opens(env, url)
  assert.equal(200, env.dev:visit(url).status)
end

function CASES.open(env)
  local shown
  assert.is_true(assert(env:client():open("settings", { ui = function(request) shown = request.url end })))
  opens(env, shown)
end

function CASES.open_url(env)
  local shown
  assert.is_true(assert(env:client():open_url(env.dev.endpoint .. "/settings/mfa", { ui = function(request) shown = request.url end })))
  opens(env, shown)
end

function CASES.make_page_url(env)
  opens(env, (assert(env:client():make_page_url "identities")))
end

function CASES.make_pre_authenticated_url(env)
  local url = assert(env:client():make_pre_authenticated_url {
    web_application_client_id = "webapp", web_application_uri = sdk.REDIRECT_URI,
  })
  assert.equal(sdk.REDIRECT_URI, env.dev:visit(url).location)
end

function CASES.verify(env)
  assert.equal(assert(env:client():fetch_user_info()).sub, assert(env:client():verify(env:client():access_token())).user_id)
end

function CASES.resolve(env)
  assert.equal(assert(env:client():fetch_user_info()).sub, assert(env:client():resolve(env:client():access_token())).user_id)
end

function CASES.client_credentials(env)
  local client = env:open({ client_id = "m2m", client_secret = "m2msecret" }, true)
  local machine = assert(client:client_credentials { resource = "https://fixtureresource/1" })
  assert.is_string(machine:access_token())
end

function CASES.authenticate_anonymously(env)
  local client = env:open(nil, true)
  local info = assert(client:authenticate_anonymously())
  assert(client:refresh_access_token())
  assert(client:logout())
  assert.equal(info.sub, assert(client:authenticate_anonymously()).sub)
  assert.is_true(assert(client:authenticate_anonymously { key = false }).is_anonymous)
end

-- An anonymous client, and a name that nobody has yet for the next log-in.
local function anonymous(env)
  local client = env:open(nil, true)
  local info = assert(client:authenticate_anonymously())
  env.serial = (env.serial or 0) + 1
  env.dev:login { user = ("promoted %d of %s"):format(env.serial, info.sub) }
  return client, info.sub
end

function CASES.promote_anonymous_user(env)
  local client, sub = anonymous(env)
  local info = assert(client:promote_anonymous_user { redirect_uri = sdk.REDIRECT_URI, ui = browser(env) })
  assert.same({ sub, false }, { info.sub, info.is_anonymous })
  env.dev:login { user = "user" }
end

function CASES.start_promotion(env)
  local client, sub = anonymous(env)
  local request = assert(client:start_promotion { redirect_uri = sdk.REDIRECT_URI })
  assert.equal(sub, assert(client:finish_promotion(env.dev:visit(request.url).location)).sub)
  env.dev:login { user = "user" }
end

CASES.finish_promotion = CASES.start_promotion

function CASES.logout(env)
  local client = env:open()
  assert.is_true(assert(client:logout()))
  assert.equal("NO_SESSION", client:session_state())
end

function CASES.clear_session_state(env)
  local client = env:open()
  assert.is_true(assert(client:clear_session_state()))
  assert.equal("NO_SESSION", client:session_state())
end

function CASES.end_session_url(env)
  assert.matches("^" .. env.dev.endpoint:gsub("%p", "%%%0"), (assert(env:client():end_session_url())))
end

function CASES.close(env)
  local client = env:open()
  client:close()
  local _, err = client:fetch(env.dev.app .. "/api/hello")
  assert.equal("closed", err.code)
end

local face = { cases = CASES, names = clients.names() }

--- Makes the server ready for the cases.
function face.prepare(dev)
  dev:reset { sessions = true }
  dev:control("/users", { name = "user", can_reauthenticate = true })
end

--- What the cases of one host share.
---@param given { dev: table, options: table, dpop: boolean|nil, new: function|nil } dev: the server. options: more for each client.
--- dpop: its option. new: the host's own authgear.new
function face.env(given)
  return setmetatable(given, Env)
end

return face
