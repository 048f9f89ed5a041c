-- What the specs of proofs of possession have in common: a client at Authgear or at the provider with the whole of RFC 9449, the
-- record it keeps, and what the servers saw. Must never judge but this: a proof is used once.

local authgear = require "authgear"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

local dpop = {}

local dev

--- Begins anew: no sessions, no faults, nothing stored.
---@return table dev the server
---@return table storage
function dpop.reset()
  dev = server.shared()
  dev:reset { sessions = true }
  dpop.storage = authgear.storage.memory()
  return dev, dpop.storage
end

--- The stored record.
function dpop.record()
  return (dpop.storage.open "default"):get()
end

--- One of its texts.
function dpop.field(name)
  return dpop.record():match('"' .. name .. '":"([^"]+)"')
end

--- Changes the stored record, as nobody should.
function dpop.change_record(pattern, with)
  local changed, n = dpop.record():gsub(pattern, with)
  assert(n == 1, "nothing to change")
  dpop.storage.open("default"):set(changed)
end

--- A client at Authgear, or at the provider with the whole policy.
function dpop.open(full, more)
  local options = { storage = dpop.storage, dpop = true }
  if full then
    options.endpoint, options.client_id = dev.strict.endpoint, "strict"
    options.scopes = { "openid", "offline_access" }
  end
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return assert(sdk.client(dev, options))
end

function dpop.log_in(client)
  return sdk.log_in(dev, client, { prompt = "consent" })
end

--- What has arrived at a target.
function dpop.arrived(target)
  local list = {}
  for _, event in ipairs(dev:log { event = "received" }) do
    if event.target == target then
      list[#list + 1] = event
    end
  end
  return list
end

--- The statuses of the answers at a target, in their order.
function dpop.answers(target)
  local list = {}
  for _, event in ipairs(dev:log { event = "answered" }) do
    if event.target == target then
      list[#list + 1] = event.status
    end
  end
  return table.concat(list, " ")
end

--- Each proof that has arrived; raises when one came twice.
function dpop.proofs()
  local list, seen = {}, {}
  for _, event in ipairs(dev:log { event = "received" }) do
    local proof = event.proof
    if proof then
      assert(not seen[proof.jti], "a jti was used twice")
      assert(#proof.jti >= 32, "a jti that can be guessed")
      seen[proof.jti] = true
      list[#list + 1] = proof
    end
  end
  return list
end

--- Looks at what a call gave: nil, and an error with that code, which is returned.
function dpop.fails(code, value, err)
  assert(value == nil and err.code == code, code .. " instead of " .. tostring(err))
  return err
end

return dpop
