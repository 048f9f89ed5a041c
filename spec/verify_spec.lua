-- takes: 8
-- Access tokens verified here: hostile ones, each beside a good twin; key sets, policies, claims.

-- luacheck: max line length 170

local authgear = require "authgear"
local core = require "authgear.core"
local rows = require "spec.support.hostile_tokens"
local steady = require "spec.support.steady"
local tokens = require "spec.support.tokens"

local ALL = { "rsa", "rsa2", "p256", "p384", "p521", "ed", "k256", "ed448" }

local batch, base
local sets, policies = {}, {}

local function set_of(keys)
  local text = batch:jwks(keys or ALL)
  sets[text] = sets[text] or assert(authgear.jwks(text))
  return sets[text]
end

local function policy_of(spec)
  local options = { issuer = tokens.ISSUER, jwks = set_of(spec.keys), now = spec.now or tokens.NOW }
  for name, value in pairs(spec.policy or {}) do
    options[name] = value
  end
  return assert(authgear.policy(options))
end

local function verify(made)
  policies[made] = policies[made] or policy_of(made.spec)
  return authgear.verify(made.token, policies[made])
end

local function wanted(row)
  local reason = row.reason
  return type(reason) == "table" and reason or { "invalid_token", reason }
end

setup(function()
  batch = tokens.batch()
  base = batch:add {}
  for _, row in ipairs(rows) do
    row.bad, row.twin = batch:add(row.bad), batch:add(row.twin)
  end
  batch:sign()
end)

