-- Token answers and ID tokens that are hostile, broken or meant for somebody else: refused with a clear error, with
-- nothing stored and the session as it was; but a good refresh token that stands in one outlives it, since the old one is
-- dead by then. Each has a good twin that differs in the one defect.

local authgear = require "authgear"
local canary = require "spec.support.canary"
local core = require "authgear.core"
local fake = require "spec.support.fake_provider"
local steady = require "spec.support.steady"

local NULL = authgear.null
local MAX_TOKEN = 131072

-- A good answer with some members replaced; `false` leaves one out.
local function answer(more)
  return function(p)
    local tokens = p:tokens()
    for name, value in pairs(more or {}) do
      if value == false then
        tokens[name] = nil
      else
        tokens[name] = value
      end
    end
    return assert(core.json_encode(tokens))
  end
end

-- A good answer whose text is changed.
local function edited(pattern, replacement)
  return function(p)
    local body, n = answer()(p):gsub(pattern, replacement)
    assert(n == 1, pattern)
    return body
  end
end

local function with_member(member)
  return edited("}$", "," .. member .. "}")
end

local GOOD = answer()

-- What is said of answers to a refresh whose refresh token is kept all the same: there is one, and it is good.
local ROTATED = { ["no usable access_token"] = true, id_token = true, device_secret = true, token_type = true, expires_in = true }

-- Refused at a log-in and at a refresh alike: name, words, bad, good.
local BOTH = {
  { "no access token", "no usable access_token", answer { access_token = false }, GOOD },
  { "an empty access token", "no usable access_token", answer { access_token = "" }, answer { access_token = "a" } },
  { "an access token that is null", "no usable access_token", answer { access_token = NULL }, GOOD },
  { "a refresh token that is null", "refresh_token", answer { refresh_token = NULL }, GOOD },
  { "an empty refresh token", "refresh_token", answer { refresh_token = "" }, GOOD },
  { "a refresh token with a space", "refresh_token", answer { refresh_token = "a b" }, answer { refresh_token = "a.b" } },
  { "a refresh token of 128 KB and one", "refresh_token", answer { refresh_token = ("r"):rep(MAX_TOKEN + 1) },
    answer { refresh_token = ("r"):rep(MAX_TOKEN) } },
  { "an ID token with a line break", "id_token", answer { id_token = "a.b\n.c" }, GOOD },
  { "an ID token that is null", "id_token", answer { id_token = NULL }, GOOD },
  { "a device secret that is a list", "device_secret", answer { device_secret = {} }, answer { device_secret = "s" } },
  { "no token type", "token_type", answer { token_type = false }, answer { token_type = "bearer" } },
  { "another token type", "token_type", answer { token_type = "DPoP" }, answer { token_type = "BEARER" } },
  { "a token type with a space", "token_type", answer { token_type = "Bearer " }, answer { token_type = "Bearer" } },
  { "a token type that is a list", "token_type", answer { token_type = { "Bearer" } }, GOOD },
  { "something before it", "not valid JSON", edited("^", "x"), edited("^", " \r\n") },
  { "something after it", "not valid JSON", edited("$", "{}"), edited("$", "\n") },
  { "half of it", "not valid JSON", edited("}$", ""), GOOD },
  { "a byte order mark", "byte order mark", edited("^", "\239\187\191"), GOOD },
  { "an access token twice", "twice", with_member('"access_token":"evil"'), with_member('"access_token2":"evil"') },
  { "an access token twice, escaped", "twice", with_member('"\\u0061ccess_token":"evil"'), with_member('"\\u0041ccess_token":"evil"') },
  { "a NUL in a string", "\\u0000", with_member('"x":"a\\u0000"'), with_member('"x":"a\\u0001"') },
  { "a NUL in the token", "\\u0000", edited('"access_token":"', '%0\\u0000'), GOOD },
  { "invalid UTF-8", "UTF-8", with_member('"x":"\192\175"'), with_member('"x":"\195\175"') },
  { "10,000 levels", "too deep", with_member('"x":' .. ("["):rep(10000) .. ("]"):rep(10000)),
    with_member('"x":' .. ("["):rep(100) .. ("]"):rep(100)) },
  { "10,000 levels of objects", "too deep", with_member(('"x":{'):rep(10000) .. ("}"):rep(10000)),
    with_member(('"x":{'):rep(100) .. ("}"):rep(100)) },
  { "a list", "not a JSON object", edited("^(.*)$", "[%1]"), GOOD },
  { "null", "not a JSON object", function() return "null" end, GOOD },
  { "nothing", "not valid JSON", function() return "" end, GOOD },
}

