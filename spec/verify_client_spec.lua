-- client:verify: the keys are fetched, kept, used on while the server is away, and asked for again in measure.
-- luacheck: max line length 170

local authgear = require "authgear"
local fake = require "spec.support.fake_provider"
local tokens = require "spec.support.tokens"

describe("client:verify", function()
  local batch, one, two, p, client, fetched, answer

  setup(function()
    batch = tokens.batch()
    local now = fake.now()
    local times = { exp = tostring(now + 1e6), iat = tostring(now - 10), auth_time = tostring(now - 20) }
    one = batch:add { claims = times }
    two = batch:add { claims = times, header = { kid = '"rsa2"' }, key = "rsa2" }
    batch:sign()
  end)

  before_each(function()
    p, fetched = fake.new(), 0
    answer = function() return fake.json(200, batch:jwks { "rsa" }) end
    p.answers.app = function(request)
      if request.url == fake.metadata().jwks_uri then
        fetched = fetched + 1
        return answer()
      end
    end
    client = assert(authgear.new(p:options()))
  end)

  local function code(token, policy)
    local claims, err = client:verify(token, policy)
    return claims and "ok" or err.code
  end

  it("fetches the keys once", function()
    for _ = 1, 5 do
      assert.equal("user-1", assert(client:verify(one.token)).user_id)
    end
    assert.equal(1, fetched)
    assert.equal(1, p.counts.discovery)
  end)

  it("demands what the policy says", function()
    assert.equal("insufficient_scope", code(one.token, { scopes = { "mail" } }))
    assert.equal("invalid_token", code(one.token, { audience = "https://api.test" }))
    assert.equal("invalid_token", code(one.token .. "A"))
    local policy = assert(authgear.policy { issuer = tokens.ISSUER, cache = 10 })
    for _ = 1, 3 do
      assert.equal("ok", code(one.token, policy))
    end
    assert.has_error(function() client:verify(one.token, { jwks = batch:jwks { "rsa" } }) end)
    assert.has_error(function() client:verify(one.token, { algorithms = { "none" } }) end)
    assert.has_error(function() client:verify(nil) end)
  end)

  it("demands what the policy inherits from another one", function()
    local strict = { scopes = { "mail" } }
    assert.equal("insufficient_scope", code(one.token, setmetatable({}, { __index = strict })))
    assert.equal("insufficient_scope", code(one.token, setmetatable({ audience = tokens.ISSUER }, { __index = strict })))
    assert.equal("ok", code(one.token, setmetatable({}, { __index = { scopes = { "openid" } } })))
  end)

  it("asks again for a key that it lacks, once in a while", function()
    assert.equal("ok", code(one.token))
    for _ = 1, 20 do
      assert.equal("unknown_key", code(two.token))
    end
    assert.equal(1, fetched)
    p.ahead = 61
    answer = function() return fake.json(200, batch:jwks { "rsa2" }) end
    assert.equal("ok", code(two.token))
    assert.equal(2, fetched)
    for _ = 1, 20 do
      assert.equal("unknown_key", code(one.token))
    end
    assert.equal(2, fetched)
  end)

  it("knows no token any longer whose key has gone", function()
    local policy = assert(authgear.policy { issuer = tokens.ISSUER, cache = 10 })
    assert.equal("ok", code(one.token, policy))
    p.ahead = 3601
    answer = function() return fake.json(200, batch:jwks { "rsa2" }) end
    assert.equal("unknown_key", code(one.token, policy))
  end)

  it("keeps the keys while the server is away, for a day", function()
    assert.equal("ok", code(one.token))
    for _, broken in ipairs { function() return nil, { code = "network", message = "gone" } end, function() return fake.json(503, {}) end,
      function() return fake.json(200, '{"keys":[]}') end, function() return fake.json(200, "x") end } do
      answer = broken
      p.ahead = p.ahead + 4000
      local before = fetched
      for _ = 1, 10 do
        assert.equal("ok", code(one.token))
      end
      assert.equal(1, fetched - before)
    end
    p.ahead = 86401
    assert.equal("jwks", code(one.token))
    answer = function() return fake.json(200, batch:jwks { "rsa" }) end
    p.ahead = 86401 + 61
    assert.equal("ok", code(one.token))
  end)

  it("says why there are no keys, and soon asks again", function()
    answer = function() return fake.json(200, '{"keys":[]}') end
    assert.equal("jwks", code(one.token))
    assert.equal("jwks", code(one.token))
    assert.equal(1, fetched)
    answer = function() return fake.json(200, batch:jwks { "rsa" }) end
    p.ahead = 2
    assert.equal("ok", code(one.token))
    p = fake.new()
    p.answers.discovery = function()
      local metadata = fake.metadata()
      metadata.jwks_uri = nil
      return fake.json(200, metadata)
    end
    client = assert(authgear.new(p:options()))
    assert.equal("discovery", code(one.token))
  end)

  it("needs a client that is configured and open", function()
    client:close()
    assert.equal("closed", code(one.token))
  end)
end)
