-- Wrong use raises, on every public function, with the function's name, the argument's and the line of the caller. Each
-- wrong value has a right one beside it.

local authgear = require "authgear"
local clients = require "authgear.client"
local fake = require "spec.support.fake_provider"
local runtimes = require "authgear.runtime"

local NAN, INF = 0 / 0, math.huge
local function nothing() end

-- Wrong values of each kind, and right ones.
local KINDS = {
  text = { bad = { 1, true, {}, nothing, "", "a\0b" }, good = { "x", ("x"):rep(100), "\195\164", "\255" } },
  line = { bad = { 1, true, {}, "", "a\0b", "a\r\nX-Evil: 1", "a\n", "a\127" }, good = { "agent/1.0 (x)" } },
  words = { bad = { 1, true, {}, "a\0b", "a\nb" }, good = { "", "proxy.test" } },
  boolean = { bad = { 1, "true", {}, nothing }, good = { true, false } },
  func = { bad = { 1, "f", {}, true }, good = { nothing } },
  table = { bad = { 1, "x", true, nothing }, good = { {} } },
  seconds = { bad = { "1", true, {}, 0, -1, -0.5, NAN, INF, -INF, 1e10 }, good = { 1, 0.001, 3600 } },
  count = { bad = { "1", true, {}, -1, 0.5, NAN, INF, -INF, 2 ^ 54 }, good = { 0, 1, 2 ^ 40 } },
  few = { bad = { "1", true, {}, -1, 0.5, NAN, INF, 101, 2 ^ 32 }, good = { 0, 1, 100 } },
  texts = { bad = { 1, "x", true, {}, { 1 }, { "a", 2 }, { "" }, { "a\0" }, { a = "b" } },
    good = { { "https://app.test" }, { "a", "b" } } },
  policy = { bad = { 1, true, {}, "", "Retry", "retry " }, good = { "return", "retry", "clear", nothing } },
}

local RETRY = { bad = { true, 1, "x", { tries = 1 }, { retries = -1 }, { retries = 101 }, { retries = 0.5 }, { base = 0 }, { base = "1" },
    { max = INF }, { 2 } },
  good = { false, {}, { retries = 0 }, { retries = 5, base = 0.01, max = 1 } } }

local CONFIGURE = {
  retry = RETRY,
  endpoint = "text", client_id = "text", client_secret = "text", name = "text", scopes = "texts", sso_enabled = "boolean", dpop = "boolean",
  verify_id_token = "boolean", pre_authenticated_url_enabled = "boolean",
  allowed_origins = "texts", on_unauthorized = "policy", timeout = "seconds",
  connect_timeout = "seconds", refresh_timeout = "seconds", lock_timeout = "seconds", max_body = "count",
  close_timeout = "seconds", max_connections = { bad = { "1", true, {}, 0, 0.5, NAN, 10001 }, good = { 1, 16, 10000 } },
  token_endpoint_auth_method = { bad = { 1, true, "", "none" }, good = { "client_secret_basic", "client_secret_post" } },
  max_redirects = "few", proxy = "words", no_proxy = "words", ca_file = "text", user_agent = "line",
  allow_insecure_http = "boolean", json = "func", log = "func", on_session_state_change = "func",
  storage = { bad = { 1, true, "files", "", nothing, {}, { get = 1 }, { get = nothing, set = nothing },
      { get = nothing, set = nothing, del = nothing, lock = nothing },
      { get = nothing, set = nothing, del = nothing, keep = nothing }, { get = nothing, set = nothing, del = nothing, take = nothing },
      { get = nothing, set = nothing, del = nothing, changed = 1 } },
    good = { "memory", authgear.storage.memory(), fake.storage() } },
  transport = { bad = { 1, "curl", true, {}, { send = 1 } }, good = { nothing, { send = nothing } } },
  host = { bad = { 1, "x", nothing, {}, { sleep = 1 }, { sleep = nothing, spawn = nothing }, { sleep = nothing, await = nothing },
      { sleep = nothing, spawn = 1, await = nothing } },
    good = { { sleep = nothing }, { sleep = nothing, spawn = nothing, await = nothing } } },
  clock = { bad = { 1, nothing, {}, { monotonic = nothing }, { monotonic = nothing, wall = 1 } },
    good = { { monotonic = os.time, wall = os.time } } },
}

