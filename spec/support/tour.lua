-- A tour of every public function, each in a state in which it talks to somebody, with canaries for secrets: what
-- comes out of it in errors, raised values, tracebacks, log lines and events is looked through.
-- Must never show a canary to the watch by itself: what user code of a spec raises is that code's affair.

local authgear = require "authgear"
local core = require "authgear.core"
local canary = require "spec.support.canary"
local fake = require "spec.support.fake_provider"

local CLIENT_SECRET = canary.text("client secret")

local tour = {}

local function forget(list, value)
  for i = #list, 1, -1 do
    if list[i] == value then
      table.remove(list, i)
    end
  end
end

local function log_in(s)
  assert(s.provider:log_in(s.client))
  for _, name in ipairs { "code", "code verifier", "state", "nonce" } do
    forget(s.known, s.once[name])
  end
end

-- One log-in serves all settings that have the usual options: what it stored, and what the provider knows of it.
local earlier

local function resume(s)
  if not earlier then
    earlier = tour.setting({})
  end
  s.storage.record = earlier.storage.record
  for _, name in ipairs { "access token", "refresh token", "signature of the ID token", "device secret" } do
    s.provider.on_secret(name, earlier.once[name])
    s.provider[name] = earlier.once[name]
  end
  s.provider.serial = earlier.provider.serial
end

