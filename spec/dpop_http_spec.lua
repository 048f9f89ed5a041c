-- Proofs of possession for those who send their requests with another HTTP library: dpop_proof, and what handle_unauthorized and
-- wrap make of nonces. Against a provider with the whole of RFC 9449.

local authgear = require "authgear"
local dpop = require "spec.support.dpop"
local http = require "spec.support.http"
local sdk = require "spec.support.sdk"

local change_record, open = dpop.change_record, dpop.open
local arrived, proofs, fails = dpop.arrived, dpop.proofs, dpop.fails

describe("DPoP with another HTTP library", function()
  local dev, client, requested

  -- As a user would: with LuaSocket, here behind a name.
  local function send(method, url, authorization, proof)
    requested = requested + 1
    return http.request { method = method, url = url, headers = { Authorization = authorization, DPoP = proof } }
  end

  before_each(function()
    dev = dpop.reset()
    client, requested = open(true), 0
    dpop.log_in(client)
  end)

  it("gives the scheme and a proof for each request", function()
    local url = dev.strict.app .. "/hello"
    assert.equal("DPoP " .. client:access_token(), client:authorization_header())
    local first, second = client:dpop_proof("GET", url), client:dpop_proof("GET", url)
    assert.is_string(first)
    assert.not_equal(first, second)
    local answer = send("GET", url, client:authorization_header(), first)
    assert.equal(401, answer.status)
    local action, header = client:handle_unauthorized { status = 401, url = url, headers = answer.headers }
    assert.same({ "retry", client:authorization_header() }, { action, header })
    assert.equal(200, send("GET", url, header, client:dpop_proof("GET", url)).status)
    assert.equal(401, send("GET", url, header, second).status) -- it has no nonce
    assert.equal(2, #arrived "token") -- of the log-in
  end)

  it("says to leave it when no other proof would help, and refreshes when it was the token", function()
    local url = dev.strict.app .. "/hello"
    local answer = { ["www-authenticate"] = 'DPoP error="use_dpop_nonce"', ["DPoP-NONCE"] = "n" }
    assert.equal("retry", (client:handle_unauthorized { status = 401, url = url, headers = answer }))
    assert.equal("return", (client:handle_unauthorized { status = 401, url = url, headers = answer }))
    local block = "WWW-Authenticate: DPoP error=use_dpop_nonce\r\n"
    assert.equal("return", (client:handle_unauthorized { status = 401, url = url, headers = block }))
    assert.equal(2, #arrived "token")
    answer["www-authenticate"] = 'DPoP error="invalid_token"'
    assert.equal("retry", (client:handle_unauthorized { status = 401, url = url, headers = answer }))
    assert.equal(3, #arrived "token")
  end)

  it("has it all done by wrap", function()
    local get = client:wrap(function(authorization, proof, url)
      return send("GET", url, authorization, proof)
    end, { target = function(url) return "GET", url end })
    assert.equal(200, get(dev.strict.app .. "/hello").status)
    assert.equal(2, requested)
    assert.equal(200, get(dev.strict.app .. "/hello").status)
    assert.equal(3, requested)
    dev:reset()
    dev:fault { target = "app", kind = "answer", status = 401, headers = { ["WWW-Authenticate"] = 'DPoP error="invalid_token"' } }
    assert.equal(200, get(dev.strict.app .. "/hello").status) -- a new token, then a new nonce
    assert.equal(6, requested)
    proofs()
  end)

  it("stops after three requests when the server is never content", function()
    local n = 0
    local get = client:wrap(function(authorization, proof)
      assert.truthy(authorization and proof)
      n = n + 1
      return { status = 401, headers = { ["WWW-Authenticate"] = 'DPoP error="use_dpop_nonce"', ["DPoP-Nonce"] = "n" .. n } }
    end, { target = function() return "GET", "https://api.test/" end })
    assert.equal(401, get().status)
    assert.equal(3, n)
  end)

  it("proves nothing for a bearer token or without a session, and says so when the key is lost", function()
    change_record('"dpop_key":"[^"]+",', "")
    client = open(true)
    fails("dpop_key", client:dpop_proof("GET", "https://api.test/"))
    fails("invalid_url", open(true):dpop_proof("GET", "nonsense"))
    assert(client:logout())
    assert.same({ nil, nil }, { client:dpop_proof("GET", "https://api.test/") })
    client = open(false, { storage = authgear.storage.memory() })
    sdk.log_in(dev, client)
    assert.same({ nil, nil }, { client:dpop_proof("GET", "https://api.test/") })
    assert.equal("Bearer " .. client:access_token(), client:authorization_header())
  end)
end)