local FETCH = {
  retry = RETRY,
  method = "text", headers = "table", body_length = "count", form = "table", query = "table", sink = "func",
  timeout = "seconds", max_body = "count", max_redirects = "few", on_unauthorized = "policy", authorization = "boolean",
  cancelled = "func",
  body = { bad = { 1, true, {} }, good = { "", "x", "a\0b", nothing } },
  json = { bad = { NAN, INF, -INF, nothing, "\255", { [{}] = 1 }, { 1, { nothing } }, { a = "\237\160\128" } },
    good = { 1, "x", false, true, authgear.null, {}, { 1, 2 }, { a = { b = 1 } }, "\195\164" } },
}

local AUTHORIZATION = {
  redirect_uri = "text", x_state = "text", prompt = "text", login_hint = "text", ui_locales = "text",
  oauth_provider_alias = "text", authentication_flow_group = "text",
  color_scheme = { bad = { 1, true, "", "Dark" }, good = { "light", "dark" } },
  page = { bad = { 1, true, "", "logout" }, good = { "login", "signup" } },
}

local AUTHENTICATE = {
  redirect_uris = { bad = KINDS.texts.bad, good = { { fake.REDIRECT_URI } } }, timeout = "seconds", cancelled = "func",
  ui = { bad = { 1, true, "", "window", {} }, good = { nothing } },
}
for name, kind in pairs(AUTHORIZATION) do
  AUTHENTICATE[name] = kind
end

-- Those that go through the browser, or open it, take what authenticate takes of these, and some of their own.
local function like_authenticate(names, more)
  local all = {}
  for _, name in ipairs(names) do
    all[name] = AUTHENTICATE[name]
  end
  for name, kind in pairs(more or {}) do
    all[name] = kind
  end
  return all
end
local HALF = { "redirect_uri", "x_state", "ui_locales", "color_scheme" }
local WHOLE = { "redirect_uri", "x_state", "ui_locales", "color_scheme", "redirect_uris", "timeout", "cancelled", "ui" }
local PROVIDER = { oauth_provider_alias = "text" }
local AGAIN = { max_age = "count", oauth_provider_alias = "text", authentication_flow_group = "text" }
local GROUP = { authentication_flow_group = "text" }

-- A client that can do anything without a network; on nothing that is asked for does it depend.
local function client()
  return assert(authgear.new(fake.new():options()))
end

