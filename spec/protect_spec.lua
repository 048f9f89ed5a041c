-- Nobody gets in who should not: protect{} in a real nginx, with hostile tokens, hostile headers and every spelling of X-Authgear-*.
-- Each refused case has a twin that differs in the one defect and is let in.
-- runs-on: jit
-- takes: 10
-- luacheck: max line length 170

local json = require "dkjson"
local nginx = require "spec.support.nginx"
local protected = require "spec.support.protected"
local rows = require "spec.support.hostile_tokens"
local tokens = require "spec.support.tokens"

local USER = tokens.USER

-- The issuer is a transport: its metadata, its keys, and a resolver that answers what the token says.
local INIT = [[
local function read(name)
  local file = assert(io.open("${files}/" .. name))
  local text = file:read "*a"
  file:close()
  return text
end
local KEYS = read "jwks.json"
local RESOLVED = { ["X-Authgear-Session-Valid"] = "true", ["X-Authgear-User-Id"] = "user-1", ["X-Authgear-User-Verified"] = "true",
  ["X-Authgear-User-Anonymous"] = "false", ["X-Authgear-User-Roles"] = "reader,writer" }
local resolved_as -- by the next answer
local function transport(request)
  local e = "https://auth.test"
  if request.url == e .. "/.well-known/openid-configuration" then
    return { status = 200, body = ('{"issuer":"%s","authorization_endpoint":"%s/a","token_endpoint":"%s/t","jwks_uri":"%s/jwks"}'):format(e, e, e, e) }
  elseif request.url == e .. "/jwks" then
    return { status = 200, body = KEYS }
  elseif request.headers.Authorization == "Bearer down" then
    return nil, { code = "network", message = "gone" }
  elseif request.headers.Authorization == "Bearer garbage" then
    return { status = 200, headers = { ["X-Authgear-Session-Valid"] = "TRUE" } }
  elseif request.headers.Authorization == "Bearer opaque" or request.headers.Cookie == "session=good" then
    return { status = 200, headers = RESOLVED }
  elseif #(request.headers.Authorization or "") > 100 then
    local resolved = {}
    for name, value in pairs(RESOLVED) do resolved[name] = value end
    resolved["X-Authgear-User-Id"], resolved_as = resolved_as or "user-1", nil
    return { status = 200, headers = resolved }
  end
  return { status = 200, headers = {} }
end
local function guard(name, options)
  options.endpoint, options.client_options = "https://auth.test", { transport = transport, retry = false }
  options.mode = options.mode or "jwt"
  if options.mode ~= "resolver" then options.now = options.now or 1795460500 end
  guards[name] = authgear.protect(options)
end
guard("jwt", {})
guard("optional", { optional = true })
guard("bare", { request_headers = false })
guard("scoped", { scopes = { "openid", "mail" } })
guard("role", { roles = { "admin" } })
guard("verified", { only_verified = true })
guard("named", { refuse_anonymous = true })
guard("recent", { max_auth_age = 100 })
guard("cookie", { token_cookie = "access" })
guard("resolver", { mode = "resolver", session_cookie = "session" })
guard("both", { mode = "jwt+resolver" })
guard("fallback", { mode = "resolver", on_resolver_error = "jwt", now = 1795460500 })
guard("page", { login_url = "https://login.test/?back={url}" })
guard("own", { on_denied = function(denial) ngx.status = 418 ngx.print(denial.status, " ", tostring(denial.error), " ", denial.reason) end })
guard("lazy", { on_denied = function() end })
guard("raising", { on_denied = function() error("boom " .. ngx.var.http_authorization) end })
guard("leaving", { on_denied = function() return ngx.exit(404) end })
guard("broken", { now = function() error "boom" end })
guards.heir = authgear.protect(setmetatable({ client_options = setmetatable({}, { __index = { transport = transport, retry = false } }) },
  { __index = { endpoint = "https://auth.test", mode = "jwt", now = 1795460500, roles = { "admin" } } }))
guards.other = function() resolved_as = "user-2" return guards.both() end
]]

