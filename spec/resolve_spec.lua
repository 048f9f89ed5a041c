-- client:resolve: what a request must show, what a resolver's answer must be, and what is demanded of the user. Each refused case
-- has a twin that differs in that defect and is let in, and taking any check out lets one of them pass.
-- luacheck: max line length 170

local authgear = require "authgear"
local core = require "authgear.core"
local fake = require "spec.support.fake_provider"
local server = require "spec.support.server"

local TOKEN = "abc.DEF-123_~+/=="

-- What a good answer's headers are, some of them replaced (false: left out).
local function answer(change)
  local headers = {
    ["X-Authgear-Session-Valid"] = "true", ["X-Authgear-User-Id"] = "user-1", ["X-Authgear-User-Anonymous"] = "false",
    ["X-Authgear-User-Verified"] = "true", ["X-Authgear-User-Can-Reauthenticate"] = "true", ["X-Authgear-User-Roles"] = "reader,writer",
    ["X-Authgear-Session-Authenticated-At"] = "1795460398", ["X-Authgear-Session-Amr"] = "pwd x_primary_password",
  }
  for name, value in pairs(change or {}) do
    headers["X-Authgear-" .. name] = value or nil
  end
  return headers
end

local asked, headers, status, client

local function ask(what, options)
  asked = nil
  client = client or assert(authgear.new(fake.new():options {
    endpoint = "https://auth.test/",
    transport = function(request)
      asked = request
      return { status = status, headers = headers, body = "" }
    end,
  }))
  local claims, err = client:resolve(what, options)
  return claims and "in" or err.code .. (err.reason and " " .. err.reason or ""), claims
end

-- ---- what the request shows ----

local NONE, BAD = "invalid_token missing", "invalid_token malformed"
local COOKIES = { token_cookie = "access", session_cookie = "session" }
local shown = {
  { NONE, {} },
  { NONE, { authorization = "Basic abc" } },
  { NONE, { authorization = "Bearerer abc" } },
  { NONE, { authorization = "DPoP abc" } },
  { NONE, { authorization = "Basic Bearer abc" } },
  { BAD, { authorization = "" } },
  { BAD, { authorization = " Bearer abc" } },
  { BAD, { authorization = "Bearer" } },
  { BAD, { authorization = "Bearer " } },
  { BAD, { authorization = "Bearer\tabc" } },
  { BAD, { authorization = "Bearer abc " } },
  { BAD, { authorization = "Bearer abc\r\nX-Other: 1" } },
  { BAD, { authorization = "Bearer abc def" } },
  { BAD, { authorization = "Bearer abc, Bearer def" } },
  { BAD, { authorization = "Bearer abc,def" } },
  { BAD, { authorization = 'Bearer "abc"' } },
  { BAD, { authorization = "Bearer realm=abc" } },
  { BAD, { authorization = "Bearer =" } },
  { BAD, { authorization = "Bearer a=b" } },
  { BAD, { authorization = "Bearer abc\0def" } },
  { BAD, { authorization = "Bearer \195\164" } },
  { BAD, { authorization = "Bearer:abc" } },
  { BAD, { authorization = "Bearer, abc" } },
  { BAD, { authorization = "Bearer " .. ("a"):rep(16385) } },
  { "in", { authorization = "Bearer " .. ("a"):rep(16384) } },
  { "in", { authorization = "Bearer " .. TOKEN } },
  { "in", { authorization = "bearer " .. TOKEN } },
  { "in", { authorization = "BEARER   " .. TOKEN } },
  { NONE, { cookie = "access=abc; session=abc" }, {} },
  { NONE, { cookie = "accessx=abc; xaccess=abc; ACCESS=abc; access; x=access=abc" } },
  { BAD, { cookie = "access=" } },
  { BAD, { cookie = "access=abc; access=abc" } },
  { BAD, { cookie = "access=abc;access=def" } },
  { BAD, { cookie = "access=abc; b=c; access=" } },
  { BAD, { cookie = 'access="abc"' } },
  { BAD, { cookie = "access=a b" } },
  { BAD, { cookie = "access=abc " } },
  { BAD, { cookie = "access=abc\t" } },
  { BAD, { cookie = "access=a,b" } },
  { BAD, { cookie = "access=a$b" } },
  { BAD, { cookie = "session=a b" } },
  { BAD, { cookie = "session=a\\b" } },
  { BAD, { cookie = "session=abc; session=abc" } },
  { BAD, { cookie = "session=\195\164" } },
  { BAD, { cookie = "session=abc\r\n" } },
  { BAD, { cookie = "session=" .. ("a"):rep(16385) } },
  { "in", { cookie = "session=" .. ("a"):rep(16384) } },
  { BAD, { authorization = "Bearer a b", cookie = "access=abc" } },
  { BAD, { cookie = "access=a$b; session=abc" } },
  { "in", { cookie = "access=abc" } },
  { "in", { cookie = "a=b;access=abc;c=d" } },
  { "in", { cookie = "a=b; access=abc; session=a; session=b" } },
  { "in", { cookie = 'a="b c"; session=a$b' } },
  { "in", { authorization = "Basic abc", cookie = "session=abc" } },
  { "in", { authorization = "Bearer abc", cookie = "session=a; session=b" } },
}

