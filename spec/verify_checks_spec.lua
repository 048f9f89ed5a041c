-- runs-on: 5.4
-- takes: 10
-- Every check of the verifier is taken out in turn (src/core/jwt_check.h): some hostile token must then be judged
-- otherwise than it should be, and nearly always let in.

local authgear = require "authgear"
local core = require "authgear.core"
local rows = require "spec.support.hostile_tokens"
local tokens = require "spec.support.tokens"

local ALL = { "rsa", "rsa2", "p256", "p384", "p521", "ed", "k256", "ed448" }

-- Another check, or OpenSSL, stands behind these, so that only what is said differs.
local BEHIND = { JWE = true, BASE64 = true, HEADER_ALG = true, KID_SIZE = true, KEY_ALG = true, RSA_LARGE = true, RSA_EVEN = true,
  EXP_EVEN = true, EXP_LARGE = true, PICK_KIND = true }
-- spec/verify_spec.lua takes the first two out: what they refuse is too large for the table of tokens. spec/resolve_spec.lua
-- and spec/protect_spec.lua take those out that are not about tokens.
local function is_elsewhere(name)
  return name == "JWKS_SIZE" or name == "JWKS_COUNT" or name:find "^BEARER_" or name:find "^COOKIE_" or name:find "^RESOLVER_"
    or name:find "^INCOMING_"
end

local batch, before
local texts, sets, policies = {}, {}, {}

local function policy_of(row)
  local spec = row.bad.spec
  texts[row] = texts[row] or batch:jwks(spec.keys or ALL)
  local set = sets[texts[row]] or assert(authgear.jwks(texts[row]))
  sets[texts[row]] = set
  local options = { issuer = tokens.ISSUER, jwks = set, now = spec.now or tokens.NOW }
  for name, value in pairs(spec.policy or {}) do
    options[name] = value
  end
  return assert(authgear.policy(options))
end

-- What is said of a token, and how many keys of its set can be used.
local function judge(row)
  policies[row] = policies[row] or policy_of(row)
  local value, err = authgear.verify(row.bad.token, policies[row])
  return (value and "let in" or err.code .. " " .. tostring(err.reason)) .. " " .. policies[row].jwks.usable
end

local function judge_all()
  local said = {}
  for i, row in ipairs(rows) do
    said[i] = judge(row)
  end
  return said
end

setup(function()
  batch = tokens.batch()
  for _, row in ipairs(rows) do
    row.bad = batch:add(row.bad)
  end
  batch:sign()
  before = judge_all()
end)

teardown(function()
  core.test_check_off()
end)

describe("taking a check out", function()
  for _, name in ipairs(core.test_check_off()) do
    local about_keys = name:find "^KEY_" or name:find "^RSA_" or name:find "^EXP_" -- keys are judged when they are read
    if not is_elsewhere(name) then
      it("makes a case fail: " .. name, function()
        core.test_check_off(name)
        if about_keys then
          sets, policies = {}, {}
        end
        local after = judge_all()
        core.test_check_off()
        if about_keys then
          sets, policies = {}, {}
        end
        local changed, let_in = 0, 0
        for i, said in ipairs(after) do
          changed = changed + (said == before[i] and 0 or 1)
          let_in = let_in + (said:find "^let in" and 1 or 0)
        end
        assert.truthy(changed > 0)
        if BEHIND[name] then
          assert.equal(0, let_in)
        else
          assert.truthy(let_in > 0, changed .. " judged otherwise, none let in")
        end
      end)
    end
  end
end)