-- The public functions with a table of options: which argument it is, a call that is right, and the options.
local WITH_OPTIONS = {
  configure = { index = 1, options = CONFIGURE, base = { endpoint = fake.ENDPOINT, client_id = "x" },
    required = { "endpoint", "client_id" }, call = function(c, o) return c:configure(o) end },
  fetch = { index = 2, options = FETCH, base = {}, call = function(c, o) return c:fetch(fake.APP, o) end },
  start_authentication = { index = 1, options = AUTHORIZATION, base = { redirect_uri = fake.REDIRECT_URI },
    required = { "redirect_uri" }, call = function(c, o) return c:start_authentication(o) end },
  authenticate = { index = 1, options = AUTHENTICATE, base = { redirect_uri = fake.REDIRECT_URI, ui = nothing },
    call = function(c, o) return c:authenticate(o) end },
  handle_unauthorized = { index = 1, base = { status = 200 }, required = { "status" },
    options = { status = "count", url = "text", access_token = { bad = { 1, true, {} }, good = { "t" } } },
    call = function(c, o) return c:handle_unauthorized(o) end },
  wrap = { index = 2, options = { status = "func", target = "func", headers = "func" }, base = {},
    call = function(c, o) return c:wrap(nothing, o) end },
  clear_session_state = { index = 1, options = { force = "boolean" }, base = {},
    call = function(c, o) return c:clear_session_state(o) end },
  logout = { index = 1, options = { force = "boolean" }, base = {}, call = function(c, o) return c:logout(o) end },
  client_credentials = { index = 1, options = { resource = "text", scope = "text" }, base = {}, required = {},
    call = function(c, o) return c:client_credentials(o) end },
  reauthenticate = { index = 1, options = like_authenticate(WHOLE, AGAIN), base = { redirect_uri = fake.REDIRECT_URI, ui = nothing },
    required = {}, call = function(c, o) return c:reauthenticate(o) end },
  start_reauthentication = { index = 1, options = like_authenticate(HALF, AGAIN), base = { redirect_uri = fake.REDIRECT_URI },
    required = { "redirect_uri" }, call = function(c, o) return c:start_reauthentication(o) end },
  start_settings_action = { index = 2, options = like_authenticate(HALF, { login_id = "text" }),
    base = { redirect_uri = fake.REDIRECT_URI }, required = { "redirect_uri" },
    call = function(c, o) return c:start_settings_action("change_email", o) end },
  open_url = { index = 2, options = like_authenticate { "ui", "ui_locales", "color_scheme" }, base = { ui = nothing },
    call = function(c, o) return c:open_url(fake.APP, o) end },
  open = { index = 2, options = like_authenticate { "ui", "ui_locales", "color_scheme" }, base = { ui = nothing },
    call = function(c, o) return c:open("settings", o) end },
  make_page_url = { index = 2, options = like_authenticate { "ui_locales", "color_scheme" }, base = {},
    call = function(c, o) return c:make_page_url("settings", o) end },
  make_pre_authenticated_url = { index = 1, required = { "web_application_client_id", "web_application_uri" },
    options = { web_application_client_id = "text", web_application_uri = "text", state = "text" },
    base = { web_application_client_id = "web", web_application_uri = fake.APP },
    call = function(c, o) return c:make_pre_authenticated_url(o) end },
  end_session_url = { index = 1, options = { post_logout_redirect_uri = "text", state = "text" }, base = {},
    call = function(c, o) return c:end_session_url(o) end },
  authenticate_anonymously = { index = 1, options = { key = "boolean" }, base = {},
    call = function(c, o) return c:authenticate_anonymously(o) end },
  promote_anonymous_user = { index = 1, options = like_authenticate(WHOLE, GROUP), required = {},
    base = { redirect_uri = fake.REDIRECT_URI, ui = nothing }, call = function(c, o) return c:promote_anonymous_user(o) end },
  start_promotion = { index = 1, options = like_authenticate(HALF, GROUP), base = { redirect_uri = fake.REDIRECT_URI },
    required = { "redirect_uri" }, call = function(c, o) return c:start_promotion(o) end },
  new = { index = 1, options = CONFIGURE, base = { endpoint = fake.ENDPOINT, client_id = "x" },
    required = { "endpoint", "client_id" }, call = function(_, o) return authgear.new(o) end },
  file = { index = 1, options = { dir = "text" }, base = {}, call = function(_, o) return authgear.storage.file(o) end },
}

for _, name in ipairs { "change_password", "delete_account" } do
  WITH_OPTIONS[name] = { index = 1, options = like_authenticate(WHOLE), base = { redirect_uri = fake.REDIRECT_URI, ui = nothing },
    required = {}, call = function(c, o) return c[name](c, o) end }
end
for _, what in ipairs { "email", "phone", "username" } do
  for _, name in ipairs { "add_" .. what, "change_" .. what } do
    WITH_OPTIONS[name] = { index = 1, options = like_authenticate(WHOLE, { login_id = "text" }),
      base = { redirect_uri = fake.REDIRECT_URI, ui = nothing }, required = {}, call = function(c, o) return c[name](c, o) end }
  end
