-- Hostile tokens and keys, each with the reason it must be refused for and a twin that differs in that defect
-- only and is good. A row: { name, "reason" or { code, reason }, bad, twin }; bad and twin are tables for
-- tokens.lua with, beside what is said there: keys (a list for Batch:jwks), policy (options of the policy), now.

-- luacheck: max line length 170

local tokens = require "spec.support.tokens"

local b64, header, claims, USER = tokens.base64url, tokens.header, tokens.claims, tokens.USER
local rows = {}

local function row(name, reason, bad, twin)
  rows[#rows + 1] = { name = name, reason = reason, bad = bad, twin = twin or {} }
end

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

-- The same bytes to a careless decoder: the last character with a bit set that means nothing.
local function stray(text)
  local at = ALPHABET:find(text:sub(-1), 1, true)
  return text:sub(1, -2) .. ALPHABET:sub(at + 1, at + 1)
end

-- An object's text with spaces until its base64 has unused bits.
local function uneven(text)
  return #text % 3 == 1 and text or uneven(text .. " ")
end

-- ---- the form ----

local function form(name, reason, after)
  row(name, reason, { after = after })
end

form("nothing", "parts", function() return "" end)
form("one part", "parts", function(h) return h end)
form("two parts", "parts", function(h, p) return h .. "." .. p end)
form("no signature, and no dot", "parts", function(h, p) return h .. "." .. p end)
form("four parts", "parts", function(h, p, s) return h .. "." .. p .. "." .. s .. ".x" end)
form("a dot behind", "parts", function(h, p, s) return h .. "." .. p .. "." .. s .. "." end)
form("a dot in front", "parts", function(h, p, s) return "." .. h .. "." .. p .. "." .. s end)
form("two dots in a row", "parts", function(h, p, s) return h .. ".." .. p .. "." .. s end)
form("six parts", "parts", function(h, p, s) return h .. "." .. p .. "." .. s .. ".a.b.c" end)
form("only dots", "json", function() return ".." end)
form("five parts, as JWE has them", "encrypted", function(h, p, s) return h .. "." .. p .. "." .. s .. ".aa.bb" end)
form("five parts, empty", "encrypted", function() return "...." end)
row("enc in the header", "encrypted", { header = { enc = '"A128GCM"' } })
form("an empty signature", "signature", function(h, p) return h .. "." .. p .. "." end)
form("an empty header", "json", function(_, p, s) return "." .. p .. "." .. s end)
form("an empty payload", "signature", function(h, _, s) return h .. ".." .. s end)
form("a space in front", "base64", function(h, p, s) return " " .. h .. "." .. p .. "." .. s end)
form("a space behind", "base64", function(h, p, s) return h .. "." .. p .. "." .. s .. " " end)
form("a line feed behind", "base64", function(h, p, s) return h .. "." .. p .. "." .. s .. "\n" end)
form("a line break within", "base64", function(h, p, s) return h .. "." .. p .. "." .. s:sub(1, 8) .. "\r\n" .. s:sub(9) end)
form("a tab within", "base64", function(h, p, s) return h .. "." .. p:sub(1, 4) .. "\t" .. p:sub(5) .. "." .. s end)
form("a zero behind", "base64", function(h, p, s) return h .. "." .. p .. "." .. s .. "\0" end)
form("a zero and another token", "encrypted", function(h, p, s) local t = h .. "." .. p .. "." .. s return t .. "\0" .. t end)
form("the scheme in front", "base64", function(h, p, s) return "Bearer " .. h .. "." .. p .. "." .. s end)
form("quotes around", "base64", function(h, p, s) return '"' .. h .. "." .. p .. "." .. s .. '"' end)
form("two with a comma", "encrypted", function(h, p, s) local t = h .. "." .. p .. "." .. s return t .. "," .. t end)
form("the JSON form", "parts", function(h, p, s)
  return ('{"protected":"%s","payload":"%s","signature":"%s"}'):format(h, p, s)
end)
form("a bare name", "parts", function() return "admin" end)
form("an opaque token", "parts", function() return ("a"):rep(43) end)
form("padding behind the signature", "base64", function(h, p, s) return h .. "." .. p .. "." .. s .. "==" end)
form("stray bits in the signature", "base64", function(h, p, s) return h .. "." .. p .. "." .. stray(s) end)
form("a character more", "base64", function(h, p, s) return h .. "." .. p .. "." .. s .. "AAA" end)
form("three characters more", "signature", function(h, p, s) return h .. "." .. p .. "." .. s:sub(1, -3) end)
form("ordinary base64", "base64", function(h, p, s) return h .. "." .. p .. "." .. s:sub(1, 4) .. "+" .. s:sub(6) end)
form("a slash", "base64", function(h, p, s) return h .. "." .. p .. "." .. s:sub(1, 4) .. "/" .. s:sub(6) end)
form("percent-encoded", "base64", function(h, p, s) return h .. "." .. p .. "." .. s:sub(1, 4) .. "%41" .. s:sub(6) end)
form("a letter beyond ASCII", "base64", function(h, p, s) return h .. "." .. p .. "." .. s:sub(1, 4) .. "\195\164" .. s:sub(7) end)
row("padding in the header, signed", "base64", { header = uneven(header()), before = function(h, p) return h .. "==", p end },
  { header = uneven(header()) })
row("padding in the payload, signed", "base64", { claims = uneven(claims()), before = function(h, p) return h, p .. "==" end },
  { claims = uneven(claims()) })
row("stray bits in the header, signed", "base64", { header = uneven(header()), before = function(h, p) return stray(h), p end },
  { header = uneven(header()) })
row("stray bits in the payload, signed", "base64", { claims = uneven(claims()), before = function(h, p) return h, stray(p) end },
  { claims = uneven(claims()) })
row("larger than the policy allows", "size", { policy = { max_bytes = 600 } }, { policy = { max_bytes = 2000 } })
row("larger than is ever usual", "size", { claims = { long = '"' .. ("x"):rep(16384) .. '"' } },
  { claims = { long = '"' .. ("x"):rep(8000) .. '"' } })

-- ---- the header ----

for _, case in ipairs {
  { "is empty text", "" }, { "is no JSON", "x" }, { "is an array", "[]" }, { "is a string", '"RS256"' }, { "is null", "null" },
  { "ends early", header():sub(1, -2) }, { "has a comma too many", header():sub(1, -2) .. ",}" },
  { "has a byte order mark", "\239\187\191" .. header() }, { "has something behind", header() .. "x" },
  { "has a zero behind", header() .. "\0" }, { "is there twice", header() .. header() },
  { "has alg twice, none last", header { '"alg":"none"' } }, { "has alg twice, none first", '{"alg":"none",' .. header():sub(2) },
  { "has alg twice, once escaped", header { '"\\u0061lg":"none"' } }, { "has kid twice", header { '"kid":"rsa2"' } },
  { "has typ twice", header { '"typ":"JWT"' } }, { "has \\u0000 in kid", header { kid = '"rsa\\u0000"' } },
  { "has a raw zero in kid", header { kid = '"rsa\0"' } }, { "has a control character", header { kid = '"rsa\1"' } },
  { "is not UTF-8", header { x = '"\255"' } }, { "has an overlong character", header { x = '"\192\128"' } },
  { "has half a surrogate", header { x = '"\\ud800"' } }, { "has single quotes", (header():gsub('"', "'")) },
  { "has a comment", header() .. "/**/" }, { "is nested too deep", header { x = ("["):rep(200) .. ("]"):rep(200) } },
  { "has NaN", header { x = "NaN" } }, { "has a number too large", header { x = "1e999" } },
  { "has a zero in front of a number", header { x = "01" } },
} do
  row("header " .. case[1], "json", { header = case[2] }, { header = header { x = '"\195\164\\ud83d\\ude00"' } })
end

row("no alg", "header", { header = { alg = false } })
row("alg is null", "header", { header = { alg = "null" } })
row("alg is a list", "header", { header = { alg = '["RS256"]' } })
row("alg is an object", "header", { header = { alg = '{"alg":"RS256"}' } })
row("alg is a number", "header", { header = { alg = "0" } })
row("kid is a number", "header", { header = { kid = "1" } })
row("kid is a list", "header", { header = { kid = '["rsa"]' } })
row("kid is null", "header", { header = { kid = "null" }, keys = { "rsa" } }, { header = { kid = false }, keys = { "rsa" } })
row("typ is a number", "header", { header = { typ = "1" } })
row("kid of a megabyte", "header", { header = { kid = '"' .. ("x"):rep(600) .. '"' } }, { header = { x = '"' .. ("x"):rep(600) .. '"' } })
for _, alg in ipairs { "none", "None", "NONE", "nOnE", "none ", " none", "" } do
  row("alg '" .. alg .. "' without a signature", "alg", { header = { alg = '"' .. alg .. '"' }, how = "none" })
  row("alg '" .. alg .. "' with a good one", "alg", { header = { alg = '"' .. alg .. '"' } })
end
row("alg none, escaped", "alg", { header = { alg = '"\\u006eone"' }, how = "none" }, { header = { alg = '"\\u0052S256"' } })
for _, alg in ipairs { "HS256", "HS384", "HS512" } do
  for _, secret in ipairs { "pem", "n", "der", "jwk", "x", "empty" } do
    row(alg .. " with the public key as its secret: " .. secret, "alg",
      { header = { alg = '"' .. alg .. '"' }, how = alg, secret = secret })
  end
end
row("HS256, no kid", "alg", { header = { alg = '"HS256"', kid = false }, how = "HS256", secret = "pem", keys = { "rsa" } },
  { header = { kid = false }, keys = { "rsa" } })
for _, alg in ipairs { "rs256", "RS256 ", "RS1", "RS", "RS2560", "RSA", "RSA-OAEP", "RSA1_5", "ES256K", "dir", "A128KW", "PBES2-HS256+A128KW",
  "Ed25519", "eddsa", "SHA256", "RS256,none" } do
  row("alg " .. alg, "alg", { header = { alg = '"' .. alg .. '"' } })
end
local HOW = { RS384 = "rsa", RS512 = "rsa", PS256 = "rsa", PS384 = "rsa", PS512 = "rsa", ES384 = "p384", ES512 = "p521", EdDSA = "ed" }
for alg, key in pairs(HOW) do
  row(alg .. ", which is not in the default list", "alg", { header = { alg = '"' .. alg .. '"', kid = '"' .. key .. '"' }, key = key, how = alg },
    { header = { alg = '"' .. alg .. '"', kid = '"' .. key .. '"' }, key = key, how = alg, policy = { algorithms = { alg } } })
end
row("RS256, when only ES256 is listed", "alg", { policy = { algorithms = { "ES256" } } }, { policy = { algorithms = { "ES256", "RS256" } } })
for _, typ in ipairs { "JWT", "jwt", "", "at+jwt ", "at-jwt", "atjwt", "at+jwt;x", "dpop+jwt", "logout+jwt", "vnd.authgear.anonymous-request",
  "application/JWT", "text/at+jwt", "application/application/at+jwt", "at+jwt,JWT" } do
  row("typ " .. typ, "typ", { header = { typ = '"' .. typ .. '"' } })
end
row("no typ", "typ", { header = { typ = false } })
row("an ID token", "typ", { header = { typ = '"JWT"' }, claims = { aud = '["native"]' } })
row("an ID token for one who takes JWT", "aud", { header = { typ = '"JWT"' }, claims = { aud = '["native"]' }, policy = { typ = "JWT" } },
  { header = { typ = '"JWT"' }, policy = { typ = "JWT" } })
row("an access token for one who wants JWT", "typ", { policy = { typ = "JWT" } }, { policy = { typ = { "JWT", "at+jwt" } } })
row("typ in other letters is the same", { "insufficient_scope", "scope" }, { header = { typ = '"AT+JWT"' }, policy = { scopes = { "x" } } },
  { header = { typ = '"Application/AT+jwt"' } })
row("crit", "crit", { header = { crit = '["exp"]' } })
row("crit, empty", "crit", { header = { crit = "[]" } })
row("crit of b64", "crit", { header = { b64 = "false", crit = '["b64"]' } })
row("crit of something unknown", "crit", { header = { crit = '["x"]', x = "1" } }, { header = { x = "1" } })
row("crit is null", "crit", { header = { crit = "null" } })
row("crit, escaped", "crit", { header = { ["cr\\u0069t"] = '["x"]' } })
for _, name in ipairs { "jwk", "jku", "x5u", "x5c", "jw\\u006b" } do
  row("the header brings " .. name, "embedded_key", { header = { [name] = '"https://evil.test/keys"' } })
end
row("signed by the key it brings", "embedded_key", { key = "rsa2", header = { jwk = '{"kty":"RSA","n":"AQAB","e":"AQAB"}' } })
row("an x5t is a hint, and no key", "iss", { header = { x5t = '"AAAA"' }, claims = { iss = '"https://other.test"' } }, { header = { x5t = '"AAAA"' } })

-- ---- keys and signatures ----

row("the kid of no key", { "unknown_key", "kid" }, { header = { kid = '"nobody"' } })
row("an empty kid", { "unknown_key", "kid" }, { header = { kid = '""' } })
for _, kid in ipairs { "RSA", "rsa ", "../../dev/null", "rsa' OR '1'='1", "rsa|id", "/etc/passwd", "rsa%00", "rs", "rsa\\n", "\\u0072sa2x" } do
  row("kid " .. kid, { "unknown_key", "kid" }, { header = { kid = '"' .. kid .. '"' } }, { header = { kid = '"\\u0072sa"' } })
end
row("another's key under this kid", "signature", { key = "rsa2" })
row("another key of the set, by its right kid", "signature", { header = { kid = '"rsa2"' } }, { header = { kid = '"rsa2"' }, key = "rsa2" })
row("no kid and several keys", "key", { header = { kid = false }, keys = { "rsa", "rsa2" } }, { header = { kid = false }, keys = { "rsa", "p256" } })
row("no kid and no key for it", "key", { header = { kid = false }, keys = { "p256" } }, { header = { kid = false }, keys = { "p256", "rsa" } })
row("two keys of one kid", "key", { keys = { "rsa", { "rsa2", { kid = '"rsa"' } } } }, { keys = { "rsa", { "p256", { kid = '"rsa"' } } } })
row("one key twice", "key", { keys = { "rsa", "rsa" } }, { keys = { "rsa" } })
row("ES256 with the RSA key's kid", "key", { header = { alg = '"ES256"' }, key = "p256", how = "ES256" },
  { header = { alg = '"ES256"', kid = '"p256"' }, key = "p256", how = "ES256" })
row("RS256 with the EC key's kid", "key", { header = { kid = '"p256"' } })
row("ES256 with a P-384 key", "key", { header = { alg = '"ES256"', kid = '"p384"' }, key = "p384", how = "ES256" },
  { header = { alg = '"ES384"', kid = '"p384"' }, key = "p384", how = "ES384", policy = { algorithms = { "ES384" } } })
row("ES384 with a P-256 key", "key", { header = { alg = '"ES384"', kid = '"p256"' }, key = "p256", how = "ES384", policy = { algorithms = { "ES384", "ES256" } } },
  { header = { alg = '"ES256"', kid = '"p256"' }, key = "p256", how = "ES256", policy = { algorithms = { "ES384", "ES256" } } })
row("ES256 with secp256k1", "key", { header = { alg = '"ES256"', kid = '"k256"' }, key = "k256", how = "ES256" },
  { header = { alg = '"ES256"', kid = '"p256"' }, key = "p256", how = "ES256" })
row("EdDSA with Ed448", "key", { header = { alg = '"EdDSA"', kid = '"ed448"' }, key = "ed448", how = "EdDSA", policy = { algorithms = { "EdDSA" } } },
  { header = { alg = '"EdDSA"', kid = '"ed"' }, key = "ed", how = "EdDSA", policy = { algorithms = { "EdDSA" } } })
row("RS256 signed as PS256", "signature", { how = "PS256" })
row("PS256 signed as RS256", "signature", { header = { alg = '"PS256"' }, policy = { algorithms = { "PS256" } } },
  { header = { alg = '"PS256"' }, how = "PS256", policy = { algorithms = { "PS256" } } })
for _, salt in ipairs { "0", "20", "64" } do
  row("PS256 with a salt of " .. salt, "signature", { header = { alg = '"PS256"' }, how = "PS256:" .. salt, policy = { algorithms = { "PS256" } } },
    { header = { alg = '"PS256"' }, how = "PS256", policy = { algorithms = { "PS256" } } })
end
row("RS256 signed as RS384", "signature", { how = "RS384" })
row("RS512 signed as RS256", "signature", { header = { alg = '"RS512"' }, policy = { algorithms = { "RS512" } } },
  { header = { alg = '"RS512"' }, how = "RS512", policy = { algorithms = { "RS512" } } })
for _, spoil in ipairs { "short", "long", "zero", "flip", "zeros", "ones" } do
  row("RS256, signature spoilt: " .. spoil, "signature", { how = "RS256:" .. spoil })
end
for alg, key in pairs { ES256 = "p256", ES384 = "p384", ES512 = "p521" } do
  for _, spoil in ipairs { "der", "r0", "s0", "zero", "ones", "swap", "short", "long", "wide" } do
    local function es(how)
      return { header = { alg = '"' .. alg .. '"', kid = '"' .. key .. '"' }, key = key, how = how, policy = { algorithms = { alg } } }
    end
    row(alg .. ", signature spoilt: " .. spoil, "signature", es(alg .. ":" .. spoil), es(alg))
  end
end
row("EdDSA by another key", "signature", { header = { alg = '"EdDSA"', kid = '"ed"' }, key = "ed448", how = "EdDSA", policy = { algorithms = { "EdDSA" } } },
  { header = { alg = '"EdDSA"', kid = '"ed"' }, key = "ed", how = "EdDSA", policy = { algorithms = { "EdDSA" } } })
row("claims changed after signing", "signature", { after = function(h, _, s) return h .. "." .. b64(claims { sub = '"admin"' }) .. "." .. s end })
row("header changed after signing", "signature", { after = function(_, p, s) return b64(header { x = "1" }) .. "." .. p .. "." .. s end },
  { header = { x = "1" } })
row("parts in another order", "header", { after = function(h, p, s) return p .. "." .. h .. "." .. s end })

-- Keys that must not be used: the token is signed by them all the same.
local function key(name, bad, twin, how)
  local which = how or { key = "rsa" }
  local function with(entry)
    return { header = which.header, key = which.key, how = which.how, policy = which.policy, keys = { "rsa2", entry } }
  end
  row("key: " .. name, "key", with(bad), with(twin or which.key))
end

for _, use in ipairs { '"enc"', '""', '"SIG"', "null", '["sig"]', "1" } do
  key("use " .. use, { "rsa", { use = use } }, { "rsa", { use = '"sig"' } })
end
for _, ops in ipairs { '["sign"]', "[]", '"sign"', '["encrypt","wrapKey"]', "null", "{}", '["verify",1]' } do
  key("key_ops " .. ops, { "rsa", { key_ops = ops } }, { "rsa", { key_ops = '["sign","verify"]' } })
end
for _, alg in ipairs { '"RS384"', '"PS256"', '"ES256"', '"HS256"', '"RSA-OAEP"', '"none"', "null", '["RS256"]', '""' } do
  key("alg " .. alg, { "rsa", { alg = alg } }, { "rsa", { alg = '"RS256"' } })
end
for _, kty in ipairs { '"rsa"', '"EC"', '"oct"', '"OKP"', "null", "1", '""' } do
  key("kty " .. kty, { "rsa", { kty = kty } })
end
key("no kty", { "rsa", { kty = false } })
key("a private one", { "rsa", function(keys) return { d = '"' .. keys.rsa.d .. '"' } end })
key("no modulus", { "rsa", { n = false } })
key("a modulus that is a number", { "rsa", { n = "65537" } })
key("a modulus with padding", { "rsa", function(keys) return { n = '"' .. keys.rsa.jwk.n .. '=="' } end })
key("an empty modulus", { "rsa", { n = '""' } })
key("a zero in front of the modulus", { "rsa", function(keys) return { n = '"' .. keys.rsa.n_zero .. '"' } end })
key("an even modulus", { "rsa", function(keys) return { n = '"' .. keys.rsa.n_even .. '"' } end })
key("a modulus of more than 16384 bits", { "rsa", { n = '"' .. ("_"):rep(2732) .. '"' } })
key("a modulus that is far too long", { "rsa", { n = '"' .. ("_"):rep(8000) .. '"' } })
key("exponent 1", { "rsa", { e = '"AQ"' } })
key("exponent 0", { "rsa", { e = '"AA"' } })
key("an even exponent", { "rsa", { e = '"AQAA"' } })
key("an exponent with a zero in front", { "rsa", { e = '"AAEAAQ"' } })
key("an exponent of 64 bits", { "rsa", { e = '"__________8"' } })
local function small(name, text)
  row("key: " .. text, "key", { header = { kid = '"' .. name .. '"' }, key = name, keys = { "rsa", name } })
end
small("rsa_small", "RSA of 1024 bits")
small("rsa_2040", "RSA of 2040 bits")
small("rsa_e3", "exponent 3")
local ES = { header = { alg = '"ES256"', kid = '"p256"' }, key = "p256", how = "ES256" }
for field, variants in pairs { x = { "zero", "short", "off" }, y = { "zero", "short", "off" } } do
  for _, variant in ipairs(variants) do
    key(("EC, %s %s"):format(field, variant), { "p256", function(keys) return { [field] = '"' .. keys.p256[field .. "_" .. variant] .. '"' } end },
      nil, ES)
  end
  key("EC without " .. field, { "p256", { [field] = false } }, nil, ES)
  key("EC, an empty " .. field, { "p256", { [field] = '""' } }, nil, ES)
end
for _, crv in ipairs { '"P-384"', '"P-521"', '"secp256k1"', '"Ed25519"', '"p-256"', "null", '""' } do
  key("EC on the curve " .. crv, { "p256", { crv = crv } }, nil, ES)
end
key("EC and alg ES384", { "p256", { alg = '"ES384"' } }, { "p256", { alg = '"ES256"' } }, ES)
key("the point at infinity", { "p256", { x = '"' .. ("A"):rep(43) .. '"', y = '"' .. ("A"):rep(43) .. '"' } }, nil, ES)
local ED = { header = { alg = '"EdDSA"', kid = '"ed"' }, key = "ed", how = "EdDSA", policy = { algorithms = { "EdDSA", "RS256" } } }
key("Ed25519, too short", { "ed", function(keys) return { x = '"' .. keys.ed.x_short .. '"' } end }, nil, ED)
key("Ed25519, too long", { "ed", function(keys) return { x = '"' .. keys.ed.x_zero .. '"' } end }, nil, ED)
key("Ed25519 said to be X25519", { "ed", { crv = '"X25519"' } }, nil, ED)
key("Ed25519 as EC", { "ed", { kty = '"EC"' } }, nil, ED)
key("a kid that is a number, and none in the token", { "rsa", { kid = "1" } }, { "rsa", { kid = '"rsa"' } },
  { key = "rsa", header = { kid = false } })
rows[#rows].bad.keys = { { "rsa", { kid = "1" } }, "p256" }
rows[#rows].twin.keys = { "rsa", "p256" }

-- ---- claims ----

for _, case in ipairs {
  { "are no JSON", "x" }, { "are empty", "" }, { "are an array", "[" .. claims() .. "]" }, { "are a string", '"x"' }, { "are null", "null" },
  { "end early", claims():sub(1, -2) }, { "have something behind", claims() .. "{}" }, { "have a zero behind", claims() .. "\0" },
  { "have sub twice", claims { '"sub":"admin"' } }, { "have sub twice, once escaped", claims { '"s\\u0075b":"admin"' } },
  { "have exp twice", claims { '"exp":9999999999' } }, { "have aud twice", claims { '"aud":"x"' } },
  { "have roles twice", claims { '"' .. USER .. 'roles":["admin"]' } }, { "have a key twice within", claims { x = '{"a":1,"a":2}' } },
  { "are not UTF-8", claims { sub = '"\255"' } }, { "have \\u0000 in sub", claims { sub = '"user-1\\u0000admin"' } },
  { "have a raw zero in sub", claims { sub = '"user-1\0"' } }, { "are nested too deep", claims { x = ("["):rep(129) .. ("]"):rep(129) } },
  { "have a number too large", claims { exp = "1e999" } }, { "have a number of 5000 digits", claims { exp = ("9"):rep(5000) } },
  { "have a number in hex", claims { exp = "0x7fffffff" } }, { "have NaN", claims { exp = "NaN" } }, { "have Infinity", claims { exp = "Infinity" } },
  { "have a byte order mark", "\239\187\191" .. claims() }, { "have a lone surrogate", claims { sub = '"\\udc00"' } },
  { "have a raw line feed", claims { sub = '"user\n"' } },
} do
  row("claims " .. case[1], "json", { claims = case[2] },
    { claims = claims { x = '{"a":1,"b":[{"c":"\\u00e4\195\164"}]}', sub = '"\\u0075ser-1"' } })
end

local function claim(reason, name, bad, good)
  row(("claim %s: %s"):format(name, tostring(bad)), reason, { claims = { [name] = bad } }, good ~= nil and { claims = { [name] = good } } or {})
end

for _, iss in ipairs { '"https://other.test"', '"https://auth.test/"', '"http://auth.test"', '"https://auth.test "', '"https://AUTH.test"', '"auth.test"',
  '"https://auth.test.evil.test"', '"https://auth.test@evil.test"', '""', '["https://auth.test"]', "null", "1", "{}", '"https://auth.test\\n"', false } do
  claim("iss", "iss", iss)
end
for _, aud in ipairs { '"https://other.test"', '["https://other.test"]', "[]", '""', "null", "1", "{}", '{"https://auth.test":1}', '["https://auth.test",1]',
  '[["https://auth.test"]]', '"https://auth.test/"', '"https://auth.test https://other.test"', '"https://fixtureresource/1"', "true",
  '"native"', '["https://auth.test\\u0001"]', false } do
  claim("aud", "aud", aud, '["https://other.test","https://auth.test"]')
end
claim("aud", "aud", '"https://AUTH.test"', '"https://auth.test"')
for _, exp in ipairs { '"1795460800"', "null", "true", "[]", "-1", "-1e300", "1e300", "1795460800000", "253402300800", '""', false } do
  claim("exp", "exp", exp)
end
for _, exp in ipairs { "1795460500", "1795460499", "1795460499.999", "1.7954605e9", "0", "-0", "1795460500.0", "1e-5", "17954605000e-1" } do
  claim("expired", "exp", exp, "1795460500.001")
end
row("expired a second longer ago than clocks may differ", "expired", { now = 1795460811, policy = { skew = 10 } }, { now = 1795460809, policy = { skew = 10 } })
row("expired as of now", "expired", { now = 1795460800 }, { now = 1795460799.9 })
for _, nbf in ipairs { "1795460501", "1795460500.001", "9999999999" } do
  claim("nbf", "nbf", nbf, "1795460500")
end
for _, nbf in ipairs { '"1795460400"', "null", "-1", "1e300", "{}" } do
  claim("nbf", "nbf", nbf, "1795460499.5")
end
for _, iat in ipairs { "1795460501", "1795460500.5", "9999999999", '"1795460400"', "null", "-1", "1e300", "[]" } do
  claim("iat", "iat", iat, "1795460500")
end
row("bound to a key", "bound", { claims = { cnf = '{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}' } },
  { claims = { conf = '{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}' } })
row("bound to nothing that is known", "bound", { claims = { ["\\u0063nf"] = "null" } }, { claims = { ["\\u0063nF"] = "null" } })
row("issued a second further on than clocks may differ", "iat", { claims = { iat = "1795460531" }, policy = { skew = 30 } },
  { claims = { iat = "1795460530" }, policy = { skew = 30 } })
for _, sub in ipairs { '""', "null", "1", "[]", '["user-1"]', "true", '"' .. ("x"):rep(256) .. '"', '"user\\n1"', '"user\\r\\nX-Admin: 1"', '"user\\u007f"',
  '"\\u0001"', false } do
  claim("sub", "sub", sub, '"' .. ("x"):rep(255) .. '"')
end
for name, list in pairs {
  client_id = { "1", "null", '["native"]', '"a\\u000ab"' }, scope = { '["openid"]', "1", "null", '"openid\\u000d"' }, jti = { "1", "{}" },
  amr = { '"pwd"', "[1]", "null", "{}", '["a\\u0000b"]' }, auth_time = { '"1"', "-1", "1e300", "null" },
  [USER .. "is_anonymous"] = { '"false"', "0", "null", "[]" }, [USER .. "is_verified"] = { '"true"', "1", "null", "{}" },
  [USER .. "can_reauthenticate"] = { '"true"', "1" },
  [USER .. "roles"] = { '"admin"', "null", "[1]", '[["admin"]]', "{}", '["a\\u000ab"]' },
} do
  for _, value in ipairs(list) do
    row(("claim %s: %s"):format(name, value), value:find "\\u0000" and "json" or "claims", { claims = { [name] = value } }, { claims = { [name] = false } })
  end
end

-- ---- what a policy demands ----

local function demand(name, reason, policy, bad, good)
  row("demand: " .. name, reason, { policy = policy, claims = bad }, { policy = policy, claims = good })
end

demand("client", "client", { client_ids = { "a", "native" } }, { client_id = '"b"' }, {})
demand("client, none in the token", "client", { client_ids = { "native" } }, { client_id = false }, {})
demand("audience of the caller's", "aud", { audience = "https://api.test" }, {}, { aud = '"https://api.test"' })
demand("one of several audiences", "aud", { audience = { "a", "b" } }, { aud = '["c"]' }, { aud = '["c","b"]' })
local SCOPE, ROLE = { "insufficient_scope", "scope" }, { "insufficient_scope", "role" }
for _, scope in ipairs { '"openid"', '""', '"openid mail2"', '"openid xmail"', '"openid,mail"', '"openid Mail"', '"openid\\u00a0mail"', false } do
  demand("scope, " .. tostring(scope), SCOPE, { scopes = { "openid", "mail" } }, { scope = scope }, { scope = '"mail openid"' })
end
for _, roles in ipairs { '["reader"]', "[]", '["reader","admins"]', '["reader","Admin"]', '["reader,admin"]', '["admin"]', false } do
  demand("roles, " .. tostring(roles), ROLE, { roles = { "reader", "admin" } }, { [USER .. "roles"] = roles }, { [USER .. "roles"] = '["admin","reader"]' })
end
demand("any role", ROLE, { any_role = { "a", "b" } }, { [USER .. "roles"] = '["c"]' }, { [USER .. "roles"] = '["c","b"]' })
for _, value in ipairs { "false", false } do
  demand("verified, " .. (value or "absent"), { "insufficient_scope", "unverified" }, { only_verified = true }, { [USER .. "is_verified"] = value }, {})
end
for _, value in ipairs { "true", false } do
  demand("not anonymous, " .. tostring(value), { "insufficient_scope", "anonymous" }, { refuse_anonymous = true }, { [USER .. "is_anonymous"] = value }, {})
end
for _, value in ipairs { "1795460399", "0", false } do
  demand("recent log-in, " .. tostring(value), { "insufficient_user_authentication", "auth_time" }, { max_auth_age = 100 }, { auth_time = value },
    { auth_time = "1795460400" })
end

return rows