-- A client of a provider whose secrets are all watched for, logged in unless told otherwise. `known`: those that are
-- alive. A code, verifier and state that have been used are nobody's any more, and forgotten here.
function tour.setting(more, logged_out)
  local watch, p = canary.watch(), fake.new()
  local known, once = {}, {}
  p.on_secret = function(name, value)
    watch:plant(name, value)
    forget(known, once[name])
    known[#known + 1], once[name] = value, value
  end
  p.on_secret("client secret", CLIENT_SECRET)
  local options = p:options {
    client_secret = CLIENT_SECRET, storage = fake.storage(), pre_authenticated_url_enabled = true,
    log = function(level, message) watch:look("log", level, message) end,
    on_session_state_change = function(_, state, reason) watch:look("event", state, reason) end,
  }
  local s = { watch = watch, provider = p, known = known, once = once, options = options, storage = options.storage }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  if not logged_out and not more then
    resume(s)
  end
  s.client = assert(authgear.new(options))
  if not logged_out and more then
    log_in(s)
  end
  return s
end

-- The public functions that talk to somebody, each in a state in which it does.
tour.OPERATIONS = {
  log_in = { logged_out = true, run = function(s)
    local request, err = s.client:start_authentication { redirect_uri = fake.REDIRECT_URI }
    if not request then
      return nil, err
    end
    return s.client:finish_authentication(s.provider:callback(request))
  end },
  authenticate = { logged_out = true, run = function(s)
    return s.client:authenticate { redirect_uri = fake.REDIRECT_URI, ui = function(request)
      return s.provider:callback(request)
    end }
  end },
  refresh = { run = function(s) return s.client:refresh_access_token() end },
  refresh_if_needed = { run = function(s)
    s.provider.ahead = 4000
    return s.client:refresh_access_token_if_needed()
  end },
  fetch = { run = function(s)
    s.provider.ahead = 4000
    return s.client:fetch(fake.APP .. "/me", { on_unauthorized = "clear" })
  end },
  fetch_after_401 = { run = function(s)
    s.provider["access token"] = nil
    return s.client:fetch(fake.APP .. "/me", { body = "x", on_unauthorized = function() return "clear" end })
  end },
  user_info = { run = function(s)
    s.provider.ahead = 4000
    return s.client:fetch_user_info()
  end },
  handle_unauthorized = { run = function(s)
    local action, err = s.client:handle_unauthorized { status = 401 }
    if action then
      return true
    end
    return nil, err
  end },
  wrap = { run = function(s)
    s.provider.ahead = 4000
    return s.client:wrap(function() return { status = 401 } end)()
  end },
  machine = { logged_out = true, run = function(s)
    local machine, err = s.client:client_credentials { resource = "https://api.example" }
    if not machine then
      return nil, err
    end
    s.provider["machine token"] = nil -- refused, and got anew
    return machine:fetch(fake.APP .. "/me")
  end },
  anonymous = { logged_out = true, run = function(s)
    local info, err = s.client:authenticate_anonymously { key = true }
    s.watch:plant("device key", assert(s.storage.record:match '"anonymous_key":"([^"]+)"'))
    return info, err
  end },
  anonymous_without_key = { logged_out = true, run = function(s)
    return s.client:authenticate_anonymously { key = false }
  end },
  promotion = { run = function(s)
    local request, err = s.client:start_promotion { redirect_uri = fake.REDIRECT_URI }
    if not request then
      return nil, err
    end
    return s.client:finish_promotion(s.provider:callback(request))
  end },
  reauthenticate = { run = function(s)
    return s.client:reauthenticate { redirect_uri = fake.REDIRECT_URI, ui = function(request)
      return s.provider:callback(request)
    end }
  end },
  delete_account = { run = function(s)
    return s.client:delete_account { redirect_uri = fake.REDIRECT_URI, ui = function(request)
      return s.provider:callback(request)
    end }
  end },
  refresh_id_token = { run = function(s) return s.client:refresh_id_token() end },
  open = { run = function(s)
    return s.client:open("settings", { ui = function() end })
  end },
  pre_authenticated_url = { run = function(s)
    return s.client:make_pre_authenticated_url { web_application_client_id = "web", web_application_uri = "https://web.test/" }
  end },
  logout = { run = function(s) return s.client:logout() end },
  forced_logout = { run = function(s) return s.client:logout { force = true } end },
  clear = { run = function(s) return s.client:clear_session_state() end },
  configure = { run = function(s)
    return s.client:configure(s.options)
  end },
}

local NAMES = {}
for name in pairs(tour.OPERATIONS) do
  NAMES[#NAMES + 1] = name
end
table.sort(NAMES)

--- What a call gave that is no good answer: looked through. A good answer may hold what it is for. An error's
--- `cause` is what the user's own code said, and is left out if `users` is set.
function tour.look(s, where, ok, value, err)
  if not ok then
    s.watch:look(where .. " raised", value)
  elseif value == nil or value == false then
    assert(type(err) == "table" and type(err.retryable) == "boolean", where)
    assert(core.retryable(err.code) ~= nil, "an unknown code: " .. tostring(err.code))
    if s.users then
      err.cause = nil
    end
    s.watch:look(where .. " answered", err)
  end
  return ok and value
end

local function run(s, name)
  return tour.look(s, name, xpcall(function()
    return tour.OPERATIONS[name].run(s)
  end, debug.traceback))
end

-- Afterwards the client answers still, and what it says is as clean.
local function use_after(s, name)
  s.provider.answers = {}
  tour.look(s, name .. ", then fetch", xpcall(function()
    return s.client:fetch(fake.APP .. "/me")
  end, debug.traceback))
  s.client:close()
end

--- Runs every operation after change(setting, name); how many did not end well.
---@param options table|function|nil more options for configure, or what makes them anew each time
function tour.each_operation(change, options)
  local failures = 0
  for _, name in ipairs(NAMES) do
    local more = options
    if type(options) == "function" then
      more = options()
    end
    local s = tour.setting(more, tour.OPERATIONS[name].logged_out)
    change(s)
    if not run(s, name) then
      failures = failures + 1
    end
    use_after(s, name)
    s.watch:check()
  end
  return failures
end

local TARGETS = { "discovery", "token", "userinfo", "revoke", "app", "challenge", "anonymous_signup", "promotion_code", "app_session" }

--- Has `answer(secrets, request)` stand in for every answer of one server after the other.
function tour.each_target(answer, options)
  local failures = 0
  for _, target in ipairs(TARGETS) do
    failures = failures + tour.each_operation(function(s)
      s.provider.answers[target] = function(request)
        return answer(s.known, request)
      end
    end, options)
  end
  return failures
end

return tour
