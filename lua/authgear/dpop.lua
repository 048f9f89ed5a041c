--- Proofs of possession for requests that another HTTP library sends: making one, and hearing what an answer says of it.
-- Must never keep a proof: each goes out once.
local check = require "authgear.check"
local core = require "authgear.core"
local errors = require "authgear.errors"

local M = {}

local TELLING = { date = true, age = true, ["dpop-nonce"] = true, ["www-authenticate"] = true }

--- See authgear.Client:dpop_proof.
---@return string|nil
---@return authgear.Error|nil
function M.proof(runtime, method, url)
  check.value("dpop_proof", 1, "method", method, "text")
  check.value("dpop_proof", 2, "URL", url, "text")
  return errors.pass(core.dpop_proof(runtime.core, method, url))
end

local function add_line(lines, name, value)
  local line = type(value) == "string" and core.header_line(name, value)
  if line then
    lines[#lines + 1] = line
  end
end

-- Those of the headers that say something about proofs, as a block. `headers`: a table with names in any case, whose values
-- are strings or lists of them, or the block itself.
local function block_of(headers)
  if type(headers) == "string" then
    return headers
  end
  local lines = {}
  for name, value in pairs(type(headers) == "table" and headers or {}) do
    if type(name) == "string" and TELLING[name:lower()] then
      for _, one in ipairs(type(value) == "table" and value or { value }) do
        add_line(lines, name, one)
      end
    end
  end
  return table.concat(lines)
end

--- Takes note of what an answer says about proofs.
---@return boolean|nil again was it only the proof that was refused, and would another one help? nil: it was not
function M.learn(runtime, url, status, headers)
  return core.dpop_learn(runtime.core, url, status, block_of(headers))
end

return M