local GUARDS = { "jwt", "optional", "bare", "scoped", "role", "verified", "named", "recent", "cookie", "resolver", "both", "fallback", "page", "own", "lazy",
  "raising", "leaving", "broken", "heir", "other" }

local batch, made, n = tokens.batch(), {}, nil
local hostile = {}

setup(function()
  made.good = batch:add {}
  made.mail = batch:add { claims = { scope = '"openid mail"' } }
  made.admin = batch:add { claims = { [USER .. "roles"] = '["admin","a,root","x"]' } }
  made.unverified = batch:add { claims = { [USER .. "is_verified"] = "false" } }
  made.anonymous = batch:add { claims = { [USER .. "is_anonymous"] = "true" } }
  made.recent = batch:add { claims = { auth_time = "1795460450" } }
  made.machine = batch:add { claims = { [USER .. "roles"] = false, [USER .. "is_verified"] = false, [USER .. "is_anonymous"] = false,
    [USER .. "can_reauthenticate"] = false, amr = false, auth_time = false } }
  for _, row in ipairs(rows) do
    if not row.bad.policy and not row.bad.now and not row.bad.keys and not row.twin.policy and not row.twin.now and not row.twin.keys then
      hostile[#hostile + 1] = { name = row.name, bad = batch:add(row.bad), twin = batch:add(row.twin) }
    end
  end
  batch:sign()
  local files = require "spec.support.files"
  local dir = files.temp_dir(true)
  files.write(dir .. "/jwks.json", batch:jwks { "rsa", "rsa2", "p256", "p384", "p521", "ed", "k256", "ed448" })
  local values = { files = dir }
  n = protected.start { init = INIT, guards = GUARDS, values = values, workers = 2, server = [[
    location /ctx { access_by_lua_block { guards.jwt() } content_by_lua_block {
      local me = ngx.ctx.authgear
      ngx.print(require("dkjson").encode(me))
      table.insert(me.roles, "root")
      me.user_id = "root"
    } }
    location /late { content_by_lua_block { ngx.print "in" } header_filter_by_lua_block {
      local ok, why = pcall(guards.jwt)
      ngx.log(ngx.WARN, ok and "late passed" or "late: ", tostring(why))
    } }
    location /swallowed { access_by_lua_block { pcall(guards.jwt) } content_by_lua_block { ngx.print "in" } }
    location /rewritten { rewrite_by_lua_block { guards.jwt() } content_by_lua_block { ngx.print(ngx.ctx.authgear.user_id) } }
    location /twice { access_by_lua_block { guards.jwt() guards.jwt() } proxy_pass http://127.0.0.1:${upstream}; }
  ]] }
  n.values = values
end)

teardown(function()
  n:stop()
end)

local function bearer(token)
  return "Authorization: Bearer " .. (token or made.good.token)
end

local function ask(path, ...)
  return protected.request(n, path, { ... })
end

local function same_headers(expected, path, ...)
  local answer = ask(path, ...)
  assert.equal(200, answer.status)
  assert.same(expected, protected.ours(answer.body))
end

local ME = { "X-Authgear-Session-Amr: pwd", "X-Authgear-Session-Authenticated-At: 1795460300", "X-Authgear-Session-Valid: true",
  "X-Authgear-User-Anonymous: false", "X-Authgear-User-Can-Reauthenticate: true", "X-Authgear-User-Id: user-1", "X-Authgear-User-Roles: reader,writer",
  "X-Authgear-User-Verified: true" }

describe("hostile tokens", function()
  it("are refused, and their twins let in", function()
    assert.truthy(#hostile > 150)
    for _, row in ipairs(hostile) do
      local token = row.bad.token
      if not token:find "[%z\r\n]" and not token:find "^ " and not token:find " $" then -- the next table has what nginx refuses, or trims
        local answer = ask("/jwt", bearer(token))
        local expected = (#token > 16384 or not token:find "^[%w%-._~+/]+=*$") and 400 or 401
        assert.equal(expected, answer.status, row.name .. ": " .. tostring(answer.status))
        assert.equal(expected == 400 and 'Bearer realm="api", error="invalid_request"' or 'Bearer realm="api", error="invalid_token"',
          answer.headers["www-authenticate"], row.name)
      end
      assert.equal(200, ask("/jwt", bearer(row.twin.token)).status, row.name .. ", its twin")
    end
  end)
end)

describe("an Authorization header", function()
  local NONE, BAD, INVALID = 'Bearer realm="api"', 'Bearer realm="api", error="invalid_request"', 'Bearer realm="api", error="invalid_token"'
  local T = "%s"
  for _, case in ipairs {
    { 401, NONE }, { 401, NONE, "Authorization: Basic dXNlcjpwYXNz" },
    { 401, NONE, "Authorization: Bearerx " .. T }, { 401, NONE, "Authorization: DPoP " .. T },
    { 401, NONE, "X-Authorization: Bearer " .. T }, { 401, NONE, "Proxy-Authorization: Bearer " .. T }, { 401, NONE, "Authorization_: Bearer " .. T },
    { 401, NONE, "Cookie: access=" .. T }, { 401, NONE, "Authorization : Bearer " .. T, nginx = true }, { 400, BAD, "Authorization:" },
    { 400, BAD, "Authorization: Bearer" }, { 401, NONE, "Authorization: " .. T }, { 400, BAD, "Authorization: Bearer:" .. T },
    { 400, BAD, "Authorization: Bearer\t" .. T },
    { 400, BAD, "Authorization: Bearer " .. T .. " " .. T }, { 400, BAD, "Authorization: Bearer " .. T .. "," .. T },
    { 400, BAD, "Authorization: Bearer " .. T .. ", Basic abc" }, { 400, BAD, 'Authorization: Bearer "' .. T .. '"' }, { 400, BAD, "Authorization: Bearer token=" .. T },
    { 400, BAD, "Authorization: Bearer " .. T .. ";" }, { 400, BAD, "Authorization: Bearer " .. T .. "\t;" }, { 400, BAD, "Authorization: Bearer Bearer " .. T },
    { 400, BAD, "Authorization: Bearer " .. T .. "\195\164" }, { 400, BAD, "Authorization: Bearer =" },
    { 401, INVALID, "Authorization: Bearer x" }, { 401, INVALID, "Authorization: Bearer " .. T .. "=" }, { 401, INVALID, "Authorization: Bearer " .. T .. "A" },
    { 401, INVALID, "Authorization: Bearer a." .. T }, { 400, nil, "Authorization: Bearer " .. T, "Authorization: Bearer " .. T },
    { 400, nil, "Authorization: Bearer " .. T, "authorization: Basic abc" }, { 400, nil, "authorization: Bearer x", "AUTHORIZATION: Bearer " .. T },
    { 400, nil, "Authorization: Bearer " .. T .. "\0" },
  } do
    it("is refused: " .. table.concat(case, " ", 3), function()
      local lines = {}
      for i = 3, #case do
        lines[#lines + 1] = case[i]:gsub("%%s", function() return made.good.token end)
      end
      local answer = protected.request(n, "/jwt", lines)
      assert.equal(case.nginx and 400 or case[1], answer.status)
      if case[2] and not case.nginx then
        assert.equal(case[2], answer.headers["www-authenticate"])
      end
    end)
  end

  for _, line in ipairs { "Authorization: Bearer ", "authorization: bearer ", "AUTHORIZATION:BEARER ", "Authorization:    Bearer    " } do
    it("is good: " .. line, function()
      same_headers(ME, "/jwt", line .. made.good.token)
      same_headers(ME, "/jwt", line .. made.good.token .. "   ")
    end)
  end
end)

-- Whatever the caller sends, the upstream reads of it what it would read without.
describe("smuggled headers", function()
  local spellings = { "X-Authgear-User-Id", "x-authgear-user-id", "X-AUTHGEAR-USER-ID", "X_Authgear_User_Id", "x_authgear_user_id", "X_AUTHGEAR_USER_ID",
    "X-Authgear_User-Id", "X_Authgear-User_Id", "X.Authgear.User.Id", "X~Authgear~User~Id", "X!Authgear-User-Id", "X--Authgear-User-Id", "_X_Authgear_User_Id",
    "-X-Authgear-User-Id", "XAuthgear-User-Id", "X-Auth-Gear-User-Id", "X-Authgear-Session-Valid", "X-Authgear-User-Roles", "X-Authgear-User-Verified",
    "X-Authgear-User-Anonymous", "X-Authgear-User-Can-Reauthenticate", "X-Authgear-Session-Authenticated-At", "X-Authgear-Session-Amr", "X-Authgear-Client-Id",
    "X-Authgear", "X-Authgear-", "X-Authgear-User-Id-2", "x-authgear-Anything-Else", "X$Authgear$User$Id", "X|Authgear|User|Id", "X*authgear" }
  for _, name in ipairs(spellings) do
    it(name, function()
      for _, value in ipairs { "root", "", "true", "root, root" } do
        same_headers(ME, "/jwt", bearer(), name .. ": " .. value)
        same_headers(ME, "/jwt", name .. ": " .. value, bearer(), name .. ": " .. value, name:upper() .. ": " .. value)
        same_headers({}, "/optional", name .. ": " .. value)
        same_headers({}, "/bare", name .. ": " .. value, bearer())
      end
    end)
  end

  it("in any number, among any number of others", function()
    for _, count in ipairs { 1, 19, 20, 21, 63, 64, 65, 99, 100, 101, 199, 400 } do
      local lines = {}
      for i = 1, count do
        lines[i] = "X-Other-" .. i .. ": 1"
      end
      lines[#lines + 1] = "X-Authgear-User-Id: root"
      lines[#lines + 1] = bearer()
      local answer = protected.request(n, "/jwt", lines)
      assert.same(ME, protected.ours(answer.body))
      assert.equal(count, select(2, answer.body:gsub("X%-Other%-%d+: 1", "")))
    end
    for _, count in ipairs { 2, 20, 21, 45, 100, 300 } do
      local lines = {}
      for i = 1, count do
        lines[#lines + 1] = ("%s: %d"):format(spellings[i % #spellings + 1], i)
        lines[#lines + 1] = i % 3 == 0 and "Y-Authgear-" .. i .. ": 1" or nil
      end
      lines[#lines + 1] = bearer()
      local answer = protected.request(n, "/jwt", lines)
      assert.same(ME, protected.ours(answer.body))
      assert.equal(math.floor(count / 3), select(2, answer.body:gsub("Y%-Authgear%-%d+: 1", "")))
    end
  end)

  it("whose name is none, which nginx's Lua module can't take off, are refused", function()
    for _, name in ipairs { "x\195\164authgear-user-id", "X/Authgear(User)Id", "X,Authgear-User-Id", "X@Authgear[User]Id", 'X"Authgear"User-Id' } do
      for _, path in ipairs { "/jwt", "/optional", "/bare" } do
        assert.equal(400, ask(path, bearer(), name .. ": root").status, name)
      end
      assert.equal(200, ask("/jwt", bearer(), name:gsub("[Xx]", "Y", 1) .. ": kept").status, name)
    end
  end)

  it("that nginx refuses by itself", function()
    for _, line in ipairs { "X-Authgear-User-Id : root", "X-Authgear-User-Id\t: root", "X-Authgear\0-User-Id: root" } do
      assert.equal(400, ask("/jwt", bearer(), line).status)
    end
    local answer = ask("/jwt", bearer(), "X-Other: 1", " X-Authgear-User-Id: root") -- a folded line, or a name with a space
    assert.truthy(answer.status == 400 or #protected.ours(answer.body) == #ME)
  end)

  it("leave alone what is not ours", function()
    for _, name in ipairs { "X-Auth", "X-Authge", "Authgear-User-Id", "Y-Authgear-User-Id", "X-1Authgear", "X-Author", "X-Real-Ip" } do
      assert.truthy(ask("/jwt", bearer(), name .. ": kept").body:find(name .. ": kept", 1, true), name)
    end
  end)
end)

describe("taking a check out", function()
  local function smuggled(name, line)
    ask("/check?" .. name) -- of the one worker
    local found = protected.ours(ask("/jwt", bearer(), line).body)
    ask "/check?NONE"
    return #found > #ME
  end
  it("lets a header of the caller's through", function()
    local two = n
    n = protected.start { init = INIT, guards = GUARDS, values = two.values, workers = 1, server = [[
      location /check { content_by_lua_block { require("authgear.core").test_check_off(ngx.var.args) ngx.print "" } } ]] }
    assert.is_true(smuggled("INCOMING_OURS", "X-Authgear-User-Id: root"))
    assert.is_true(smuggled("INCOMING_CASE", "X-Authgear-User-Id: root"))
    assert.is_true(smuggled("INCOMING_SEPARATORS", "x_Authgear-User-Id: root"))
    for _, line in ipairs { "X-Authgear-User-Id: root", "x-authgear-user-id: root", "x_Authgear_User_Id: root" } do
      assert.is_false(smuggled("NONE", line))
    end
    n:stop()
    n = two
  end)
end)

describe("what the upstream and the page are told", function()
  it("is typed, and the page's own", function()
    for _ = 1, 4 do
      local answer = ask("/ctx", bearer())
      assert.same({ user_id = "user-1", client_id = "native", scope = "openid offline_access", roles = { "reader", "writer" }, amr = { "pwd" },
        is_anonymous = false, is_verified = true, can_reauthenticate = true, authenticated_at = 1795460300, expires_at = 1795460800 },
        (json.decode(answer.body, 1, nil, nil)))
    end
  end)

  it("is not there for a machine, as far as its token says nothing", function()
    same_headers({ "X-Authgear-Session-Valid: true", "X-Authgear-User-Id: user-1" }, "/jwt", bearer(made.machine.token))
  end)

  it("has no role that could be read as two", function()
    local answer = ask("/role", bearer(made.admin.token))
    assert.truthy(answer.body:find("X-Authgear-User-Roles: admin,x\r\n", 1, true))
  end)

  it("is nobody, where nobody need be logged in", function()
    same_headers({}, "/optional")
    same_headers(ME, "/optional", bearer())
    assert.equal(401, ask("/optional", bearer "x").status)
    assert.equal(400, ask("/optional", "Authorization: Bearer a b").status)
  end)

  it("is the same after a rewrite, and after two guards", function()
    assert.equal("user-1", ask("/rewritten", bearer()).body)
    assert.equal(401, ask("/rewritten").status)
    same_headers(ME, "/twice", bearer(), "X-Authgear-User-Id: root")
  end)
end)

describe("a policy", function()
  for _, case in ipairs {
    { "scoped", 403, 'Bearer realm="api", error="insufficient_scope", scope="openid mail"', "good", "mail" },
    { "role", 403, 'Bearer realm="api", error="insufficient_scope"', "good", "admin" },
    { "heir", 403, 'Bearer realm="api", error="insufficient_scope"', "good", "admin" },
    { "verified", 403, 'Bearer realm="api", error="insufficient_scope"', "unverified", "good" },
    { "named", 403, 'Bearer realm="api", error="insufficient_scope"', "anonymous", "good" },
    { "recent", 401, 'Bearer realm="api", error="insufficient_user_authentication", max_age="100"', "good", "recent" },
  } do
    it(case[1], function()
      for _ = 1, 3 do
        local answer = ask("/" .. case[1], bearer(made[case[4]].token))
        assert.equal(case[2], answer.status)
        assert.equal(case[3], answer.headers["www-authenticate"])
        assert.equal("application/json", answer.headers["content-type"])
        assert.truthy(json.decode(answer.body).error)
        assert.equal(200, ask("/" .. case[1], bearer(made[case[5]].token)).status)
        assert.equal(200, ask("/jwt", bearer(made[case[4]].token)).status) -- what is remembered is remembered of one policy
      end
    end)
  end
end)

describe("cookies", function()
  it("hold a token where that is asked for", function()
    same_headers(ME, "/cookie", "Cookie: a=b; access=" .. made.good.token)
    same_headers(ME, "/cookie", "Cookie: a=b", "Cookie: access=" .. made.good.token)
    same_headers(ME, "/cookie", bearer(), "Cookie: access=x")
    assert.equal(401, ask("/cookie", "Cookie: access=x").status)
    assert.equal(401, ask("/cookie", bearer "x", "Cookie: access=" .. made.good.token).status)
    assert.equal(400, ask("/cookie", "Cookie: access=" .. made.good.token .. "; access=x").status)
    assert.equal(400, ask("/cookie", "Cookie: access=" .. made.good.token, "Cookie: access=x").status)
    assert.equal(401, ask("/jwt", "Cookie: access=" .. made.good.token).status)
  end)

  it("are Authgear's session where that is asked for", function()
    assert.equal(200, ask("/resolver", "Cookie: session=good").status)
    assert.equal(401, ask("/resolver", "Cookie: session=bad").status)
    assert.equal(400, ask("/resolver", "Cookie: session=good; session=good").status)
    assert.equal(401, ask("/resolver", "Cookie: Session=good").status)
    assert.equal(401, ask("/both", "Cookie: session=good").status)
  end)
end)

describe("the resolver's word", function()
  it("lets in and keeps out", function()
    assert.equal(200, ask("/resolver", bearer "opaque").status)
    assert.equal(401, ask("/resolver", bearer "unknown").status)
    assert.equal(200, ask("/both", bearer()).status)
    assert.equal(401, ask("/both", bearer "opaque").status)
  end)

  it("is none when it cannot be had, or is no answer", function()
    for _, token in ipairs { "down", "garbage" } do
      local answer = ask("/resolver", bearer(token))
      assert.equal(503, answer.status)
      assert.equal("1", answer.headers["retry-after"])
      assert.is_nil(answer.headers["www-authenticate"])
      assert.equal(503, ask("/fallback", bearer(token)).status) -- no token of ours: nobody can say anything about it
    end
  end)

  it("must be about the user whom the token names", function()
    assert.equal(503, ask("/other", bearer(made.mail.token)).status)
    assert.equal(200, ask("/both", bearer(made.mail.token)).status)
  end)
end)

describe("those who are not let in", function()
  local PAGE = { "Accept: text/html,application/xhtml+xml", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document" }
  it("are redirected if they are pages", function()
    local answer = ask("/page?a=b&c=d", unpack(PAGE))
    assert.equal(302, answer.status)
    assert.equal("https://login.test/?back=http%3A%2F%2Fapi.test%2Fpage%3Fa%3Db%26c%3Dd", answer.headers.location)
    assert.equal(302, ask("/page", "Accept: text/html").status)
    assert.equal(401, ask("/jwt", unpack(PAGE)).status)
  end)

  it("are never redirected if they are programs", function()
    for _, lines in ipairs { {}, { "Accept: application/json" }, { "Accept: */*" }, { "Accept: text/html", "X-Requested-With: XMLHttpRequest" },
      { "Accept: text/html", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty" }, { "Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe" },
      { "Accept: text/html", bearer "x" }, { "Accept: text/html", "Authorization: Basic abc" } } do
      local answer = protected.request(n, "/page", lines)
      assert.equal(401, answer.status)
      assert.is_nil(answer.headers.location)
    end
    assert.equal(401, protected.request(n, "/page", PAGE, "POST").status)
  end)

  it("get what the caller's function says, and never the page", function()
    local answer = ask("/own", bearer "x")
    assert.equal(418, answer.status)
    assert.equal("401 invalid_token parts", answer.body:match "401 [%w_]+ %w+")
    assert.equal(404, ask("/leaving").status)
    assert.equal(401, ask("/lazy").status)
    assert.equal(500, ask("/raising", bearer "x").status)
    for _, path in ipairs { "/own", "/leaving", "/lazy", "/raising" } do
      assert.equal(200, ask(path, bearer()).status)
    end
  end)

  it("are all, when something breaks", function()
    assert.equal(500, ask("/broken", bearer()).status)
    assert.equal(500, ask("/broken").status)
    assert.equal(401, ask("/swallowed").status)
    ask("/late", bearer())
    assert.truthy(n:log():find("late: [^\n]*in the phase header_filter"))
    assert.is_nil(n:log():find("late passed", 1, true))
  end)

  it("may ask for the head only", function()
    local answer = protected.request(n, "/jwt", {}, "HEAD")
    assert.equal(401, answer.status)
    assert.equal("", answer.body)
  end)
end)

describe("options", function()
  it("that make no sense raise", function()
    local host = nginx.start { http = "lua_shared_dict authgear 1m;", locations = { ["/"] = [[
      local authgear = require "authgear.openresty"
      local function try(options)
        local ok, why = pcall(authgear.protect, options)
        ngx.say(ok and "taken" or tostring(why))
      end
      local E = "https://auth.test"
      try { endpoint = E, mode = "jwt", realm = 'a"b' }
      try { endpoint = E, mode = "jwt", session_cookie = "session" }
      try { endpoint = E, mode = "jwt", resolver_ttl = 1 }
      try { endpoint = E, mode = "resolver", scopes = { "openid" } }
      try { endpoint = E, mode = "resolver", audience = "x" }
      try { endpoint = E, mode = "none" }
      try { endpoint = E }
      try { mode = "jwt" }
      try { endpoint = E, mode = "jwt", algorithms = { "HS256" } }
      try { endpoint = E, mode = "jwt", scopes = { 'a"b' } }
      try { endpoint = E, mode = "jwt", dict = "nowhere" }
      try { endpoint = E, mode = "jwt", jwks = "{}" }
      try { endpoint = E, mode = "jwt", nonsense = 1 }
      try { endpoint = "http://auth.test", mode = "jwt" }
      try { endpoint = E, mode = "jwt+resolver", scopes = { "openid" }, resolver_url = E .. "/r" }
      try { endpoint = E, mode = "resolver", on_resolver_error = "jwt", audience = "x" }
    ]] } }
    local lines = {}
    for line in host:get("/").body:gmatch "[^\n]+" do
      lines[#lines + 1] = line
    end
    host:stop()
    assert.equal(16, #lines)
    for i, line in ipairs(lines) do
      assert.equal(i > 14, line == "taken", i .. ": " .. line)
    end
  end)

  it("that are wrong leave nobody in", function()
    local host = protected.start { guards = { "x" }, init = 'guards.x = authgear.protect { endpoint = "https://auth.test", mode = "jwt", optional = 1 }' }
    assert.equal(500, protected.request(host, "/x", { bearer() }).status)
    host:stop()
  end)
end)

describe("the log", function()
  it("holds no token, at level debug", function()
    local log = n:log()
    -- nginx's own debug lines show the requests; ours are those that Lua wrote
    for line in log:gmatch "[^\n]+" do
      if line:find("authgear", 1, true) and line:find("[lua]", 1, true) then
        assert.is_nil(line:match(": (.-), client:") and line:match(": (.-), client:"):find("eyJ", 1, true), line)
      end
    end
  end)
end)