end
for _, name in ipairs { "link_oauth", "unlink_oauth" } do
  WITH_OPTIONS[name] = { index = 1, options = like_authenticate(WHOLE, PROVIDER), required = { "oauth_provider_alias" },
    base = { redirect_uri = fake.REDIRECT_URI, ui = nothing, oauth_provider_alias = "google" },
    call = function(c, o) return c[name](c, o) end }
end

-- Those that take something else: the argument, wrong values, right ones.
local WITH_VALUES = {
  fetch = { 1, "url", { 1, true, {}, nothing, "", "https://x.test/\0" }, { "https://app.test/", "nonsense" },
    function(c, v) return c:fetch(v) end },
  dpop_proof = { 1, "method", { 1, true, {}, nothing, "", "GET\0" }, { "GET", "no method" },
    function(c, v) return c:dpop_proof(v, "https://app.test/") end },
  finish_authentication = { 1, "callback URL", { 1, true, {}, nothing, "", "a\0b" }, { "x", "https://x.test/?state=1" },
    function(c, v) return c:finish_authentication(v) end },
  finish_reauthentication = { 1, "callback URL", { 1, true, {}, nothing, "", "a\0b" }, { "x", "https://x.test/?state=1" },
    function(c, v) return c:finish_reauthentication(v) end },
  finish_settings_action = { 1, "callback URL", { 1, true, {}, nothing, "", "a\0b" }, { "x", "https://x.test/?state=1" },
    function(c, v) return c:finish_settings_action(v) end },
  start_settings_action = { 1, "action", { 1, true, {}, nothing, "", "buy" }, {},
    function(c, v) return c:start_settings_action(v, { redirect_uri = fake.REDIRECT_URI }) end },
  open = { 1, "page", { 1, true, {}, nothing, "", "profile" }, { "settings", "identities" },
    function(c, v) return c:open(v, { ui = nothing }) end },
  open_url = { 1, "url", { 1, true, {}, nothing, "", "a\0b" }, { fake.APP }, function(c, v) return c:open_url(v, { ui = nothing }) end },
  make_page_url = { 1, "page", { 1, true, {}, nothing, "", "a\0b" }, { "settings", fake.APP },
    function(c, v) return c:make_page_url(v) end },
  finish_promotion = { 1, "callback URL", { 1, true, {}, nothing, "", "a\0b" }, { "x", "https://x.test/?state=1" },
    function(c, v) return c:finish_promotion(v) end },
  on_session_state_change = { 1, "listener", { 1, true, {}, "x" }, { nothing },
    function(c, v) return c:on_session_state_change(v) end },
  remove_session_state_listener = { 1, "listener", { 1, true, {}, "x" }, { nothing },
    function(c, v) return c:remove_session_state_listener(v) end },
  wrap = { 1, "request", { 1, true, {}, "x" }, { nothing }, function(c, v) return c:wrap(v) end },
  async = { 1, "function", { 1, true, "x", {} }, { nothing }, function(_, v) authgear.async(v):cancel() end },
  update = { 1, "budget", { "1", true, {}, 0, -1, NAN, INF }, { 1, 0.001 }, function(_, v) authgear.update(v) end },
  sleep = { 1, "time", { "1", true, {}, -1, NAN, INF }, { 0, 0.001 }, function(_, v) authgear.sleep(v) end },
  all = { 1, "list", { 1, true, "x", { 1 }, { {} } }, { {}, { nothing } }, function(_, v) authgear.all(v):cancel() end },
  resolve = { 1, "what", { 1, true, nothing }, {}, function(c, v) return c:resolve(v) end },
  policy = { 1, "table", { 1, true, "x" }, {}, function(_, v) return authgear.policy(v) end },
  verify = { 1, "token", { 1, true, {} }, {}, function(_, v) return authgear.verify(v, {}) end },
  jwks = { 1, "text", { 1, true, {} }, { "x" }, function(_, v) return authgear.jwks(v) end },
  array = { 1, "table", { 1, true, "x", nothing }, { {} }, function(_, v) return authgear.array(v) end },
}

