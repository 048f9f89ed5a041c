-- Hostile, broken and misdirected callbacks and answers, for each kind of request that goes through the browser and for what a
-- session asks the token endpoint beside refreshes: each is refused with a clear error, nothing is stored, the session is as it was;
-- and each has a twin that differs in the one defect and is accepted. (RFC 9700 section 4, OpenID Connect Core section 3.1.3.7)
-- Token answers of log-ins and refreshes have more of their own in token_answers_spec.
local authgear = require "authgear"
local canary = require "spec.support.canary"
local core = require "authgear.core"
local fake = require "spec.support.fake_provider"

local NULL = authgear.null
local OTHER = "http%3A%2F%2Fother.test"
local ISSUER = core.percent_encode(fake.ENDPOINT)

-- How each kind is begun and finished.
local KINDS = {
  login = {
    begin = function(client) return client:start_authentication { redirect_uri = fake.REDIRECT_URI } end,
    finish = function(client, url) return client:finish_authentication(url) end,
  },
  reauthentication = {
    needs_session = true,
    begin = function(client) return client:start_reauthentication { redirect_uri = fake.REDIRECT_URI } end,
    finish = function(client, url) return client:finish_reauthentication(url) end,
  },
  settings = {
    needs_session = true,
    begin = function(client) return client:start_settings_action("delete_account", { redirect_uri = fake.REDIRECT_URI }) end,
    finish = function(client, url) return client:finish_settings_action(url) end,
  },
}

local cases_run = 0

