-- Discovery documents that are hostile, broken or somebody else's: refused with a clear error, with nothing stored and
-- the session as it was. Each has a good twin that differs in the one defect.

local authgear = require "authgear"
local core = require "authgear.core"
local fake = require "spec.support.fake_provider"
local server = require "spec.support.server"
local steady = require "spec.support.steady"

local E = fake.ENDPOINT
local MAX_BODY = 2 ^ 20 -- bytes of a document, see core/request.h

local function document(more)
  local metadata = fake.metadata()
  for name, value in pairs(more or {}) do
    metadata[name] = value
  end
  return metadata
end

local function without(name)
  local metadata = fake.metadata()
  metadata[name] = nil
  return metadata
end

local function text(value)
  return assert(core.json_encode(value))
end

-- A good document of exactly n bytes.
local function of_size(n)
  local body = text(fake.metadata())
  return body .. (" "):rep(n - #body)
end

local function nested(depth)
  return (text(fake.metadata()):gsub("}$", ',"x":' .. ("["):rep(depth) .. ("]"):rep(depth) .. "}"))
end

local function with_member(member)
  return (text(fake.metadata()):gsub("}$", "," .. member .. "}"))
end

-- The words of the message are part of what is promised here: they name the member.
local CASES = {
  -- name, code, words, bad, good
  { "another issuer", "discovery", "another issuer", document { issuer = "https://evil.test" }, document {} },
  { "an issuer with another case", "discovery", "another issuer", document { issuer = "https://AUTH.test" }, document {} },
  { "an issuer with a path", "discovery", "another issuer", document { issuer = E .. "/x" }, document { issuer = E .. "/" } },
  { "an issuer on http", "discovery", "another issuer", document { issuer = "http://auth.test" }, document { issuer = E } },
  { "an issuer with a port", "discovery", "another issuer", document { issuer = E .. ":443" }, document { issuer = E .. "//" } },
  { "an issuer that is longer", "discovery", "another issuer", document { issuer = E .. ".evil.test" }, document {} },
  { "an issuer that is shorter", "discovery", "another issuer", document { issuer = E:sub(1, -2) }, document {} },
  { "an issuer that is no string", "discovery", "no issuer", document { issuer = { E } }, document { issuer = E } },
  { "a null issuer", "discovery", "no issuer", document { issuer = authgear.null }, document { issuer = E } },
  { "no issuer", "discovery", "no issuer", without "issuer", document {} },
  { "an issuer of 3000 bytes", "discovery", "issuer", document { issuer = E .. ("x"):rep(3000) }, document {} },
  { "no object", "discovery", "not an object", '["' .. E .. '"]', document {} },
  { "a string", "discovery", "not an object", '"' .. E .. '"', document {} },
  { "null", "discovery", "not an object", "null", document {} },
  { "nothing", "invalid_response", "it is empty", "", document {} },
  { "HTML", "invalid_response", "not valid JSON", "<html></html>", document {} },
  { "half of it", "invalid_response", "not valid JSON", text(fake.metadata()):sub(1, 200), document {} },
  { "something after it", "invalid_response", "not valid JSON", text(fake.metadata()) .. "x", text(fake.metadata()) .. " \r\n\t" },
  { "a byte order mark", "invalid_response", "byte order mark", "\239\187\191" .. text(fake.metadata()), text(fake.metadata()) },
  { "a member twice", "invalid_response", "twice", with_member('"issuer":"https://evil.test"'), with_member('"issuer2":"x"') },
  { "a member twice, escaped", "invalid_response", "twice", with_member('"\\u0069ssuer":"' .. E .. '"'), with_member('"\\u0069ss":1') },
  { "a NUL in a string", "invalid_response", "\\u0000", with_member('"x":"a\\u0000b"'), with_member('"x":"a\\u0001b"') },
  { "a NUL", "invalid_response", "control character", with_member('"x":"a\0b"'), with_member('"x":"ab"') },
  { "invalid UTF-8", "invalid_response", "UTF-8", with_member('"x":"\255"'), with_member('"x":"\195\191"') },
  { "half a surrogate pair", "invalid_response", "surrogate", with_member('"x":"\\ud800"'), with_member('"x":"\\ud83d\\ude00"') },
  { "10,000 levels", "invalid_response", "too deep", nested(10000), nested(100) },
  { "10,000 levels that do not end", "invalid_response", "too deep", ("["):rep(10000), nested(127) },
  { "NaN", "invalid_response", "not valid JSON", with_member('"x":NaN'), with_member('"x":1') },
  { "infinity", "invalid_response", "too large", with_member('"x":1e999'), with_member('"x":1e308') },
  { "2 MB", "too_large", "over the limit", of_size(2 * MAX_BODY), of_size(MAX_BODY) },
  { "a byte too much", "too_large", "over the limit", of_size(MAX_BODY + 1), of_size(MAX_BODY) },
}

local REQUIRED = { "authorization_endpoint", "token_endpoint" }
local OPTIONAL = { "userinfo_endpoint", "revocation_endpoint", "end_session_endpoint", "jwks_uri" }

for _, name in ipairs(REQUIRED) do
  CASES[#CASES + 1] = { "no " .. name, "discovery", "no usable " .. name, without(name), document {} }
end
for i, name in ipairs { REQUIRED[1], REQUIRED[2], OPTIONAL[1], OPTIONAL[2], OPTIONAL[3], OPTIONAL[4] } do
  local good = i <= 2 and document {} or without(name)
  for what, value in pairs { ["a number"] = 5, ["null"] = authgear.null, ["a list"] = { E .. "/x" }, ["false"] = false } do
    CASES[#CASES + 1] = { name .. " is " .. what, "discovery", "no usable " .. name, document { [name] = value }, good }
  end
  CASES[#CASES + 1] = { name .. " on http", "discovery", name .. " in the discovery document is not https",
    document { [name] = "http://auth.test/x" }, document { [name] = "https://auth.test/x" } }
  for what, pair in pairs {
    ["is relative"] = { "/oauth2/x", "https://auth.test/oauth2/x" }, ["is empty"] = { "", "https://auth.test" },
    ["has user info"] = { "https://a:b@auth.test/x", "https://auth.test/a:b@x" },
    ["has a fragment"] = { E .. "/x#y", E .. "/x?y" }, ["has a space"] = { E .. "/a b", E .. "/a%20b" },
    ["has a line break"] = { E .. "/a\r\nb", E .. "/ab" }, ["is another scheme"] = { "ftp://auth.test/x", "https://auth.test/x" },
    ["is JavaScript"] = { "javascript:alert(1)", "https://javascript/" }, ["is a file"] = { "file:///etc/passwd", "https://etc/passwd" },
    ["has a bad port"] = { E .. ":99999/x", E .. ":9999/x" }, ["has no host"] = { "https:///x", "https://x/" },
    ["has a backslash"] = { "https://auth.test\\@evil.test/", "https://auth.test/%5C" },
  } do
    CASES[#CASES + 1] = { name .. " " .. what, "discovery", name .. " in the discovery document",
      document { [name] = pair[1] }, document { [name] = pair[2] } }
  end
end

local function answer(body)
  return fake.json(200, body)
end

-- A client whose provider gives this document; with a session from an earlier life if `stored` is a record.
local function client_of(body, stored)
  local p, storage = fake.new(), fake.storage()
  storage.record = stored
  p.answers.discovery = function()
    return answer(body)
  end
  local client = assert(authgear.new(p:options { storage = storage }))
  p.ahead = stored and 4000 or 0
  return client, storage, p
end

local function stored_session()
  local p, storage = fake.new(), fake.storage()
  local client = assert(authgear.new(p:options { storage = storage }))
  assert(p:log_in(client))
  return storage.record
end

local function start(client)
  return client:start_authentication { redirect_uri = fake.REDIRECT_URI }
end

local function assert_refused(case, value, err)
  assert.is_nil(value, case[1] .. " was accepted")
  assert.equal(case[2], err.code, case[1] .. ": " .. tostring(err))
  assert.truthy(err.message:find(case[3], 1, true), case[1] .. ": " .. err.message)
  assert.is_false(err.retryable, case[1])
end

describe("a discovery document", function()
  local stored = stored_session()

  it("is refused for one defect, and taken without it", function()
    assert.truthy(#CASES > 100)
    for _, case in ipairs(CASES) do
      local client, storage = client_of(case[4])
      assert_refused(case, start(client))
      assert.equal(0, storage.writes, case[1])
      assert.equal("NO_SESSION", client:session_state())
      -- It is asked for again the next time, not remembered.
      assert_refused(case, start(client))
      client = client_of(case[5])
      assert(start(client), case[1])
    end
  end)

  it("that is refused costs no session", function()
    for _, case in ipairs(CASES) do
      local client, storage = client_of(case[4], stored)
      for _, call in ipairs { client.refresh_access_token_if_needed, client.refresh_access_token, client.fetch_user_info, client.logout } do
        assert_refused(case, call(client))
        assert.equal("AUTHENTICATED", client:session_state(), case[1])
        assert.equal(stored, storage.record, case[1])
        assert.equal(0, storage.writes, case[1])
      end
    end
  end)

  it("of another issuer gets no token, and no token request", function()
    local client, _, p = client_of(document { issuer = "https://evil.test", token_endpoint = "https://evil.test/token" }, stored)
    assert.is_nil(client:refresh_access_token_if_needed())
    for _, request in ipairs(p.seen) do
      assert.equal("discovery", fake.target(request.url))
      assert.is_nil(request.headers.Authorization)
      assert.is_nil(request.body)
    end
  end)

  it("may have endpoints elsewhere, on https", function()
    local client, _, p = client_of(document { token_endpoint = "https://tokens.test/oauth2/token" }, stored)
    assert.is_nil(client:refresh_access_token_if_needed())
    assert.equal("https://tokens.test/oauth2/token", p.seen[2].url)
  end)

  it("is taken for an endpoint with or without a slash at its end", function()
    for _, endpoint in ipairs { E, E .. "/", E .. "//" } do
      for _, issuer in ipairs { E, E .. "/" } do
        local p = fake.new()
        p.answers.discovery = function(request)
          assert.equal(E .. "/.well-known/openid-configuration", request.url)
          return answer(document { issuer = issuer })
        end
        assert(start(assert(authgear.new(p:options { endpoint = endpoint }))))
      end
    end
  end)

  it("may name http where that is allowed", function()
    local p = fake.new()
    p.answers.discovery = function()
      return answer(document { token_endpoint = "http://auth.test/token" })
    end
    assert(start(assert(authgear.new(p:options { allow_insecure_http = true }))))
    assert.is_nil(start(assert(authgear.new(p:options()))))
  end)

  it("may name http on loopback", function()
    for url, good in pairs { ["http://127.0.0.1:1/t"] = true, ["http://[::1]/t"] = true, ["http://localhost/t"] = true,
      ["http://127.0.0.1.evil.test/t"] = false, ["http://localhost.evil.test/t"] = false, ["http://0.0.0.0/t"] = false,
      ["http://2130706433/t"] = false, ["http://0177.0.0.1/t"] = false, ["http://[::ffff:127.0.0.1]/t"] = false } do
      assert.equal(good, start(client_of(document { token_endpoint = url })) ~= nil, url)
    end
  end)

  it("whose answer is no success is judged by its status", function()
    for status, code in pairs { [404] = "invalid_response", [204] = "invalid_response", [301] = "invalid_response",
      [302] = "invalid_response", [500] = "server", [503] = "server", [429] = "rate_limited" } do
      local p = fake.new()
      p.answers.discovery = function()
        return { status = status, headers = { Location = E .. "/x" }, body = text(fake.metadata()) }
      end
      local value, err = start(assert(authgear.new(p:options())))
      assert.is_nil(value)
      assert.equal(code, err.code)
      assert.equal(status, err.status)
    end
  end)

  it("that is refused a thousand times leaves nothing behind", function()
    local clients = {}
    for i, case in ipairs(CASES) do
      if type(case[4]) == "table" or #case[4] < 30000 then
        local client, _, p = client_of(case[4], i % 2 == 0 and stored or nil)
        p.seen = nil
        clients[#clients + 1] = client
      end
    end
    steady.check(function(i)
      local client = clients[i % #clients + 1]
      assert.is_nil(start(client))
      client:refresh_access_token_if_needed()
    end)
  end)

  it("is read the same way over HTTP", function()
    local dev = server.shared()
    for _, case in ipairs {
      { { issuer = "http://elsewhere.example" }, "another issuer" },
      { { token_endpoint = "http://elsewhere.example/token" }, "not https" },
      { { issuer = authgear.null }, "no issuer" },
    } do
      local patch = {}
      for name, value in pairs(case[1]) do
        patch[name] = value == authgear.null and require("dkjson").null or value
      end
      dev:fault { target = "discovery", kind = "patch", patch = patch, times = 1 }
      local client = assert(authgear.new { endpoint = dev.endpoint, client_id = "native" })
      local value, err = start(client)
      assert.is_nil(value)
      assert.equal("discovery", err.code)
      assert.truthy(err.message:find(case[2], 1, true), err.message)
      assert(start(client))
    end
    dev:fault { target = "discovery", kind = "big", bytes = 2 * MAX_BODY, times = 1 }
    local client = assert(authgear.new { endpoint = dev.endpoint, client_id = "native" })
    local _, err = start(client)
    assert.equal("too_large", err.code)
  end)
end)