-- And those that take nothing; the doctor and the keys have specs of their own.
local WITHOUT = { session_state = true, access_token = true, authorization_header = true, fetch_user_info = true,
  refresh_access_token_if_needed = true, refresh_access_token = true, refresh_id_token = true, id_token_hint = true,
  can_reauthenticate = true, auth_time = true, close = true, memory = true, pcall = true, assert = true, doctor = true, system_key = true }

local function raised(call, ...)
  local ok, message = pcall(call, ...)
  return not ok and tostring(message) or nil
end

-- It raised, and said whose argument it was.
local function assert_raised(message, where, index, words, what)
  assert.is_string(message, what .. " was accepted")
  local position, argument, name, text = message:match("^(%S+:%d+): bad argument #(%d+) to '([%w_]+)' %((.*)%)$")
  assert.truthy(position, what .. ": " .. message)
  assert.truthy(position:find("spec/options_spec.lua", 1, true), what .. " is blamed on " .. position)
  assert.equal(tostring(index), argument, what)
  assert.equal(where, name, what)
  assert.truthy(text:find(words, 1, true), what .. ": " .. text)
end

local function with(base, name, value)
  local options = {}
  for key, one in pairs(base) do
    options[key] = one
  end
  options[name] = value
  return options
end

local function kind_of(kind)
  return type(kind) == "table" and kind or KINDS[kind]
end

