-- Nobody's X-Authgear-* header gets by protect{} over HTTP/2 either: in every spelling that nginx lets through, in every form that a
-- header block can have. What is refused, or taken off, has a twin that is kept.
-- runs-on: jit
-- takes: 3
-- luacheck: max line length 170

local files = require "spec.support.files"
local http2 = require "spec.support.http2"
local protected = require "spec.support.protected"
local tokens = require "spec.support.tokens"

local field = http2.field

local INIT = [[
local file = assert(io.open "${files}/jwks.json")
local KEYS = file:read "*a"
file:close()
local function transport(request)
  local e = "https://auth.test"
  if request.url == e .. "/jwks" then
    return { status = 200, body = KEYS }
  end
  return { status = 200, body = ('{"issuer":"%s","authorization_endpoint":"%s/a","token_endpoint":"%s/t","jwks_uri":"%s/jwks"}'):format(e, e, e, e) }
end
local function guard(name, options)
  options.endpoint, options.client_options = "https://auth.test", { transport = transport, retry = false }
  options.mode, options.now = "jwt", 1795460500
  guards[name] = authgear.protect(options)
end
guard("jwt", {})
guard("optional", { optional = true })
guard("bare", { request_headers = false })
guard("cookie", { token_cookie = "access" })
]]

local ME = { "X-Authgear-Session-Amr: pwd", "X-Authgear-Session-Authenticated-At: 1795460300", "X-Authgear-Session-Valid: true",
  "X-Authgear-User-Anonymous: false", "X-Authgear-User-Can-Reauthenticate: true", "X-Authgear-User-Id: user-1", "X-Authgear-User-Roles: reader,writer",
  "X-Authgear-User-Verified: true" }

local n, token, connections

setup(function()
  local batch, dir = tokens.batch(), files.temp_dir(true)
  local good = batch:add {}
  batch:sign()
  token = good.token
  files.write(dir .. "/jwks.json", batch:jwks { "rsa" })
  n = protected.start { init = INIT, guards = { "jwt", "optional", "bare", "cookie" }, values = { files = dir }, listen = "http2", server = [[
    location = /check { content_by_lua_block { require("authgear.core").test_check_off(ngx.var.args) ngx.print "" } }
  ]] }
end)

teardown(function()
  n:stop()
end)

before_each(function()
  connections = {}
end)

after_each(function()
  for _, connection in ipairs(connections) do
    connection:close()
  end
end)

