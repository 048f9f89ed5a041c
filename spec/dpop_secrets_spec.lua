-- takes: 8
-- No key and no proof in any error, log line, traceback or event: every public function goes through servers and transports that
-- say the proof they were shown, however it is written, with bearer tokens and with bound ones.

local canary = require "spec.support.canary"
local fake = require "spec.support.fake_provider"
local tour = require "spec.support.tour"

local function plant_key(s)
  local key = s.storage.record and s.storage.record:match '"dpop_key":"([^"]+)"'
  assert(key, "there is no key")
  s.watch:plant("DPoP key", key)
  s.known[#s.known + 1] = key
  return key
end

-- Every operation with DPoP, and what befalls it.
local function each(token_type, spoil)
  local failures = 0
  for name, operation in pairs(tour.OPERATIONS) do
    local s = tour.setting({ dpop = true, storage = fake.storage() }, operation.logged_out)
    s.storage = s.options.storage
    s.provider.token_type = token_type
    if not operation.logged_out then
      assert(s.client:refresh_access_token()) -- its type is that type now
      plant_key(s)
    end
    spoil(s)
    local ok, value, err = xpcall(function()
      return operation.run(s)
    end, debug.traceback)
    failures = failures + (tour.look(s, name, ok, value, err) and 0 or 1)
    if s.storage.record and s.storage.record:find('"dpop_key"', 1, true) then
      plant_key(s)
    end
    s.watch:check()
    s.provider.answers = {}
    tour.look(s, name .. ", then fetch", xpcall(function()
      return s.client:fetch(fake.APP .. "/me")
    end, debug.traceback))
    s.client:close()
    s.watch:check()
  end
  return failures
end

local ENCODINGS = {}
for name in pairs(canary.ENCODINGS) do
  ENCODINGS[#ENCODINGS + 1] = name
end
table.sort(ENCODINGS)

local TARGETS = { "token", "userinfo", "app" }

-- What has been shown, or all that is known: in turn the whole, and pieces from its middle.
local function said(request, known, n)
  local proof = request.headers.DPoP or "no proof"
  local pieces = { proof:sub(-150), proof:sub(-60), proof:sub(-140, -60), known[#known] or "nothing" }
  return pieces[n % #pieces + 1]
end

for _, token_type in ipairs { "Bearer", "DPoP" } do
  describe("no key and no proof, with a token of type " .. token_type .. ",", function()
    it("comes out of what goes well", function()
      assert.equal(0, each(token_type, function() end))
    end)

    it("comes back from a server that echoes it", function()
      local n = 0
      for round = 1, 6 do
        local target = TARGETS[round % 3 + 1]
        local failures = each(token_type, function(s)
          s.provider.answers[target] = function(request)
            n = n + 1
            local encode = canary.ENCODINGS[ENCODINGS[n % #ENCODINGS + 1]]
            return fake.json(target == "token" and 400 or 401, { error = n % 3 == 0 and "use_dpop_nonce" or "invalid_dpop_proof",
              error_description = encode(said(request, s.known, math.floor(n / #ENCODINGS))) })
          end
        end)
        assert.is_true(failures > 0 or target == "app")
      end
    end)

    it("comes out of a transport that says what it was to send", function()
      local n = 0
      for _, target in ipairs(TARGETS) do
        each(token_type, function(s)
          s.provider.answers[target] = function(request)
            n = n + 1
            return nil, { code = "network", message = "could not send DPoP: " .. said(request, s.known, n), retryable = n % 2 == 0 }
          end
        end)
      end
    end)

    it("comes out of a nonce that is a proof", function()
      for _, target in ipairs(TARGETS) do
        each(token_type, function(s)
          s.provider.answers[target] = function(request)
            return { status = target == "token" and 400 or 401, body = '{"error":"use_dpop_nonce"}',
              headers = { ["DPoP-Nonce"] = request.headers.DPoP, ["WWW-Authenticate"] = 'DPoP error="use_dpop_nonce"' } }
          end
        end)
      end
    end)
  end)
end

describe("the spec itself", function()
  it("finds a proof that is shown", function()
    local core = require "authgear.core"
    local real, proof = core.error, nil
    core.error = function(flow)
      local code, message, retryable = real(flow)
      return code, message .. (proof and proof:sub(-100, -60) or ""), retryable
    end
    local ok, why = pcall(each, "Bearer", function(s)
      s.provider.answers.token = function(request)
        proof = request.headers.DPoP
        return nil, { code = "network" }
      end
    end)
    core.error = real
    assert.is_false(ok)
    assert.truthy(tostring(why):find("the proof stands there as it is", 1, true), why)
  end)
end)