describe("wrong use", function()
  it("is known for every public function", function()
    local file = assert(io.open "lua/authgear.lua")
    for name in file:read("*a"):match("\nlocal LATER = (%b{})"):gmatch "([%w_]+) = " do -- the module's that were not read yet
      assert.is_function(authgear[name], name)
    end
    file:close()
    for _, name in ipairs(clients.names()) do
      assert.is_function(authgear[name], name .. " is not on the module")
    end
    for name, fn in pairs(authgear) do
      if type(fn) == "function" then
        assert.truthy(WITH_OPTIONS[name] or WITH_VALUES[name] or WITHOUT[name], "nobody tries authgear." .. name)
      end
    end
    for name in pairs(authgear.storage) do
      assert.truthy(WITH_OPTIONS[name] or WITH_VALUES[name] or WITHOUT[name], "nobody tries authgear.storage." .. name)
    end
  end)

  it("is known for every option of configure", function()
    for name in pairs(runtimes.KNOWN) do
      assert.truthy(CONFIGURE[name], "nobody tries " .. name)
    end
    for name in pairs(CONFIGURE) do
      assert.truthy(runtimes.KNOWN[name], name .. " is no option")
    end
  end)

  for where, case in pairs(WITH_OPTIONS) do
    it("of an option of " .. where, function()
      for name, kind in pairs(case.options) do
        for i, value in ipairs(kind_of(kind).bad) do
          local what = ("%s{%s = bad value %d}"):format(where, name, i)
          local message = raised(function() return (case.call(client(), with(case.base, name, value))) end)
          assert_raised(message, where, case.index, "option '" .. name .. "'", what)
        end
        for i, value in ipairs(kind_of(kind).good) do
          local c, options = client(), with(case.base, name, value)
          if name == "redirect_uris" then
            options.redirect_uri = nil
          end
          local what = ("%s{%s = good value %d}"):format(where, name, i)
          local ok, result, err = pcall(case.call, c, options)
          assert.truthy(ok, what .. ": " .. tostring(result))
          -- What these two texts say is looked at later, and is no wrong use.
          if (where == "configure" or where == "new") and name ~= "endpoint" and name ~= "allowed_origins" then
            assert.truthy(result, what .. ": " .. tostring(err))
          end
        end
      end
    end)

    it("of an option of " .. where .. " that is inherited from another table", function()
      for name, kind in pairs(case.options) do
        local value = kind_of(kind).bad[1]
        local base = with(case.base, name, nil)
        local message = raised(function() return (case.call(client(), setmetatable(base, { __index = { [name] = value } }))) end)
        assert_raised(message, where, case.index, "option '" .. name .. "'", where .. "{" .. name .. "}, inherited")
      end
      local ok, result = pcall(case.call, client(), setmetatable({}, { __index = case.base }))
      assert.truthy(ok, where .. ": " .. tostring(result))
    end)

    it("of an unknown option of " .. where, function()
      for _, name in ipairs { "unknown", "Timeout", "end_point" } do
        assert_raised(raised(function() return (case.call(client(), with(case.base, name, 1))) end), where, case.index,
          "unknown option '" .. name .. "'", where)
      end
      for _, key in ipairs { 1, true, {}, ("x"):rep(10000), "a\r\nb", "" } do
        local message = raised(function() return (case.call(client(), with(case.base, key, 1))) end)
        assert_raised(message, where, case.index, "unknown option (a " .. type(key), where)
        assert.truthy(#message < 300)
      end
    end)

    it("of the options of " .. where, function()
      for _, value in ipairs { 1, true, "x", nothing } do
        assert_raised(raised(function() return (case.call(client(), value)) end), where, case.index,
          "a table expected, got " .. type(value), where)
      end
      for _, name in ipairs(case.required or {}) do
        assert_raised(raised(function() return (case.call(client(), with(case.base, name, nil))) end), where, case.index,
          "option '" .. name .. "' is missing", where)
      end
      if case.required then
        assert_raised(raised(function() return (case.call(client(), nil)) end), where, case.index,
          "a table expected, got nil", where)
      else
        assert.is_nil(raised(function() return where == "authenticate" or (case.call(client(), nil)) end))
      end
    end)
  end

  for where, case in pairs(WITH_VALUES) do
    local index, name, bad, good, call = case[1], case[2], case[3], case[4], case[5]
    it("of the argument of " .. where, function()
      for _, value in ipairs(bad) do
        assert_raised(raised(function() return (call(client(), value)) end), where, index, name, where)
      end
      if where ~= "update" then -- whose budget may be left out
        assert_raised(raised(function() return (call(client(), nil)) end), where, index, name, where)
      end
      for _, value in ipairs(good) do
        assert.is_nil(raised(call, client(), value))
      end
    end)
  end

  it("of none that are inherited, which count as well", function()
    local shown
    local options = setmetatable({ prompt = "login" }, { __index = { redirect_uri = fake.REDIRECT_URI, login_hint = "maria",
      ui = function(request)
        shown = request.url
      end } })
    assert(select(2, client():authenticate(options)).code == "cancelled")
    assert.truthy(shown:find("prompt=login", 1, true) and shown:find("login_hint=maria", 1, true), shown)
  end)

  it("of a name that no file can have", function()
    for _, storage in ipairs { "file", authgear.storage.file { dir = "/nowhere" }, authgear.storage.file { key = ("k"):rep(32) },
      authgear.storage.file { key = { get = nothing } } } do
      local message = raised(authgear.new, { endpoint = fake.ENDPOINT, client_id = "x", name = ("n"):rep(201), storage = storage })
      assert_raised(message, "configure", 1, "option 'name' is too long", "name")
    end
  end)

  it("of authenticate without a redirect URI", function()
    for _, options in ipairs { {}, { ui = nothing } } do
      assert_raised(raised(function() return (client():authenticate(options)) end), "authenticate", 1,
        "option 'redirect_uri' or 'redirect_uris' is missing", "authenticate")
    end
    assert_raised(raised(function() return (client():authenticate()) end), "authenticate", 1, "a table expected", "authenticate")
  end)

  it("of the names and values of fields", function()
    local c = client()
    for _, field in ipairs { "query", "form" } do
      for _, case in ipairs { { { 1 }, field .. " has a key" }, { { [true] = 1 }, field .. " has a key" },
        { { a = {} }, "'a' must be a string" }, { { a = nothing }, "'a' must be a string" } } do
        assert_raised(raised(function() return (c:fetch(fake.APP, { [field] = case[1] })) end), "fetch", 2, case[2], field)
      end
      assert(c:fetch(fake.APP, { [field] = { a = 1, b = true, c = "\0\r\n\255", [""] = "" } }))
    end
  end)

  it("of headers", function()
    local c = client()
    for words, headers in pairs {
      ["name of header X holds a bad"] = { ["X\r\nEvil"] = "1" }, ["name is empty"] = { [""] = "1" },
      ["name of header X-Y holds"] = { ["X-Y:"] = "1" }, ["starts with a bad character"] = { ["\0"] = "1" },
      ["value of header X holds a control"] = { X = "a\r\nEvil: 1" }, ["value of header Y holds"] = { Y = "a\nb" },
      ["value of header Z holds"] = { Z = "a\0b" }, ["value of header W holds"] = { W = { "a", "b\rc" } },
      ["header 'V' must be a string or number, got boolean"] = { V = true },
      ["header 'U' must be a string or number, got table"] = { U = { {} } },
      ["has a name that is no string"] = { "X: 1" }, ["header 'content-LENGTH' is the library's"] = { ["content-LENGTH"] = "5" },
      ["header 'Transfer-Encoding' is"] = { ["Transfer-Encoding"] = "chunked" }, ["header 'Connection' is"] = { Connection = "close" },
    } do
      assert_raised(raised(function() return (c:fetch(fake.APP, { headers = headers })) end), "fetch", 2, words, words)
    end
    for _, headers in ipairs { { ["X-Y"] = "1" }, { X = "" }, { X = "a\tb" }, { X = "\195\164\255" }, { X = 5 }, { X = { "a", 1 } },
      { X = {} }, { Authorization = "Basic x" } } do
      assert(c:fetch(fake.APP, { headers = headers }))
    end
  end)

  it("of bodies that exclude each other", function()
    local c = client()
    for _, init in ipairs {
      { body = "", json = 1 }, { body = "", form = {} }, { json = 1, form = {} }, { json = false, body = nothing },
    } do
      assert_raised(raised(function() return (c:fetch(fake.APP, init)) end), "fetch", 2, "exclude each other", "bodies")
    end
  end)

  it("of a method with a dot", function()
    local c = client()
    for _, call in ipairs {
      function() return (c.fetch("https://app.test/")) end,
      function() return (c.finish_authentication("https://app.test/")) end,
      function() return (c.handle_unauthorized { status = 401 }) end,
      function() return (c.start_authentication { redirect_uri = "app:/x" }) end,
    } do
      local message = raised(call)
      assert.truthy(message and message:find("^%S*spec/options_spec.lua:%d+: a client's functions are called with a colon"), message)
    end
  end)

  it("is blamed on the caller's line", function()
    local c = client()
    local function line()
      return debug.getinfo(2, "l").currentline
    end
    local here
    for _, call in ipairs {
      function() here = line() local _ = c:fetch(1) end,
      function() here = line() local _ = authgear.fetch(1) end,
      function() here = line() local _ = authgear.configure {} end,
      function() here = line() local _ = authgear.new { endpoint = {} , client_id = "x" } end,
      function() here = line() local _ = c:fetch(fake.APP, { headers = { a = { "b\n" } } }) end,
      function() here = line() local _ = authgear.fetch(fake.APP, { json = { { 0 / 0 } } }) end,
      function() here = line() local _ = authgear.handle_unauthorized() end,
      function() here = line() local _ = authgear.storage.file { dir = 1 } end,
    } do
      authgear.configure(fake.new():options())
      local message = raised(call)
      assert.equal(here, tonumber(message:match("^%S*spec/options_spec.lua:(%d+): ")), message)
    end
    -- Without a Lua function to blame, the words stand alone.
    local ok, message = coroutine.resume(coroutine.create(authgear.fetch), 5)
    assert.is_false(ok)
    assert.equal(1, message:find("bad argument #1 to 'fetch' (url must be a string, got number 5)", 1, true))
    authgear.close()
  end)
end)