for what, bad in pairs { ["a space"] = "a b", ["a line break"] = "a\r\nX-Evil: 1", ["a tab"] = "a\tb", ["a DEL"] = "a\127",
  ["an umlaut"] = "\195\164", ["a quote of an emoji"] = "\240\159\152\128", ["a control character"] = "a\1",
  ["128 KB and one"] = ("a"):rep(MAX_TOKEN + 1), ["700 KB"] = ("a"):rep(700000) } do
  local good = bad:gsub("[^%w]", "~")
  BOTH[#BOTH + 1] = { "an access token with " .. what, "no usable access_token", answer { access_token = bad },
    answer { access_token = good:sub(1, MAX_TOKEN) } }
end
for what, bad in pairs { number = 5, boolean = true, list = { "t" }, object = { a = "t" } } do
  BOTH[#BOTH + 1] = { "an access token that is a " .. what, "no usable access_token", answer { access_token = bad }, GOOD }
  BOTH[#BOTH + 1] = { "a refresh token that is a " .. what, "refresh_token", answer { refresh_token = bad }, GOOD }
  BOTH[#BOTH + 1] = { "an ID token that is a " .. what, "id_token", answer { id_token = bad }, GOOD }
end
-- As they stand in the text, since no number of ours is like that.
for text, words in pairs { ["0"] = "expires_in", ["-1"] = "expires_in", ["-1e300"] = "expires_in", ["1e300"] = "expires_in",
  ['"3600"'] = "expires_in", ["null"] = "expires_in", ['"NaN"'] = "expires_in", ["[3600]"] = "expires_in", ["true"] = "expires_in",
  ["0.999"] = "expires_in", ["-0"] = "expires_in", ["316224001"] = "expires_in", ["1e999"] = "too large", ["NaN"] = "not valid JSON",
  ["-Infinity"] = "not valid JSON", ["0x10"] = "not valid JSON", ["01"] = "zero in front", ["1."] = "bad number" } do
  BOTH[#BOTH + 1] = { "expires_in " .. text, words, edited('("expires_in":)1800', "%1" .. text), GOOD }
end
for _, text in ipairs { "1", "1.5", "3600", "3.6e3", "316224000" } do
  BOTH[#BOTH + 1] = { "expires_in 0", "expires_in", edited('("expires_in":)1800', "%10"), edited('("expires_in":)1800', "%1" .. text) }
end

-- Refused at a log-in: name, code, words, bad, good.
local function id(claims, change)
  return function(p)
    local token = fake.jwt(p:claims(claims))
    return answer { id_token = change and change(token) or token }(p)
  end
end

local function payload(text)
  return answer { id_token = canary.base64url("{}") .. "." .. canary.base64url(text) .. "." .. canary.base64url("x") }
end

local now = fake.now()
local LOG_IN = {
  { "no ID token", "id_token", "no ID token", answer { id_token = false }, GOOD },
  { "no refresh token", "invalid_response", "no refresh token", answer { refresh_token = false }, GOOD },
  { "an ID token of one part", "id_token", "cannot be read", answer { id_token = "abc" }, id() },
  { "an ID token of two parts", "id_token", "cannot be read", id(nil, function(t) return t:match("^[^.]+%.[^.]+") end), id() },
  { "an ID token of four parts", "id_token", "cannot be read", id(nil, function(t) return t .. ".x" end), id() },
  { "an ID token of five parts", "id_token", "cannot be read", id(nil, function(t) return t .. ".x.y" end), id() },
  { "an ID token in other base64", "id_token", "cannot be read", id(nil, function(t) return (t:gsub("%.", "+.", 1):gsub("%.e", ".=e")) end),
    id() },
  { "an ID token with padding", "id_token", "cannot be read", id(nil, function(t) return (t:gsub("%.([^.]*)$", "==.%1")) end), id() },
  { "a payload that is no JSON", "id_token", "cannot be read", payload "{", id() },
  { "a payload that is no object", "id_token", "cannot be read", payload "[]", id() },
  { "a payload with sub twice", "id_token", "cannot be read", payload '{"sub":"a","sub":"b"}', id() },
  { "a payload of 10,000 levels", "id_token", "cannot be read", payload(("["):rep(10000)), id() },
  { "another issuer", "id_token", "another issuer", id { iss = "https://evil.test" }, id { iss = fake.ENDPOINT } },
  { "an issuer with a slash", "id_token", "another issuer", id { iss = fake.ENDPOINT .. "/" }, id() },
  { "no issuer", "id_token", "another issuer", id { iss = false }, id() },
  { "a list of issuers", "id_token", "another issuer", id { iss = { fake.ENDPOINT } }, id() },
  { "another audience", "id_token", "(aud)", id { aud = "other" }, id { aud = fake.CLIENT } },
  { "a list of others", "id_token", "(aud)", id { aud = { "other", "another" } }, id { aud = { "other", fake.CLIENT } } },
  { "an empty list", "id_token", "(aud)", id { aud = authgear.array {} }, id() },
  { "a list with a number in it", "id_token", "(aud)", id { aud = { fake.CLIENT, 5 } }, id { aud = { fake.CLIENT, "5" } } },
  { "an audience that begins like ours", "id_token", "(aud)", id { aud = fake.CLIENT .. "2" }, id() },
  { "no audience", "id_token", "(aud)", id { aud = false }, id() },
  { "an audience that is null", "id_token", "(aud)", id { aud = NULL }, id() },
  { "another azp", "id_token", "(azp)", id { azp = "other" }, id { azp = fake.CLIENT } },
  { "an ID token that has expired", "id_token", "expired", id { exp = now - 3600 }, id { exp = now + 60 } },
  { "an ID token of 1970", "id_token", "expired", id { exp = 0 }, id() },
  { "an exp below all", "id_token", "expired", id { exp = -1e300 }, id { exp = 1e300 } },
  { "no exp", "id_token", "no exp or iat", id { exp = false }, id() },
  { "an exp that is text", "id_token", "no exp or iat", id { exp = tostring(now + 60) }, id() },
  { "no iat", "id_token", "no exp or iat", id { iat = false }, id() },
  { "no sub", "id_token", "no subject", id { sub = false }, id() },
  { "an empty sub", "id_token", "no subject", id { sub = "" }, id() },
  { "no nonce", "id_token", "(nonce)", id { nonce = false }, id() },
  { "another nonce", "id_token", "(nonce)", id { nonce = "other" }, id() },
  { "a nonce that is a number", "id_token", "(nonce)", id { nonce = 1 }, id() },
  { "a list of nonces", "id_token", "(nonce)", id { nonce = { "other" } }, id() },
  { "a sub that is a number", "id_token", "no subject", id { sub = 1 }, id() },
}

local function answering(p, body)
  p.answers.token = function()
    return fake.json(200, body(p))
  end
end

local function client_of(stored)
  local p, storage = fake.new(), fake.storage()
  storage.record = stored
  return assert(authgear.new(p:options { storage = storage })), p, storage
end

local function stored_session()
  local client, p, storage = client_of()
  assert(p:log_in(client))
  return storage.record, p["access token"], p["refresh token"]
end

local function assert_refused(case, code, words, value, err)
  assert.is_nil(value, case .. " was accepted")
  assert.equal(code, err.code, case .. ": " .. tostring(err))
  assert.truthy(err.message:find(words, 1, true), case .. ": " .. err.message)
  assert.is_false(err.retryable, case)
end

describe("a token answer", function()
  it("is refused at a log-in for one defect, and taken without it", function()
    local cases = {}
    for _, case in ipairs(BOTH) do
      cases[#cases + 1] = { case[1], "invalid_response", case[2], case[3], case[4] }
    end
    for _, case in ipairs(LOG_IN) do
      cases[#cases + 1] = case
    end
    assert.truthy(#cases > 90)
    for _, case in ipairs(cases) do
      local client, p, storage = client_of()
      answering(p, case[4])
      assert_refused(case[1], case[2], case[3], p:log_in(client))
      assert.equal(0, storage.writes, case[1])
      assert.equal("NO_SESSION", client:session_state())
      assert.is_nil(client:access_token())
      -- The same client goes on.
      answering(p, case[5])
      local start = assert(client:start_authentication { redirect_uri = fake.REDIRECT_URI })
      p.answers.userinfo = function() return fake.json(200, { sub = "user-1" }) end
      assert(client:finish_authentication(p:callback(start)), case[1])
      assert.equal("AUTHENTICATED", client:session_state())
    end
  end)

  it("is refused at a refresh for one defect, and the session kept", function()
    for _, case in ipairs(BOTH) do
      local record, access, refresh = stored_session()
      local client, p, storage = client_of(record)
      p.ahead = 4000
      answering(p, case[3])
      local writes = 0
      for _, call in ipairs { client.refresh_access_token_if_needed, client.refresh_access_token, client.fetch_user_info } do
        assert_refused(case[1], "invalid_response", case[2], call(client))
        assert.equal("AUTHENTICATED", client:session_state(), case[1])
        local want = record
        if ROTATED[case[2]] then
          writes = writes + 1
          want = want:gsub('("generation":)1', "%1" .. writes + 1)
          want = want:gsub('("refresh_token":")[^"]*', "%1" .. p["refresh token"]:gsub("%%", "%%%%"))
        end
        assert.equal(want, storage.record, case[1])
        assert.equal(writes, storage.writes, case[1])
        assert.equal(access, client:access_token())
      end
      answering(p, case[4])
      assert.is_true(client:refresh_access_token_if_needed(), case[1])
      assert.not_equal(access, client:access_token())
      assert.equal(writes + 1, storage.writes)
      assert.equal(nil, storage.record:find(refresh, 1, true), case[1])
    end
  end)

  local NO_LIFE = answer { expires_in = -1 }

  it("that is no good, but has a refresh token, is followed by a refresh with that one", function()
    local client, p, storage = client_of(stored_session())
    p.ahead = 4000
    answering(p, NO_LIFE)
    assert_refused("expires_in -1", "invalid_response", "expires_in", client:refresh_access_token_if_needed())
    p.answers.token = nil -- it takes the newest one only
    assert.is_true(client:refresh_access_token_if_needed())
    assert.equal("AUTHENTICATED", client:session_state())
    assert.equal(p["access token"], client:access_token())
    assert.equal(2, storage.writes)
  end)

  it("that is no good, but has a refresh token, loses it to no full disk", function()
    local client, p, storage = client_of(stored_session())
    local record, set, full = storage.record, storage.set, true
    function storage.set(...)
      if full then
        return nil, "the disk is full"
      end
      return set(...)
    end
    p.ahead = 4000
    answering(p, NO_LIFE)
    local ok, err = client:refresh_access_token_if_needed()
    assert.is_nil(ok)
    assert.equal("storage", err.code)
    assert.equal(record, storage.record)
    p.answers.token = nil
    ok, err = client:refresh_access_token_if_needed() -- what is not stored is not sent either
    assert.is_nil(ok)
    assert.equal("storage", err.code)
    assert.equal(1, p.counts.token)
    full = false
    assert.is_true(client:refresh_access_token_if_needed())
    assert.equal(p["access token"], client:access_token())
    assert.same({ 2, 2 }, { storage.writes, p.counts.token })
  end)

  it("is not asked for a refresh token where it is an error, no success, or no JSON", function()
    local record, _, refresh = stored_session()
    for what, respond in pairs {
      ["an error in it"] = function(p) return fake.json(200, answer { access_token = false, error = "invalid_grant" }(p)) end,
      ["status 201"] = function(p) return fake.json(201, NO_LIFE(p)) end,
      ["status 302"] = function(p) return fake.json(302, NO_LIFE(p)) end,
      ["status 400"] = function(p) return fake.json(400, NO_LIFE(p)) end,
      ["status 500"] = function(p) return fake.json(500, NO_LIFE(p)) end,
      ["no JSON behind it"] = function(p) return fake.json(200, NO_LIFE(p) .. "x") end,
      ["two refresh tokens"] = function(p) return fake.json(200, (NO_LIFE(p):gsub("}$", ',"refresh_token":"evil"}'))) end,
      ["half of it"] = function(p) return fake.json(200, NO_LIFE(p):sub(1, -2)) end,
      ["a list around it"] = function(p) return fake.json(200, "[" .. NO_LIFE(p) .. "]") end,
      ["a refresh token of other signs"] = function(p) return fake.json(200, answer { expires_in = -1, refresh_token = "a b" }(p)) end,
    } do
      local client, p, storage = client_of(record)
      p.ahead = 4000
      p.answers.token = function() return respond(p) end
      local ok = client:refresh_access_token_if_needed()
      assert.is_nil(ok, what)
      assert.equal(record, storage.record, what)
      assert.equal("AUTHENTICATED", client:session_state(), what)
      p["refresh token"], p.answers.token = refresh, nil
      assert.is_true(client:refresh_access_token_if_needed(), what)
    end
  end)

  it("of a refresh whose ID token is no good costs the ID token only", function()
    local not_asked = { expired = true, ["(nonce)"] = true, ["no refresh token"] = true }
    for _, case in ipairs(LOG_IN) do
      local record = stored_session()
      local client, p, storage = client_of(record)
      p.ahead = 4000
      answering(p, case[4])
      assert.is_true(client:refresh_access_token_if_needed(), case[1])
      assert.not_equal(record, storage.record)
      -- What stands in the record is of this user and client: the old one, unless nothing else was wrong with the new one
      -- than what a refresh does not ask for.
      local id_token = storage.record:match('"id_token":"([^"]+)"')
      assert.truthy(id_token == record:match('"id_token":"([^"]+)"') or not_asked[case[3]], case[1])
    end
  end)

  it("with another user's ID token at a refresh leaves the old ID token", function()
    for sub, taken in pairs { ["user-2"] = false, ["user-1"] = true } do
      local record = stored_session()
      local client, p, storage = client_of(record)
      p.ahead = 4000
      answering(p, id { sub = sub, name = "new" })
      assert.is_true(client:refresh_access_token_if_needed())
      assert.equal(taken, storage.record:match('"id_token":"([^"]+)"') ~= record:match('"id_token":"([^"]+)"'), sub)
    end
  end)

  it("may leave out what is optional at a refresh", function()
    local record, _, refresh = stored_session()
    for _, more in ipairs { { id_token = false }, { refresh_token = false }, { scope = false }, { expires_in = false } } do
      local client, p, storage = client_of(record)
      p.ahead = 4000
      answering(p, answer(more))
      assert.is_true(client:refresh_access_token_if_needed())
      assert.equal(more.refresh_token == false, storage.record:find(refresh, 1, true) ~= nil)
    end
  end)

  it("is judged by its status where it is no success", function()
    local record = stored_session()
    for status, code in pairs { [201] = "invalid_response", [204] = "invalid_response", [302] = "invalid_response",
      [400] = "invalid_response", [401] = "invalid_response", [403] = "invalid_response", [429] = "rate_limited",
      [500] = "server", [502] = "server", [503] = "server" } do
      local client, p, storage = client_of(record)
      p.ahead = 4000
      p.answers.token = function()
        return { status = status, headers = {}, body = GOOD(p) }
      end
      local value, err = client:refresh_access_token()
      assert.is_nil(value)
      assert.equal(code, err.code)
      assert.equal(status, err.status)
      assert.equal(record, storage.record)
    end
  end)

  it("ends the session for invalid_grant and nothing that looks like it", function()
    local record = stored_session()
    for body, ended in pairs {
      ['{"error":"invalid_grant"}'] = true, ['{"error":"invalid_grant","error_description":5}'] = true,
      ['{"error":"Invalid_Grant"}'] = false, ['{"error":"invalid_grant "}'] = false, ['{"error":["invalid_grant"]}'] = false,
      ['{"error":"invalid_grant\\u0000"}'] = false, ['{"error":"invalid_grant","error":"x"}'] = false,
      ['{"error":"x","error":"invalid_grant"}'] = false, ['"invalid_grant"'] = false, ['invalid_grant'] = false,
      ['[{"error":"invalid_grant"}]'] = false, ['{"error":"invalid_client"}'] = false, ['{"error":"invalid_grant"'] = false,
      ['{"Error":"invalid_grant"}'] = false, [''] = false,
    } do
      for _, status in ipairs { 400, 500 } do
        local client, p, storage = client_of(record)
        p.ahead = 4000
        p.answers.token = function()
          return fake.json(status, body)
        end
        local ok = client:refresh_access_token_if_needed()
        ended = ended and status == 400
        assert.equal(ended, ok == true, body)
        assert.equal(ended and "NO_SESSION" or "AUTHENTICATED", client:session_state(), body)
        assert.equal(not ended and record or nil, storage.record, body)
      end
    end
  end)

  it("that is refused a thousand times leaves nothing behind", function()
    local client, p = client_of()
    local refreshing, q = client_of((stored_session()))
    q.ahead = 4000
    local function same(self, kind) -- canaries are remembered for ever, so always the same ones here
      self[kind] = canary.text(kind)
      return self[kind]
    end
    p.secret, q.secret = same, same
    p.seen, q.seen = nil, nil
    local small = {}
    for _, case in ipairs(BOTH) do
      if #case[3](fake.new()) < 20000 then
        small[#small + 1] = case[3]
      end
    end
    for _, case in ipairs(LOG_IN) do
      small[#small + 1] = #case[4](fake.new()) < 20000 and case[4] or nil
    end
    steady.check(function(i)
      answering(p, small[i % #small + 1])
      assert.is_nil(p:log_in(client))
      answering(q, BOTH[i % 5 + 1][3])
      assert.is_nil(refreshing:refresh_access_token())
    end)
  end)
end)

describe("user info", function()
  it("are refused for one defect, and taken without it", function()
    local record = stored_session()
    for _, case in ipairs {
      { "another user", "user_mismatch", "another user", { sub = "user-2" } },
      { "no sub", "invalid_response", "sub", { name = "x" } },
      { "a sub that is a number", "invalid_response", "sub", { sub = 1 } },
      { "a list", "invalid_response", "sub", { { sub = "user-1" } } },
      { "no JSON", "invalid_response", "sub", "{" },
      { "sub twice", "invalid_response", "sub", '{"sub":"user-1","sub":"user-1"}' },
      { "a NUL", "invalid_response", "sub", '{"sub":"user-1\\u0000"}' },
      { "10,000 levels", "invalid_response", "sub", '{"sub":"user-1","x":' .. ("["):rep(10000) .. ("]"):rep(10000) .. "}" },
    } do
      local client, p, storage = client_of(record)
      p.answers.userinfo = function() return fake.json(200, case[4]) end
      assert_refused(case[1], case[2], case[3], client:fetch_user_info())
      assert.equal("AUTHENTICATED", client:session_state())
      assert.equal(record, storage.record)
      p.answers.userinfo = function() return fake.json(200, { sub = "user-1" }) end
      assert.equal("user-1", assert(client:fetch_user_info()).sub)
      -- At a log-in as well: it does not happen then.
      client, p, storage = client_of()
      p.answers.userinfo = function() return fake.json(200, case[4]) end
      assert_refused(case[1], case[2], case[3], p:log_in(client))
      assert.equal(0, storage.writes)
    end
  end)
end)