-- A client of this kind at a provider of its own, which announces the issuer parameter or not.
local function new_world(kind, announced)
  local p, storage = fake.new(), fake.storage()
  p.seen = nil
  p.answers.discovery = function()
    local metadata = fake.metadata()
    metadata.authorization_response_iss_parameter_supported = announced
    return fake.json(200, metadata)
  end
  local world = { p = p, storage = storage, kind = KINDS[kind or "login"], announced = announced, secrets = {} }
  p.on_secret = function(_, value)
    world.secrets[#world.secrets + 1] = value
  end
  world.client = assert(authgear.new(p:options { storage = storage, pre_authenticated_url_enabled = true }))
  return world
end

-- The same for every case: nobody is logged in for log-ins, user-1 is for the rest.
local function set_up(world)
  local client = world.client
  if world.kind.needs_session == nil then
    assert(client:clear_session_state())
  elseif client:session_state() ~= "AUTHENTICATED" then
    local request = assert(client:start_authentication { redirect_uri = fake.REDIRECT_URI })
    assert(client:finish_authentication(world.p:callback(request, world.announced and "&iss=" .. ISSUER)))
  end
  world.secrets = {}
end

local function good_callback(world, request)
  return world.p:callback(request, world.announced and "&iss=" .. ISSUER or "")
end

local function snapshot(world)
  local client = world.client
  return { world.storage.record or "none", world.storage.writes, client:session_state(), client:access_token() or "none",
    client:id_token_hint() or "none" }
end

local function assert_refused(world, name, code, before, value, err)
  assert.is_nil(value, name .. " was accepted")
  assert.equal(code, err.code, name .. ": " .. tostring(err))
  assert.same(before, snapshot(world), name)
  local said = tostring(err) .. (err.oauth_error_description or "")
  for _, secret in ipairs(world.secrets) do
    assert.is_nil(said:find(secret, 1, true), name .. " says a secret: " .. said)
  end
  cases_run = cases_run + 1
end

-- ---- callbacks: { name, code, spoil(url, request, world), needs: "iss" or "none" (announced or not), nil: both } ----

local function replace(pattern, replacement)
  return function(url)
    local changed, n = url:gsub(pattern, replacement)
    assert(n == 1, pattern)
    return changed
  end
end

local CALLBACKS = {
  { "no URL", "callback", function() return "x" end },
  { "the redirect URI alone", "callback", function(url) return url:match "^[^?]*" end },
  { "an empty query", "callback", function(url) return url:match "^[^?]*" .. "?" end },
  { "another path", "callback", replace("/callback%?", "/callbacks?") },
  { "a longer path", "callback", replace("/callback%?", "/callback/?") },
  { "the path in other case", "callback", replace("/callback%?", "/Callback?") },
  { "another port", "callback", replace(":8989/", ":8990/") },
  { "another host", "callback", replace("127%.0%.0%.1", "127.0.0.2") },
  { "another name of the host", "callback", replace("127%.0%.0%.1", "localhost") },
  { "another scheme", "callback", replace("^http:", "https:") },
  { "a user in the host", "callback", replace("//", "//evil@") },
  { "its parameters in a fragment", "callback", replace("%?", "#") },
  { "a code in a fragment", "callback", function(url) return (url:gsub("code=", "x=", 1)) .. "#code=abc" end },
  { "two states, one of them good", "callback", function(url) return url .. "&state=" .. ("x"):rep(43) end },
  { "the good state twice", "callback", function(url, request) return url .. "&state=" .. request.state end },
  { "a state with a name in escapes besides", "callback", function(url) return url .. "&st%61te=x" end },
  { "the state of a log-in that is under way as well", "state_mismatch", function(url, _, world)
    return (url:gsub("state=[^&]*", "state=" .. assert(KINDS.login.begin(world.client)).state))
  end, not_for = "login" },
  { "an error and no state", "callback", function(url) return url:match "^[^?]*" .. "?error=access_denied" end },
  { "an error and another state", "state_mismatch", function(url)
    return url:match "^[^?]*" .. "?error=access_denied&state=" .. ("x"):rep(43)
  end },
  { "an error", "oauth", function(url) return url .. "&error=access_denied" end },
  { "an error beside no code", "oauth", function(url) return (url:gsub("code=[^&]*", "error=server_error")) end },
  { "two errors", "callback", function(url) return url .. "&error=a&error=b" end },
  { "an error with two descriptions", "callback", function(url)
    return url .. "&error=a&error_description=b&error_description=c"
  end },
  { "an error that echoes the code and the state", "oauth", function(url, request)
    return url .. "&error=access_denied&error_description=" .. request.state .. url:match "code=([^&]*)"
  end },
  { "no issuer where it is announced", "issuer_mismatch", replace("&iss=[^&]*", ""), needs = "iss" },
  { "an empty issuer", "issuer_mismatch", replace("&iss=[^&]*", "&iss="), needs = "iss" },
  { "the issuer twice", "callback", function(url) return url .. "&iss=" .. ISSUER end, needs = "iss" },
  { "an issuer that is another (mix-up)", "issuer_mismatch", replace("&iss=[^&]*", "&iss=" .. OTHER:gsub("%%", "%%%%")), needs = "iss" },
  { "an error of another issuer", "issuer_mismatch", function(url)
    return (url:gsub("&iss=[^&]*", "&iss=" .. OTHER:gsub("%%", "%%%%")):gsub("code=[^&]*", "error=access_denied"))
  end, needs = "iss" },
  { "another issuer where none is announced", "issuer_mismatch", function(url) return url .. "&iss=" .. OTHER end, needs = "none" },
  { "an empty issuer where none is announced", "issuer_mismatch", function(url) return url .. "&iss=" end, needs = "none" },
  { "two issuers where none is announced", "callback", function(url)
    return url .. "&iss=" .. ISSUER .. "&iss=" .. ISSUER
  end, needs = "none" },
}

-- The issuer almost, but not to the letter.
for name, text in pairs {
  ["with a slash"] = fake.ENDPOINT .. "/", ["in capitals"] = fake.ENDPOINT:upper(), ["without TLS"] = "http" .. fake.ENDPOINT:sub(6),
  ["with a port"] = fake.ENDPOINT .. ":443", ["that goes on"] = fake.ENDPOINT .. ".evil.test", ["cut short"] = fake.ENDPOINT:sub(1, -2),
  ["with a path"] = fake.ENDPOINT .. "/x", ["with a space"] = fake.ENDPOINT .. " ",
} do
  local escaped = core.percent_encode(text):gsub("%%", "%%%%")
  CALLBACKS[#CALLBACKS + 1] = { "the issuer " .. name, "issuer_mismatch", replace("&iss=[^&]*", "&iss=" .. escaped), needs = "iss" }
end

-- Each parameter broken in the ways that a text can be.
for _, key in ipairs { "code", "state" } do
  local value = "([?&]" .. key .. "=)[^&]*"
  local wrong = key == "state" and "state_mismatch" or nil
  for name, one in pairs {
    ["no " .. key] = { "callback", function(url) return (url:gsub("([?&])" .. key .. "=[^&]*&?", "%1")) end },
    ["an empty " .. key] = { wrong or "callback", replace(value, "%1") },
    ["two of " .. key] = { "callback", function(url) return url .. "&" .. key .. "=" .. ("y"):rep(43) end },
    ["a broken escape in " .. key] = { "callback", replace(value, "%1%%%%zz") },
    ["half an escape in " .. key] = { "callback", replace(value, "%1abc%%%%4") },
    ["a zero byte in " .. key] = { "callback", replace(value, "%1abc%%%%00") },
    ["bytes that are no UTF-8 in " .. key] = { "callback", replace(value, "%1%%%%ff%%%%fe") },
    ["an overlong escape in " .. key] = { "callback", replace(value, "%1%%%%c0%%%%af") },
  } do
    CALLBACKS[#CALLBACKS + 1] = { name, one[1], one[2] }
  end
end
for name, change in pairs {
  ["that goes on"] = function(s) return s .. "x" end, ["cut short"] = function(s) return s:sub(1, -2) end,
  ["in other case"] = function(s) return (s:upper() ~= s) and s:upper() or s:lower() end,
  ["backwards"] = function(s) return s:reverse() .. "_" end, ["with a space before it"] = function(s) return "+" .. s end,
  ["with one letter changed"] = function(s) return (s:gsub("^.", function(c) return c == "A" and "B" or "A" end)) end,
  ["quoted"] = function(s) return "%22" .. s .. "%22" end, ["of a megabyte"] = function(s) return s:rep(24000) end,
} do
  CALLBACKS[#CALLBACKS + 1] = { "a state " .. name, "state_mismatch", function(url, request)
    return (url:gsub("state=" .. request.state:gsub("%-", "%%-"), function() return "state=" .. change(request.state) end))
  end }
end

-- ---- token answers: { name, code, body(p) } ----

-- A good answer of this grant, changed; `false` leaves a member out.
local function changed(more)
  return function(tokens)
    for name, value in pairs(more) do
      tokens[name] = value ~= false and value or nil
    end
    return assert(core.json_encode(tokens))
  end
end

-- A good answer whose ID token has these claims.
local function claims(more)
  return function(tokens, p)
    tokens.id_token = fake.jwt(p:claims(more))
    return assert(core.json_encode(tokens))
  end
end

local function text(value)
  return function()
    return value
  end
end

local function status(code, body)
  return function()
    return { status = code, headers = { ["Content-Type"] = "application/json" }, body = body or "{}" }
  end
end

-- What is no answer at all, whatever was asked for.
local NO_ANSWER = {
  { "an empty body", "invalid_response", text "" }, { "a page", "invalid_response", text "<html>" },
  { "a list", "invalid_response", text "[]" }, { "a string", "invalid_response", text '"ok"' }, { "null", "invalid_response", text "null" },
  { "half an object", "invalid_response", text '{"access_token":"a' },
  { "something behind it", "invalid_response", function(tokens) return core.json_encode(tokens) .. "x" end },
  { "a mark of byte order", "invalid_response", function(tokens) return "\239\187\191" .. core.json_encode(tokens) end },
  { "a member twice", "invalid_response", function(tokens) return (core.json_encode(tokens):gsub("^{", '{"x":1,"x":2,')) end },
  { "a zero byte", "invalid_response", function(tokens) return (core.json_encode(tokens):gsub("^{", '{"x":"\0",')) end },
  { "100,000 brackets", "invalid_response", text(("["):rep(100000)) },
  { "a status of 204", "invalid_response", status(204) }, { "a status of 302", "invalid_response", status(302) },
  { "a status of 401 without words", "invalid_response", status(401) },
  { "a status of 500", "server", status(500), retryable = true }, { "a status of 429", "rate_limited", status(429), retryable = true },
  { "invalid_client", "oauth", status(401, '{"error":"invalid_client"}') },
  { "an error with a secret in it", "oauth", function(tokens)
    return status(400, core.json_encode { error = "x", error_description = tokens.id_token or "" })()
  end },
}

-- What makes a token or an ID token useless.
local BAD_TEXTS = { ["that is empty"] = "", ["that is null"] = NULL, ["that is a number"] = 7, ["that is a list"] = { "a" },
  ["that is true"] = true, ["that is an object"] = { a = "b" }, ["with a space"] = "a b", ["with a line break"] = "a\r\nX: y",
  ["with a zero byte"] = "a\0b", ["with an umlaut"] = "\195\188", ["of 200 KB"] = ("x"):rep(200000) }

local function bad_texts(list, name, code)
  for what, value in pairs(BAD_TEXTS) do
    list[#list + 1] = { name .. " " .. what, code or "invalid_response", changed { [name] = value } }
  end
end

local function payload(body)
  return changed { id_token = canary.base64url "{}" .. "." .. canary.base64url(body) .. "." .. canary.base64url "x" }
end

-- What an ID token must not say, wherever it comes from.
local ID_TOKENS = {
  { "an ID token of one part", "id_token", changed { id_token = "abc" } },
  { "an ID token of four parts", "id_token", changed { id_token = "a.b.c.d" } },
  { "an encrypted ID token", "id_token", changed { id_token = "a.b.c.d.e" } },
  { "an ID token that is no JSON", "id_token", payload "x" }, { "an ID token that is a list", "id_token", payload "[]" },
  { "an ID token with a claim twice", "id_token", payload '{"sub":"user-1","sub":"user-1"}' },
  { "another issuer", "id_token", claims { iss = "https://other.test" } }, { "no issuer", "id_token", claims { iss = false } },
  { "an issuer that is a list", "id_token", claims { iss = { fake.ENDPOINT } } },
  { "another audience", "id_token", claims { aud = "other" } }, { "no audience", "id_token", claims { aud = false } },
  { "audiences without us", "id_token", claims { aud = { "a", "b" } } }, { "an audience that is null", "id_token", claims { aud = NULL } },
  { "another party", "id_token", claims { aud = { fake.CLIENT, "b" }, azp = "b" } },
  { "an ID token of long ago", "id_token", claims { exp = 1000, iat = 900 } }, { "no exp", "id_token", claims { exp = false } },
  { "an exp that is text", "id_token", claims { exp = "9999999999" } }, { "no iat", "id_token", claims { iat = false } },
  { "an iat that is null", "id_token", claims { iat = NULL } }, { "no sub", "id_token", claims { sub = false } },
  { "an empty sub", "id_token", claims { sub = "" } }, { "a sub that is a number", "id_token", claims { sub = 1 } },
  { "a sub of 256 bytes", "id_token", claims { sub = ("s"):rep(256) } },
}

local NONCES = {
  { "no nonce", "id_token", claims { nonce = false } }, { "another nonce", "id_token", claims { nonce = ("n"):rep(43) } },
  { "an empty nonce", "id_token", claims { nonce = "" } }, { "a nonce that is null", "id_token", claims { nonce = NULL } },
  { "a list of nonces", "id_token", function(tokens, p) return claims { nonce = { p.nonce } }(tokens, p) end },
  { "a nonce that goes on", "id_token", function(tokens, p) return claims { nonce = p.nonce .. "x" }(tokens, p) end },
  { "a nonce cut short", "id_token", function(tokens, p) return claims { nonce = p.nonce:sub(1, -2) }(tokens, p) end },
}

local SUBJECTS = {
  { "another user", "user_mismatch", claims { sub = "user-2" } }, { "the user in other case", "user_mismatch", claims { sub = "User-1" } },
  { "a user whose name goes on", "user_mismatch", claims { sub = "user-1 " } },
}

local AGES = {
  { "a user authenticated long ago", "id_token", function(tokens, p) return claims { auth_time = fake.now() - 301 }(tokens, p) end },
  { "no auth_time", "id_token", claims { auth_time = false } },
  { "an auth_time that is text", "id_token", claims { auth_time = "now" } },
  { "an auth_time that is null", "id_token", claims { auth_time = NULL } },
  { "an auth_time of 1970", "id_token", claims { auth_time = 0 } },
}

local TYPES = {
  { "no token type", "invalid_response", changed { token_type = false } },
  { "another type", "invalid_response", changed { token_type = "MAC" } },
  { "a type bound to no key", "invalid_response", changed { token_type = "DPoP" } },
  { "a type that is null", "invalid_response", changed { token_type = NULL } },
  { "a list of types", "invalid_response", changed { token_type = { "Bearer" } } },
  { "no access token", "invalid_response", changed { access_token = false } },
  { "no time to live", "invalid_response", changed { expires_in = 0 } },
  { "less than none", "invalid_response", changed { expires_in = -1 } },
  { "a time that is text", "invalid_response", changed { expires_in = "1800" } },
  { "a time without end", "invalid_response", changed { expires_in = 1e300 } },
  { "a time that is null", "invalid_response", changed { expires_in = NULL } },
}

local function all(...)
  local list = {}
  for _, one in ipairs { ... } do
    for _, case in ipairs(one) do
      list[#list + 1] = case
    end
  end
  return list
end

-- From now on the token endpoint's good answers are changed by `body`.
local function answering(world, body)
  local p = world.p
  p.answers.token = body and function(request)
    p.answers.token = nil
    local good = p:send(request)
    assert(good.status == 200, good.body)
    local tokens = core.json_decode(good.body)
    local answer = body(tokens, p)
    return type(answer) == "table" and answer or fake.json(200, answer)
  end or nil
end

-- Runs the cases of one call: `call(world)` -> value, err; each is refused, and then the same call is good.
local function run_answers(world, list, call)
  for _, case in ipairs(list) do
    set_up(world)
    local before = snapshot(world)
    answering(world, case[3])
    local value, err = call(world)
    answering(world, nil)
    assert_refused(world, case[1], case[2], before, value, err)
    assert.equal(case.retryable == true, err.retryable, case[1])
    if world.renew then
      world.renew()
    end
    set_up(world)
    value, err = call(world)
    assert.is_truthy(value, case[1] .. ", its twin: " .. tostring(err))
  end
end

local function through_browser(world)
  local request = assert(world.kind.begin(world.client))
  return world.kind.finish(world.client, good_callback(world, request))
end

-- Is the case one for this world?
local function is_meant(case, kind, announced)
  return case.not_for ~= kind and (case.needs == nil or (case.needs == "iss") == announced)
end

local function run_callback(world, case)
  local name, code, spoil = case[1], case[2], case[3]
  set_up(world)
  local request = assert(world.kind.begin(world.client))
  local good = good_callback(world, request)
  local bad = spoil(good, request, world)
  assert.not_equal(good, bad, name)
  local before, asked = snapshot(world), world.p.counts.token
  assert_refused(world, name, code, before, world.kind.finish(world.client, bad))
  assert.equal(asked, world.p.counts.token, name .. " led to a token request")
  -- The twin. A stranger's callback disturbs no request that is under way; one that was found is over.
  local value, err = world.kind.finish(world.client, good)
  if not value then
    assert.is_true(err.code == "no_login" or err.code == "state_mismatch", name .. ": " .. tostring(err))
    value, err = through_browser(world)
  end
  assert.is_truthy(value, name .. ", its twin: " .. tostring(err))
  -- And once only.
  set_up(world)
  before = snapshot(world)
  value, err = world.kind.finish(world.client, good)
  assert_refused(world, "replayed", err.code == "no_login" and "no_login" or "state_mismatch", before, value, err)
end

describe("a hostile callback", function()
  for kind in pairs(KINDS) do
    for _, announced in ipairs { true, false } do
      it(("of a %s is refused, where the issuer is %sannounced, and its twin taken"):format(kind, announced and "" or "not "), function()
        local world = new_world(kind, announced)
        for _, case in ipairs(CALLBACKS) do
          if is_meant(case, kind, announced) then
            run_callback(world, case)
          end
        end
      end)
    end
  end

  it("of one kind is not finished as another", function()
    for kind in pairs(KINDS) do
      for other in pairs(KINDS) do
        if kind ~= other then
          local world = new_world(kind, false)
          set_up(world)
          local request = assert(world.kind.begin(world.client))
          local good = good_callback(world, request)
          local before = snapshot(world)
          assert_refused(world, kind .. " as " .. other, "state_mismatch", before, KINDS[other].finish(world.client, good))
          assert.is_truthy(world.kind.finish(world.client, good))
        end
      end
    end
  end)

  it("with another's code is refused by the server, and not sent twice", function()
    for kind in pairs(KINDS) do
      local world = new_world(kind, false)
      set_up(world)
      local request = assert(world.kind.begin(world.client))
      local good = good_callback(world, request)
      local before, asked = snapshot(world), world.p.counts.token or 0
      assert_refused(world, kind, "oauth", before, world.kind.finish(world.client, (good:gsub("code=", "code=x"))))
      assert.equal(asked + 1, world.p.counts.token)
      assert.is_truthy(through_browser(world))
    end
  end)
end)

describe("a hostile token answer", function()
  it("to a log-in is refused, and its twin taken", function()
    local list = all(NO_ANSWER, ID_TOKENS, NONCES, TYPES)
    for _, name in ipairs { "access_token", "refresh_token", "id_token", "device_secret" } do
      bad_texts(list, name)
    end
    list[#list + 1] = { "no ID token", "id_token", changed { id_token = false } }
    list[#list + 1] = { "no refresh token", "invalid_response", changed { refresh_token = false } }
    list[#list + 1] = { "an ID token of another user than user info", "user_mismatch", claims { sub = "user-2" } }
    run_answers(new_world("login", true), list, through_browser)
  end)

  it("to a reauthentication is refused, and its twin taken", function()
    local list = all(NO_ANSWER, ID_TOKENS, NONCES, TYPES, SUBJECTS, AGES)
    for _, name in ipairs { "access_token", "id_token", "device_secret" } do
      bad_texts(list, name)
    end
    list[#list + 1] = { "no ID token", "id_token", changed { id_token = false } }
    run_answers(new_world("reauthentication", true), list, through_browser)
  end)

  it("to a settings action is refused, and its twin taken", function()
    run_answers(new_world("settings", true), NO_ANSWER, through_browser)
  end)

  it("to an ID token's refresh is refused, and its twin taken", function()
    local world = new_world("reauthentication", false)
    local list = all(NO_ANSWER, ID_TOKENS, SUBJECTS)
    bad_texts(list, "id_token")
    list[#list + 1] = { "no ID token", "invalid_response", changed { id_token = false } }
    run_answers(world, list, function() return world.client:refresh_id_token() end)
  end)

  it("to the exchange for a URL is refused, and its twin taken", function()
    local world = new_world("reauthentication", false)
    local list = all(NO_ANSWER, ID_TOKENS, SUBJECTS, TYPES)
    for _, name in ipairs { "access_token", "id_token", "device_secret" } do
      bad_texts(list, name)
      list[#list + 1] = { "no " .. name, "invalid_response", changed { [name] = false } }
    end
    function world.renew() -- the secret was spent
      assert(world.client:clear_session_state())
    end
    run_answers(world, list, function()
      return world.client:make_pre_authenticated_url { web_application_client_id = "web", web_application_uri = "https://web.test/" }
    end)
  end)
end)

describe("the cases", function()
  it("are more than 500", function()
    assert.is_true(cases_run > 500, tostring(cases_run))
  end)
end)