describe("a hostile token", function()
  it("is one of many", function()
    local names = {}
    for _, row in ipairs(rows) do
      assert.is_nil(names[row.name], row.name .. " stands there twice")
      names[row.name] = true
    end
    assert.truthy(#rows >= 150)
  end)

  for _, row in ipairs(rows) do
    it("is refused: " .. row.name:gsub("%c", "?"), function()
      local want = wanted(row)
      local claims, err = verify(row.bad)
      assert.is_nil(claims)
      assert.same(want, { err.code, err.reason })
      assert.is_false(err.retryable)
      assert.truthy(#err.message > 10)
      claims, err = verify(row.twin)
      assert.truthy(claims, "the twin: " .. tostring(err))
    end)
  end
end)

describe("a key set", function()
  local function refused(text, what)
    local set, err = authgear.jwks(text)
    assert.is_nil(set, what)
    assert.equal("jwks", err.code, what)
    assert.is_false(err.retryable)
  end

  it("is refused whole where it is none", function()
    for _, text in ipairs { "", "x", "[]", "null", "{}", '{"keys":{}}', '{"keys":null}', '{"keys":[]}', '{"keys":[1]}', '{"keys":[null]}',
      '{"keys":[[]]}', '{"keys":["x"]}', '{"keys":[{}]}', '{"keys":[{"kty":"oct","k":"AAAA"}]}', '{"keys":[],"keys":[]}',
      batch:jwk "rsa", "[" .. batch:jwk "rsa" .. "]", batch:jwks { "rsa" } .. "x", batch:jwks { "rsa" } .. "\0",
      batch:jwks { "rsa", "[]" }, batch:jwks { { "rsa", { '"kty":"RSA"' } } }, "\239\187\191" .. batch:jwks { "rsa" } } do
      refused(text, text:sub(1, 40))
    end
  end)

  it("has a limit of size and of keys", function()
    local many = {}
    for i = 1, 64 do
      many[i] = { "p256", { kid = '"' .. i .. '"' } }
    end
    local set = assert(authgear.jwks(batch:jwks(many)))
    assert.same({ 64, 64 }, { set.count, set.usable })
    many[65] = "rsa"
    refused(batch:jwks(many))
    core.test_check_off "JWKS_COUNT"
    assert.truthy(authgear.jwks(batch:jwks(many)))
    core.test_check_off()
    local text = batch:jwks { "rsa" }
    assert(authgear.jwks(text .. (" "):rep(256 * 1024 - #text)))
    refused(text .. (" "):rep(256 * 1024 - #text + 1))
    core.test_check_off "JWKS_SIZE"
    assert.truthy(authgear.jwks(text .. (" "):rep(256 * 1024)))
    core.test_check_off()
  end)

  it("passes over keys that it cannot use", function()
    local set = assert(authgear.jwks(batch:jwks { '{"kty":"oct","k":"AAAA","kid":"s"}', '{"kty":"future"}', "rsa", "{}", "k256" }))
    assert.same({ 5, 1 }, { set.count, set.usable })
  end)

  it("with extra members is read", function()
    local set = assert(authgear.jwks('{"x":1,"keys":[' .. batch:jwk("rsa", { created_at = "1", x5c = '["AA"]', use = '"sig"', alg = '"RS256"' }) .. "]}"))
    assert.truthy(authgear.verify(base.token, { jwks = set, issuer = tokens.ISSUER, now = tokens.NOW }))
  end)
end)

describe("verified claims", function()
  it("are typed", function()
    local claims = assert(verify(base))
    local raw = claims.raw
    assert.equal(raw, claims.raw)
    assert.same({ "pwd" }, raw.amr)
    assert.same(core.json_decode(claims.payload), raw)
    claims.payload, claims.raw = nil, nil
    setmetatable(claims, nil)
    assert.same({
      user_id = "user-1", issuer = tokens.ISSUER, audience = { tokens.ISSUER }, client_id = "native", scope = "openid offline_access",
      roles = { "reader", "writer" }, amr = { "pwd" }, is_anonymous = false, is_verified = true, can_reauthenticate = true,
      expires_at = 1795460800, issued_at = 1795460400, authenticated_at = 1795460300, token_id = "id-1",
    }, claims)
  end)

  it("are each caller's own", function()
    local claims = assert(verify(base))
    claims.roles[1], claims.user_id, claims.raw.sub = "admin", "admin", "admin"
    claims = assert(verify(base))
    assert.same({ "reader", "user-1", "user-1" }, { claims.roles[1], claims.user_id, claims.raw.sub })
  end)
end)

describe("a policy with a cache", function()
  local function cached(options)
    local all = { issuer = tokens.ISSUER, jwks = set_of(), cache = 8 }
    for name, value in pairs(options) do
      all[name] = value
    end
    return assert(authgear.policy(all))
  end

  it("says what one without says, each time", function()
    for i, row in ipairs(rows) do
      local function both(made)
        local plain, spec = policy_of(made.spec), made.spec
        local options = { jwks = set_of(spec.keys), now = spec.now or tokens.NOW }
        for name, value in pairs(spec.policy or {}) do
          options[name] = value
        end
        local policy = cached(options)
        local want, why = authgear.verify(made.token, plain)
        for _ = 1, 2 do
          local claims, err = authgear.verify(made.token, policy)
          assert.same({ want, why and why.reason }, { claims, err and err.reason })
        end
      end
      if i % 10 == 0 then
        both(row.bad)
        both(row.twin)
      end
    end
  end)

  it("never keeps a token beyond its time", function()
    local time = tokens.NOW
    local policy = cached { now = function() return time end, max_auth_age = 400 }
    for _, case in ipairs { { 0 }, { 100 }, { 200 }, { 200.5, "auth_time" }, { 0 }, { 300, "expired" }, { -101, "iat" }, { 0 } } do
      time = tokens.NOW + case[1]
      local claims, err = authgear.verify(base.token, policy)
      if case[2] then
        assert.is_nil(claims)
        assert.equal(case[2], err.reason)
      else
        assert.truthy(claims, tostring(err))
      end
    end
  end)

  it("gives each caller claims of its own, and knows tokens apart", function()
    local policy = cached { now = tokens.NOW }
    for round = 1, 3 do
      for _, row in ipairs(rows) do
        if next(row.twin.spec) == nil or (row.twin.spec.claims and not row.twin.spec.policy and not row.twin.spec.keys and not row.twin.spec.header) then
          local claims = assert(authgear.verify(row.twin.token, policy), row.name .. round)
          assert.same(assert(authgear.verify(row.twin.token, policy_of {})), claims)
          claims.user_id, claims.roles[1] = "admin", "admin"
        end
      end
    end
  end)

  it("leaves nothing behind", function()
    local policy = cached { now = tokens.NOW, cache = 1 }
    local good = { base }
    for _, row in ipairs(rows) do
      if row.twin.spec.claims and not row.twin.spec.policy and not row.twin.spec.keys and not row.twin.spec.header then
        good[#good + 1] = row.twin
      end
    end
    for i = 1, 40 do
      assert(authgear.verify(good[i].token, policy))
    end
    steady.check(function(i)
      assert(authgear.verify(good[i % 40 + 1].token, policy))
    end)
  end)
end)

describe("authgear.verify", function()
  it("takes a policy as a table, and the keys as text", function()
    assert.truthy(authgear.verify(base.token, { issuer = tokens.ISSUER, jwks = batch:jwks(ALL), now = tokens.NOW }))
    local claims, err = authgear.verify(base.token, { issuer = tokens.ISSUER, jwks = "{}", now = tokens.NOW })
    assert.is_nil(claims)
    assert.equal("jwks", err.code)
  end)

  it("asks the clock", function()
    local time = tokens.NOW
    local policy = assert(authgear.policy { issuer = tokens.ISSUER, jwks = batch:jwks(ALL), now = function() return time end })
    assert.truthy(authgear.verify(base.token, policy))
    time = tokens.NOW + 1000
    assert.equal("expired", select(2, authgear.verify(base.token, policy)).reason)
    assert.has_error(function()
      authgear.verify(base.token, assert(authgear.policy { issuer = "x", jwks = batch:jwks(ALL), now = function() return "1" end }))
    end)
  end)

  it("raises for wrong use, naming what is wrong", function()
    local good = { issuer = "x", jwks = batch:jwks(ALL) }
    for _, case in ipairs {
      { "token", nil, good }, { "token", 1, good }, { "table expected", "x", nil }, { "'issuer' is missing", "x", { jwks = good.jwks } },
      { "'jwks' is missing", "x", { issuer = "x" } }, { "'jwks' is missing", "x", assert(authgear.policy { issuer = "x" }) },
    } do
      local ok, message = pcall(authgear.verify, case[2], case[3])
      assert.is_false(ok)
      assert.truthy(message:find(case[1], 1, true), message)
      assert.truthy(message:find("verify_spec.lua", 1, true), message)
    end
    for name, values in pairs {
      issuer = { 1, "" }, jwks = { 1, {}, false }, audience = { 1, {}, "", { 1 }, { "" } }, skew = { -1, 601, "1", 0 / 0 }, now = { "x", -1, 0 / 0 },
      algorithms = { {}, "RS256", { "none" }, { "HS256" }, { "RS256", "none" }, { "rs256" }, { "RS256", "HS512" }, { "" } },
      typ = { {}, 1, "" }, scopes = { "x", {}, { 1 } }, roles = { "x", {} }, any_role = { {} }, client_ids = { {} }, only_verified = { 1, "yes" },
      refuse_anonymous = { 0 }, max_auth_age = { -1, "x" }, max_bytes = { 0, -1, 2 ^ 30, 1.5 }, cache = { -1, 1.5, "x", 2 ^ 30 }, verify_exp = { false },
    } do
      for _, value in ipairs(values) do
        local options = { issuer = "x", jwks = good.jwks }
        options[name] = value
        local ok, message = pcall(authgear.policy, options)
        assert.is_false(ok, name)
        assert.truthy(message:find(name, 1, true), message)
      end
    end
  end)

  it("leaves nothing behind, whatever it says", function()
    local made = { base }
    for i = 1, #rows, 7 do
      made[#made + 1] = rows[i].bad
    end
    local text = batch:jwks { "rsa", "p256", "{}" }
    for _, one in ipairs(made) do
      verify(one)
    end
    steady.check(function(i)
      verify(made[i % #made + 1])
      if i % 50 == 0 then
        authgear.jwks(text)
      end
    end)
  end)

  it("says that memory ran out, each allocation failing in turn", function()
    local policy = policy_of { keys = { "rsa" } }
    for _, act in ipairs { function() return authgear.verify(base.token, policy) end, function() return authgear.jwks(batch:jwks { "rsa", "p256" }) end } do
      assert.truthy(act())
      local at, done = 0, false
      while not done do
        at = at + 1
        core.test_alloc(at)
        local value, err = act()
        done = core.test_alloc(0) < at
        if done then
          assert.truthy(value)
        else
          assert.is_nil(value)
          assert.equal("memory", err.code)
        end
      end
      assert.truthy(at > 1)
    end
  end)

  it("never shows a token", function()
    for _, row in ipairs(rows) do
      local _, err = verify(row.bad)
      for _, part in ipairs { row.bad.h, row.bad.p } do
        if #part > 8 then
          assert.is_nil(tostring(err):find(part:sub(1, 12), 1, true))
        end
      end
    end
  end)
end)