local function connect()
  connections[#connections + 1] = http2.connect(n.port)
  return connections[#connections]
end

local function ask(path, ...)
  return http2.request(n.port, path, { ... })
end

local function bearer(text)
  return field("authorization", "Bearer " .. (text or token))
end

local function reads(expected, answer, kept)
  assert.is_nil(answer.refused)
  assert.equal(200, answer.status)
  assert.same(expected, protected.ours(answer.body))
  if kept then
    assert.truthy(answer.body:find(kept, 1, true), kept)
  end
end

-- All names of lower-case letters and what is no letter: others are an error in HTTP/2.
local SPELLINGS = { "x-authgear-user-id", "x_authgear_user_id", "x-authgear_user-id", "x_authgear-user_id", "x.authgear.user.id", "x~authgear~user~id",
  "x!authgear-user-id", "x--authgear-user-id", "_x_authgear_user_id", "-x-authgear-user-id", "xauthgear-user-id", "x-auth-gear-user-id",
  "x-authgear-session-valid", "x-authgear-user-roles", "x-authgear-user-verified", "x-authgear-user-anonymous", "x-authgear-user-can-reauthenticate",
  "x-authgear-session-authenticated-at", "x-authgear-session-amr", "x-authgear-client-id", "x-authgear", "x-authgear-", "x-authgear-user-id-2",
  "x-authgear-anything-else", "x$authgear$user$id", "x|authgear|user|id", "x*authgear", "x'authgear`user^id", "x#authgear%user&id+" }
-- The same with what can stand in no name, and passes nginx nonetheless.
local NO_NAMES = { "x\195\164authgear-user-id", "\255x-authgear-user-id", "x/authgear(user)id", "x,authgear;user=id", "x@authgear[user]id",
  'x"authgear"user-id', "x\\authgear<user>id", "x{authgear}user?id" }

describe("over HTTP/2", function()
  it("a header in every spelling is taken off, and one that is not ours stays", function()
    for _, name in ipairs(SPELLINGS) do
      for _, value in ipairs { "root", "", "root, root" } do
        for _, how in ipairs { "plain", "kept", "never" } do
          local one, other = field(name, value, how), name:gsub("x", "y", 1)
          reads(ME, ask("/jwt", one, bearer(), one))
          reads({}, ask("/optional", one))
          reads({}, ask("/bare", bearer(), one))
          reads(ME, ask("/jwt", bearer(), field(other, "kept", how)), "\n" .. other .. ": kept")
        end
      end
    end
  end)

  it("a header of ours whose name is none, which nginx's Lua module can't take off, is refused, and one that is not ours stays", function()
    for _, name in ipairs(NO_NAMES) do
      local one, other = field(name, "root"), name:gsub("x", "y", 1)
      for _, path in ipairs { "/jwt", "/optional", "/bare" } do
        assert.equal(400, ask(path, bearer(), one).status, name)
        assert.equal(400, ask(path, one, one).status, name)
      end
      reads(ME, ask("/jwt", bearer(), field(other, "kept")), "\n" .. other .. ": kept")
    end
  end)

  it("a compressed name is the same name", function()
    for _, name in ipairs { "x-authgear-user-id", "x_authgear_user_id", "x.authgear.user.id", "xauthgear-user-id" } do
      reads(ME, ask("/jwt", bearer(), field(name, "root", "huffman")))
      reads(ME, ask("/jwt", bearer(), field("y" .. name:sub(2), "kept", "huffman")), "\ny" .. name:sub(2) .. ": kept")
    end
  end)

  it("a name that the connection remembers is taken off in each request, and its twin is kept", function()
    local connection = connect()
    local function next_one(...)
      connection:send("/jwt", { bearer(), ... })
      return connection:receive()
    end
    reads(ME, next_one(field("x-authgear-user-id", "root", "kept"), field("y-other", "kept", "kept")), "\ny-other: kept")
    for _ = 1, 3 do
      reads(ME, next_one(http2.indexed(2), http2.indexed(1)), "\ny-other: kept")
      reads(ME, next_one(http2.named_as(2, "admin"), http2.named_as(1, "again")), "\ny-other: again")
      reads(ME, next_one(http2.indexed(2), http2.indexed(2), http2.named_as(2, "a"), http2.indexed(1)), "\ny-other: kept")
    end
    reads(ME, next_one())
  end)

  it("any number of them goes, among any number of others", function()
    for _, count in ipairs { 1, 19, 20, 21, 63, 64, 65, 100, 101, 400, 490 } do
      local fields = {}
      for i = 1, count do
        fields[#fields + 1] = field("x-other-" .. i, "1")
        fields[#fields + 1] = field(SPELLINGS[i % #SPELLINGS + 1], "root")
      end
      fields[#fields + 1] = bearer()
      local answer = ask("/jwt", unpack(fields))
      reads(ME, answer)
      assert.equal(count, select(2, answer.body:gsub("x%-other%-%d+: 1", "")))
    end
  end)

  it("a header block in pieces, however it is cut, is one", function()
    local long = {}
    for i = 1, 20 do
      long[i] = field("x-filler", ("f"):rep(1600 + i))
    end
    for shift = 0, 40 do
      local fields = { unpack(long, 1, 9) }
      fields[#fields + 1] = field("y-shift", ("s"):rep(500 + shift))
      for _ = 1, 40 do
        fields[#fields + 1] = field("x-authgear-user-id", "root")
      end
      fields[#fields + 1] = bearer()
      fields[#fields + 1] = field("y-last", "kept")
      reads(ME, ask("/jwt", unpack(fields)), "\ny-last: kept")
    end
  end)

  it("nginx itself refuses what is no name in HTTP/2", function()
    for _, name in ipairs { "X-Authgear-User-Id", "x-authgear-User-id", "x-authgear-user-id:", "x-authgear\0-user-id", "x-authgear-user-id\r", "x\nx-authgear-user-id",
      "x-authgear-user-id: root\r\ny", "" } do
      local answer = ask("/jwt", bearer(), field(name, "root"))
      assert.truthy(answer.refused or answer.status == 400, ("%q"):format(name))
      answer = ask("/optional", field(name, "root"))
      assert.truthy(answer.refused or answer.status == 400, ("%q"):format(name))
    end
    reads(ME, ask("/jwt", bearer(), field("y-authgear-user-id", "kept")), "\ny-authgear-user-id: kept")
  end)

  it("a name with white space reaches nobody as ours", function()
    for _, name in ipairs { "x-authgear-user-id ", " x-authgear-user-id", "x authgear-user-id", "x-authgear-user-id\t", "\tx-authgear-user-id" } do
      for _, path in ipairs { "/jwt", "/optional" } do
        local answer = ask(path, bearer(), field(name, "root"))
        if not (answer.refused or answer.status == 400) then
          reads(ME, answer)
        end
      end
    end
  end)

  it("values bring no lines with them", function()
    for _, value in ipairs { "1\r\nx-authgear-user-id: root", "1\nx-authgear-user-id: root", "1\rx-authgear-user-id: root", "1\0x-authgear-user-id: root" } do
      local answer = ask("/jwt", bearer(), field("y-other", value))
      assert.truthy(answer.refused or answer.status == 400)
    end
    reads(ME, ask("/jwt", bearer(), field("y-other", "1 x-authgear-user-id: root")), "\ny-other: 1 x-authgear-user-id: root")
  end)

  it("headers behind the body reach nobody", function()
    local body = { http2.DATA, 0, "body" }
    local function behind(name)
      return { body, { http2.HEADERS, http2.END_STREAM + http2.END_HEADERS, field(name, "root") } }
    end
    for _, path in ipairs { "/jwt", "/optional" } do
      local answer = http2.request(n.port, path, { bearer() }, behind "x-authgear-user-id")
      assert.truthy(answer.refused or #protected.ours(answer.body) == #ME)
      assert.falsy(answer.body:find("root", 1, true))
    end
    reads(ME, http2.request(n.port, "/jwt", { bearer(), field("content-length", "4") }, { { http2.DATA, http2.END_STREAM, "body" } }))
  end)

  it("two Authorization headers are one too many, and cookies in crumbs are one header", function()
    assert.equal(400, ask("/jwt", bearer(), bearer()).status)
    assert.equal(400, ask("/jwt", bearer(), bearer "x").status)
    assert.equal(400, ask("/jwt", field("authorization", "Basic eA=="), bearer()).status)
    assert.equal(401, ask("/jwt", bearer "x").status)
    assert.equal(401, ask("/jwt").status)
    assert.equal(401, ask("/jwt", field("authorization_", "Bearer " .. token)).status)
    reads(ME, ask("/cookie", field("cookie", "a=b"), field("cookie", "access=" .. token), field("cookie", "c=d")))
    assert.equal(400, ask("/cookie", field("cookie", "access=" .. token), field("cookie", "access=x")).status)
    assert.equal(401, ask("/cookie", field("cookie", "a=b"), field("cookie", "access=x")).status)
    assert.equal(401, ask("/jwt", field("cookie", "access=" .. token)).status)
  end)

  it("taking a check out lets one through", function()
    local function smuggled(check, name)
      ask("/check?" .. check)
      local found = protected.ours(ask("/jwt", bearer(), field(name, "root")).body)
      ask "/check?NONE"
      return #found > #ME
    end
    assert.is_true(smuggled("INCOMING_OURS", "x-authgear-user-id"))
    assert.is_true(smuggled("INCOMING_SEPARATORS", "x_authgear-user-id"))
    assert.is_false(smuggled("NONE", "x-authgear-user-id"))
    assert.is_false(smuggled("NONE", "x_authgear-user-id"))
  end)
end)
