-- runs-on: 5.4 jit 5.1
-- What authgear.verify costs beside OpenSSL's own check of the same signature (bench/verify_openssl.c): the same token, with
-- the claims that Authgear sends, RS256 and ES256; and once more with the policy's cache. CPU time, interleaved turns, medians.
local authgear = require "authgear"
local support = require "bench.support"
local tokens = require "spec.support.tokens"

local TURNS, CALLS = 41, 400
local LIMIT, LIMIT_CACHED = 1.15, 0.1
local USER = tokens.USER
local CLAIMS = {
  scope = '"openid offline_access https://authgear.com/scopes/full-access"', sub = '"0725aeb8-7425-4ece-b240-107e9c55eccc"',
  jti = '"087587b77112acaa83d201d6f2f1f1875592bc972d3c5d57c3335ef8e8570baa"', amr = '["pwd","x_primary_password"]',
  [USER .. "roles"] = "[]", iss = '"https://myapp.authgear.cloud"', aud = '["https://myapp.authgear.cloud"]',
}

local function write(name, bytes)
  local path = support.dir .. "/" .. name
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
  return path
end

-- us per call
local function measure(token, policy)
  local verify, started = authgear.verify, os.clock()
  for _ = 1, CALLS do
    verify(token, policy)
  end
  return (os.clock() - started) * 1e6 / CALLS
end

local function openssl(process, how)
  process:tell(how .. " " .. CALLS)
  local ns = process:line()
  return tonumber(ns) / 1000
end

local function bench_alg(alg, key, batch, made)
  local token = made.token
  local h, p, s = token:match("^([^.]+)%.([^.]+)%.([^.]+)$")
  local raw = write(alg .. ".b64", s:gsub("-", "+"):gsub("_", "/") .. ("="):rep(-#s % 4))
  local sig = support.dir .. "/" .. alg .. ".sig"
  support.capture("base64 -d < " .. raw .. " > " .. sig)
  if alg == "ES256" then -- as OpenSSL wants it
    sig = write("es.der", batch.der)
  end
  local process = support.start(support.compile("verify_openssl", "-lcrypto") .. " " .. write(key .. ".pem", batch.keys[key].pem) .. " "
    .. write(alg .. ".txt", h .. "." .. p) .. " " .. sig)
  local options = { issuer = "https://myapp.authgear.cloud", jwks = batch:jwks { key }, now = tokens.NOW, cache = 0 }
  local plain = assert(authgear.policy(options))
  options.cache = 100
  local cached = assert(authgear.policy(options))
  assert(authgear.verify(token, plain))
  assert(authgear.verify(token, cached))
  local us = { digest = {}, kept = {}, plain = {}, cached = {} }
  local ratios = { digest = {}, kept = {}, cached = {}, cached_kept = {} }
  for turn = 1, TURNS do
    local digest, kept = openssl(process, "digest"), openssl(process, "kept")
    local ours, hit = measure(token, plain), measure(token, cached)
    us.digest[turn], us.kept[turn], us.plain[turn], us.cached[turn] = digest, kept, ours, hit
    ratios.digest[turn], ratios.kept[turn] = ours / digest, ours / kept
    ratios.cached[turn], ratios.cached_kept[turn] = hit / digest, hit / kept
  end
  process:stop()
  local median = support.median
  print(("%s, a token of %d bytes"):format(alg, #token))
  support.table {
    { "", "us", "to EVP_DigestVerify", "to a kept context" },
    { "EVP_DigestVerify", ("%.1f"):format(median(us.digest)), "1", "" },
    { "EVP_PKEY_verify, context and digest kept", ("%.1f"):format(median(us.kept)), "", "1" },
    { "authgear.verify", ("%.1f"):format(median(us.plain)), ("%.2f"):format(median(ratios.digest)), ("%.2f"):format(median(ratios.kept)) },
    { "authgear.verify, cached", ("%.2f"):format(median(us.cached)), ("%.3f"):format(median(ratios.cached)),
      ("%.3f"):format(median(ratios.cached_kept)) },
  }
  support.bound(alg .. " to EVP_DigestVerify", median(ratios.digest), "%.2f", LIMIT)
  support.bound(alg .. " to a kept context", median(ratios.kept), "%.2f", LIMIT)
  support.bound(alg .. " cached, to EVP_DigestVerify", median(ratios.cached), "%.3f", LIMIT_CACHED)
  support.bound(alg .. " cached, to a kept context", median(ratios.cached_kept), "%.3f", LIMIT_CACHED)
end

-- r and s as DER, which only OpenSSL wants.
local function der(made)
  local s = made.token:match("[^.]+$")
  s = s:gsub("-", "+"):gsub("_", "/") .. ("="):rep(-#s % 4)
  local hex = support.capture("printf %s '" .. s .. "' | base64 -d | od -An -v -tx1 | tr -d ' \\n'; echo")
  local function integer(digits)
    digits = digits:gsub("^00*", function(zeros) return ("0"):rep(#zeros % 2) end)
    if tonumber(digits:sub(1, 2), 16) >= 128 then
      digits = "00" .. digits
    end
    return ("02%02x"):format(#digits / 2) .. digits
  end
  local both = integer(hex:sub(1, 64)) .. integer(hex:sub(65))
  return ((("30%02x"):format(#both / 2) .. both):gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end))
end

support.run(function()
  local batch = tokens.batch()
  local rs = batch:add { claims = CLAIMS }
  local es = batch:add { claims = CLAIMS, header = { alg = '"ES256"', kid = '"p256"' }, key = "p256", how = "ES256" }
  batch:sign()
  batch.der = der(es)
  bench_alg("RS256", "rsa", batch, rs)
  bench_alg("ES256", "p256", batch, es)
end)