-- ---- what the resolver answers ----

local NO, BROKEN = "invalid_token session", "invalid_response"
local answers = {}
local function add(verdict, change, twin)
  answers[#answers + 1] = { verdict, answer(change), answer(twin) }
end

add(NO, { ["Session-Valid"] = false })
add(NO, { ["Session-Valid"] = "false" })
for _, value in ipairs { "", "True", "TRUE", "1", "yes", "true,", "true true", "truetrue", "tru", "\"true\"", "null", "t" } do
  add(BROKEN, { ["Session-Valid"] = value })
end
for _, value in ipairs { { "true", "true" }, { "true", "false" }, { "false", "true" } } do
  add(BROKEN, { ["Session-Valid"] = value })
end
for _, value in ipairs { false, "", "user 1", "user\t1", "us\195\164r", ("x"):rep(256), { "user-1", "user-1" }, { "user-1", "user-2" } } do
  add(BROKEN, { ["User-Id"] = value }, { ["User-Id"] = ("x"):rep(255) })
end
for _, name in ipairs { "User-Anonymous", "User-Verified", "User-Can-Reauthenticate" } do
  for _, value in ipairs { "", "True", "0", "no", "false,false", { "false", "false" }, { "true", "false" } } do
    add(BROKEN, { [name] = value }, { [name] = false })
  end
end
for _, value in ipairs { ",", "reader,", ",reader", "reader,,writer", "reader, writer", "rea der", "r\195\164der", { "reader", "writer" } } do
  add(BROKEN, { ["User-Roles"] = value }, { ["User-Roles"] = "a:b.c_d-e" })
end
for _, value in ipairs { "", "-1", "1.5", "1e9", "0x10", "99999999999999999999", "17954603980000", "now", " ", "+1", { "1", "1" } } do
  add(BROKEN, { ["Session-Authenticated-At"] = value }, { ["Session-Authenticated-At"] = false })
end
for _, value in ipairs { "pwd  otp", "pwd\totp", "pwd\195\164", { "pwd", "otp" } } do
  add(BROKEN, { ["Session-Amr"] = value }, { ["Session-Amr"] = "" })
end

-- ---- what is demanded ----

local demands = {
  { "insufficient_scope role", { roles = { "reader", "admin" } }, {}, { ["User-Roles"] = "admin,reader" } },
  { "insufficient_scope role", { roles = { "reader" } }, { ["User-Roles"] = false }, {} },
  { "insufficient_scope role", { roles = { "reader,writer" } }, {}, nil },
  { "insufficient_scope role", { roles = { "read" } }, {}, { ["User-Roles"] = "read" } },
  { "insufficient_scope role", { any_role = { "a", "b" } }, {}, { ["User-Roles"] = "b" } },
  { "insufficient_scope unverified", { only_verified = true }, { ["User-Verified"] = "false" }, {} },
  { "insufficient_scope unverified", { only_verified = true }, { ["User-Verified"] = false }, {} },
  { "insufficient_scope anonymous", { refuse_anonymous = true }, { ["User-Anonymous"] = "true" }, {} },
  { "insufficient_scope anonymous", { refuse_anonymous = true }, { ["User-Anonymous"] = false }, {} },
  { "insufficient_user_authentication auth_time", { max_auth_age = 100, now = 1795460499 }, {}, { ["Session-Authenticated-At"] = "1795460399" } },
  { "insufficient_user_authentication auth_time", { max_auth_age = 100, now = 1795460400 }, { ["Session-Authenticated-At"] = false }, {} },
}

before_each(function()
  headers, status = answer(), 200
end)

teardown(function()
  core.test_check_off()
end)

describe("what a request shows", function()
  for i, row in ipairs(shown) do
    it(("%d: %s"):format(i, row[1]), function()
      assert.equal(row[1], ask(row[2], row[3] or COOKIES))
      assert.equal(row[1] == "in", asked ~= nil)
    end)
  end

  it("is sent on as it is meant", function()
    ask(TOKEN)
    assert.equal("Bearer " .. TOKEN, asked.headers.Authorization)
    assert.is_nil(asked.headers.Cookie)
    assert.equal("https://auth.test/_resolver/resolve", asked.url)
    ask({ cookie = "a=b; access=abc; session=def" }, COOKIES)
    assert.equal("Bearer abc", asked.headers.Authorization)
    assert.is_nil(asked.headers.Cookie)
    ask({ authorization = "Basic eDp5", cookie = "a=b; session=def" }, COOKIES)
    assert.is_nil(asked.headers.Authorization)
    assert.equal("session=def", asked.headers.Cookie)
    ask(TOKEN, { resolver_url = "http://127.0.0.1:3001/resolve", resolver_host = "myapp.authgear.cloud" })
    assert.equal("http://127.0.0.1:3001/resolve", asked.url)
    assert.equal("myapp.authgear.cloud", asked.headers.Host)
  end)

  it("goes nowhere but where it may", function()
    assert.equal("insecure_url", ask(TOKEN, { resolver_url = "http://resolver.test/resolve" }))
    assert.is_nil(asked)
    assert.equal("invalid_url", ask(TOKEN, { resolver_url = "ftp://resolver.test/" }))
    for _, host in ipairs { "a b", "a\r\nX: y", "", "a/b", "user@a", "a:b" } do
      assert.has_error(function() ask(TOKEN, { resolver_host = host }) end)
    end
    for _, bad in ipairs { { scopes = { "a" } }, { client_ids = { "a" } }, { issuer = "a" }, { session_cookie = "a b" }, { token_cookie = "a=b" } } do
      assert.has_error(function() ask(TOKEN, bad) end)
    end
    assert.has_error(function() ask(nil) end)
    assert.has_error(function() ask { token = TOKEN } end)
  end)
end)

describe("a resolver's answer", function()
  it("has the user", function()
    local _, claims = ask(TOKEN)
    assert.are.same({ user_id = "user-1", is_anonymous = false, is_verified = true, can_reauthenticate = true, roles = { "reader", "writer" },
      amr = { "pwd", "x_primary_password" }, audience = {}, authenticated_at = 1795460398 }, claims)
    headers = answer { ["User-Roles"] = false, ["Session-Amr"] = "", ["Session-Authenticated-At"] = false, ["User-Anonymous"] = "true" }
    _, claims = ask(TOKEN)
    assert.are.same({ user_id = "user-1", is_anonymous = true, is_verified = true, can_reauthenticate = true, roles = {}, amr = {}, audience = {} }, claims)
  end)

  for i, row in ipairs(answers) do
    it(("%d: %s"):format(i, row[1]), function()
      headers = row[2]
      assert.equal(row[1], ask(TOKEN))
      headers = row[3]
      assert.equal("in", ask(TOKEN))
    end)
  end

  it("is none with another status", function()
    for wrong, code in pairs { [201] = "invalid_response", [204] = "invalid_response", [302] = "invalid_response", [401] = "invalid_response",
      [404] = "invalid_response", [429] = "rate_limited", [500] = "server", [503] = "server" } do
      status = wrong
      assert.equal(code, ask(TOKEN))
    end
  end)

  it("may be spelled in any case", function()
    headers = {}
    for name, value in pairs(answer()) do
      headers[name:lower()] = value
    end
    assert.equal("in", ask(TOKEN))
  end)
end)

describe("demanding", function()
  for i, row in ipairs(demands) do
    it(("%d: %s"):format(i, row[1]), function()
      headers = answer(row[3])
      assert.equal(row[1], ask(TOKEN, row[2]))
      if row[4] then
        headers = answer(row[4])
        assert.equal("in", ask(TOKEN, row[2]))
      end
    end)
  end
end)

-- How many of all cases are judged otherwise, and how many of those are let in.
local function judge_all()
  local wrong, let_in = 0, 0
  local function count(expected, got)
    if got ~= expected then
      wrong, let_in = wrong + 1, let_in + (got == "in" and 1 or 0)
    end
  end
  for _, row in ipairs(shown) do
    count(row[1], ask(row[2], row[3] or COOKIES))
  end
  for _, row in ipairs(answers) do
    headers = row[2]
    count(row[1], ask(TOKEN))
  end
  return wrong, let_in
end

-- Behind these another check stands, so that only what is said differs.
local BEHIND = { RESOLVER_VALID = true }

describe("taking a check out", function()
  for _, name in ipairs(core.test_check_off()) do
    if name:find "^BEARER_" or name:find "^COOKIE_" or name:find "^RESOLVER_" then
      it("makes a case fail: " .. name, function()
        core.test_check_off(name)
        local wrong, let_in = judge_all()
        core.test_check_off()
        assert.truthy(wrong > 0)
        assert.truthy(let_in > 0 or BEHIND[name], wrong .. " judged otherwise, none let in")
      end)
    end
  end

  it("is what makes them fail", function()
    assert.equal(0, (judge_all()))
  end)
end)

describe("the server's resolver", function()
  it("knows sessions that are alive, and no others", function()
    local s = server.shared()
    local here = assert(authgear.new { endpoint = s.endpoint, client_id = "native", retry = false })
    local session = s:session { client = "native", user = "resolved" }
    local claims = assert(here:resolve(session.access_token))
    assert.equal(session.sub, claims.user_id)
    local internal = { resolver_url = s.resolver .. "/resolve", resolver_host = s.endpoint:match "//(.*)" }
    assert.equal(session.sub, assert(here:resolve({ authorization = "Bearer " .. session.access_token }, internal)).user_id)
    local _, err = here:resolve(session.access_token, { resolver_url = internal.resolver_url, resolver_host = "other.example" })
    assert.equal("session", err.reason)
    _, err = here:resolve({ cookie = "session=abc" }, { session_cookie = "session" })
    assert.equal("session", err.reason)
    s:revoke { session = session.session }
    _, err = here:resolve(session.access_token)
    assert.equal("invalid_token", err.code)
    assert.equal("session", err.reason)
    s:fault { target = "resolve", kind = "status", status = 503 }
    _, err = here:resolve(session.access_token)
    assert.equal("server", err.code)
    assert.is_nil(tostring(err):find(session.access_token, 1, true))
    here:close()
  end)
end)
