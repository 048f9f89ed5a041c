-- Tokens for the specs about verifying: each is described by a table, all of them are signed at once by
-- sign.mjs, and only then put together. Must never judge a token.

local canary = require "spec.support.canary"
local files = require "spec.support.files"
local json = require "dkjson"
local with = require "spec.support.with"

local tokens = {}

tokens.NOW = 1795460500
tokens.ISSUER = "https://auth.test"
tokens.base64url = canary.base64url

local HEADER = { { "alg", '"RS256"' }, { "kid", '"rsa"' }, { "typ", '"at+jwt"' } }
local USER = "https://authgear.com/claims/user/"
local CLAIMS = {
  { "amr", '["pwd"]' }, { "aud", '["https://auth.test"]' }, { "auth_time", "1795460300" }, { "client_id", '"native"' },
  { "exp", "1795460800" }, { USER .. "can_reauthenticate", "true" }, { USER .. "is_anonymous", "false" },
  { USER .. "is_verified", "true" }, { USER .. "roles", '["reader","writer"]' }, { "iat", "1795460400" },
  { "iss", '"https://auth.test"' }, { "jti", '"id-1"' }, { "scope", '"openid offline_access"' }, { "sub", '"user-1"' },
}
tokens.USER = USER

-- The object's text: members of the base replaced by `change` (raw JSON; false: left out), new ones behind them.
local function object(base, change)
  if type(change) == "string" then
    return change
  end
  local parts, rest = {}, {}
  for key, value in pairs(change or {}) do
    rest[key] = value
  end
  for _, member in ipairs(base) do
    local value = rest[member[1]]
    if value == nil then
      value = member[2]
    end
    rest[member[1]] = nil
    if value then
      parts[#parts + 1] = ('"%s":%s'):format(member[1], value)
    end
  end
  for key, value in pairs(rest) do
    if key == 1 then
      parts[#parts + 1] = value -- as it is: `{ '"iss":"x"' }` doubles a member
    elseif value then
      parts[#parts + 1] = ('"%s":%s'):format(key, value)
    end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

function tokens.header(change) return object(HEADER, change) end
function tokens.claims(change) return object(CLAIMS, change) end

local Batch = {}
Batch.__index = Batch

function tokens.batch()
  return setmetatable({ jobs = {}, made = {} }, Batch)
end

--- A token to come. spec: header, claims: what to change; key ("rsa"), how ("RS256", see sign.mjs), secret; before(h, p) and
--- after(h, p, s): what to do to the encoded parts before and after they are signed.
function Batch:add(spec)
  local h, p = canary.base64url(tokens.header(spec.header)), canary.base64url(tokens.claims(spec.claims))
  if spec.before then
    h, p = spec.before(h, p)
  end
  self.jobs[#self.jobs + 1] = { key = spec.key or "rsa", how = spec.how or "RS256", text = h .. "." .. p, secret = spec.secret }
  local made = { h = h, p = p, spec = spec, job = #self.jobs }
  self.made[#self.made + 1] = made
  return made
end

--- Signs them all; afterwards each has `token`, and the batch `keys`.
function Batch:sign()
  local path, out = os.tmpname(), os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(json.encode { jobs = self.jobs })
  file:close()
  files.sh("node spec/support/sign.mjs < " .. files.quote(path) .. " > " .. files.quote(out))
  file = assert(io.open(out))
  local result = assert(json.decode(file:read("*a")))
  file:close()
  os.remove(path)
  os.remove(out)
  self.keys = result.keys
  for _, made in ipairs(self.made) do
    local s = result.signatures[made.job]
    made.token = made.spec.after and made.spec.after(made.h, made.p, s, result.keys) or made.h .. "." .. made.p .. "." .. s
  end
end

--- A JWK as text; change: members as raw JSON, false: left out.
function Batch:jwk(name, change)
  local members = {}
  for key, value in pairs(self.keys[name].jwk) do
    members[#members + 1] = { key, json.encode(value) }
  end
  table.sort(members, function(a, b) return a[1] < b[1] end)
  return object(members, with({ kid = json.encode(name) }, change))
end

--- A JWKS as text. list: names, tables { name, change } or raw texts that begin with "{" or "[".
function Batch:jwks(list)
  local texts = {}
  for i, entry in ipairs(list) do
    if type(entry) == "function" then
      entry = entry(self.keys)
    end
    if type(entry) == "table" then
      texts[i] = self:jwk(entry[1], type(entry[2]) == "function" and entry[2](self.keys) or entry[2])
    else
      texts[i] = entry:find "^[%[{]" and entry or self:jwk(entry)
    end
  end
  return '{"keys":[' .. table.concat(texts, ",") .. "]}"
end

return tokens
