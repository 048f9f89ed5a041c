-- Holds the development server to what was recorded from a real Authgear server: all 51 exchanges are replayed, and
-- each is answered as recorded.

local contract = require "spec.support.contract"
local json = require "dkjson"
local mime = require "mime"
local server = require "spec.support.server"

local function read_exchanges()
  local file = assert(io.open("spec/fixtures/authgear.json", "rb"))
  local text = file:read "*a"
  file:close()
  return assert(json.decode(text)).exchanges
end

local exchanges = read_exchanges()

local function learn_proof(dev, replay, exchange, age)
  replay:learn(exchange.request.headers.DPoP,
    dev:proof { key = "contract", htm = "POST", htu = dev.endpoint .. "/oauth2/token", age = age })
end

local function decode_payload(jwt)
  local text = jwt:match("%.([^.]+)%."):gsub("-", "+"):gsub("_", "/")
  return json.decode((mime.unb64(text .. ("="):rep(-#text % 4))))
end

-- A device signs the live challenge.
local function sign(dev, replay, exchange)
  local recorded = exchange.request.form.jwt
  local challenge = replay:live(decode_payload(recorded).challenge)
  replay:learn(recorded, dev:control("/device_jwt", { challenge = challenge }).jwt)
end

-- What has to be there before an exchange can be replayed: sessions that were made before the recording began.
local prepare = {
  ["token-code-ok"] = function(dev, replay)
    local login = dev:session { client = "native", user = "contract", code_only = true }
    replay:learn("<code>", login.code)
    replay:learn("<verifier>", login.code_verifier)
    replay:learn("<redirect uri>", login.redirect_uri)
  end,
  ["rotating-refresh-1"] = function(dev, replay, exchange)
    local session = dev:session { client = "rotating", user = "contract" }
    replay:learn(exchange.request.form.refresh_token, session.refresh_token)
  end,
  ["resolve-opaque-ok"] = function(dev, replay, exchange)
    local session = dev:session { client = "opaque", user = "contract" }
    replay:learn(exchange.request.headers.Authorization:match "^Bearer (.*)$", session.access_token)
  end,
  ["pre-authenticated-url-exchange"] = function(dev, replay, exchange)
    local session = dev:session { client = "native", user = "contract", scope = "openid offline_access "
      .. "https://authgear.com/scopes/full-access device_sso https://authgear.com/scopes/pre-authenticated-url" }
    replay:learn(exchange.request.form.subject_token, session.id_token)
    replay:learn(exchange.request.form.actor_token, session.device_secret)
  end,
  ["dpop-refresh-no-proof"] = function(dev, replay, exchange)
    local session = dev:session { client = "native", user = "contract", dpop = "contract" }
    replay:learn(exchange.request.form.refresh_token, session.refresh_token)
  end,
  ["dpop-refresh-ok"] = function(dev, replay, exchange)
    learn_proof(dev, replay, exchange)
  end,
  ["dpop-refresh-stale-iat"] = function(dev, replay, exchange)
    learn_proof(dev, replay, exchange, 3600)
  end,
  ["anonymous-key-ok"] = sign,
  ["anonymous-key-stale-challenge"] = sign,
  ["userinfo-expired"] = function(dev)
    dev:expire { client = "rotating" }
  end,
}

--- Replays everything in order; returns the differences by name of the exchange.
local function replay_all(dev)
  -- The lifetimes that the recorded clients had; a token's `exp` was rounded down.
  dev:settings { ttl = { native = 300, rotating = 2 }, exp_rounding = "down" }
  local replay = contract.replay(dev)
  local differences, live = {}, {}
  for _, exchange in ipairs(exchanges) do
    if prepare[exchange.name] then
      prepare[exchange.name](dev, replay, exchange)
    end
    live[exchange.name] = replay:send(exchange)
    differences[exchange.name] = contract.compare(exchange.response, live[exchange.name], dev.endpoint)
  end
  return differences, live
end

describe("the development server", function()
  local dev, differences

  setup(function()
    dev = server.shared()
    differences = replay_all(dev)
  end)

  teardown(function()
    dev:reset()
  end)

  it("is held to all 51 exchanges", function()
    assert.equal(51, #exchanges)
  end)

  for _, exchange in ipairs(exchanges) do
    local name = exchange.name
    it("serves " .. name, function()
      assert.same({}, differences[name])
    end)
  end

  it("is caught when it answers differently", function()
    dev:fault { target = "userinfo", kind = "patch", patch = { sub = 7 }, times = 1 }
    local changed = replay_all(dev)
    assert.same({ "body.sub: number instead of string" }, changed["userinfo-ok"])
  end)
end)

describe("the comparison with a recorded answer", function()
  local recorded = {}
  for _, exchange in ipairs(exchanges) do
    recorded[exchange.name] = exchange.response
  end

  local function copy_of(name)
    local headers = {}
    for key, value in pairs(recorded[name].headers or {}) do
      headers[key:lower()] = value
    end
    return { status = recorded[name].status, headers = headers, body = recorded[name].body }
  end

  local function differences_of(name, live)
    return contract.compare(recorded[name], live, "http://localhost:4000")
  end

  local function replace(text, from, to)
    local at, stop = text:find(from, 1, true)
    assert(at, from .. " is not there")
    return text:sub(1, at - 1) .. to .. text:sub(stop + 1)
  end

  it("finds nothing where nothing differs", function()
    for _, exchange in ipairs(exchanges) do
      assert.same({}, differences_of(exchange.name, copy_of(exchange.name)), exchange.name)
    end
  end)

  -- Each a way to answer wrongly: { exchange, what, change }.
  local planted = {
    { "refresh-unknown-token", "another status", function(live)
      live.status = 401
    end },
    { "refresh-unknown-token", "another error", function(live)
      live.body = replace(live.body, "invalid_grant", "invalid_token")
    end },
    { "refresh-unknown-token", "another error description", function(live)
      live.body = replace(live.body, "invalid refresh token", "grant request is invalid")
    end },
    { "refresh-unknown-token", "another content type", function(live)
      live.headers["content-type"] = "application/json; charset=utf-8"
    end },
    { "refresh-unknown-token", "an answer that may be stored", function(live)
      live.headers["cache-control"] = nil
    end },
    { "revoke", "a content type where there was none", function(live)
      live.headers["content-type"] = "text/plain"
    end },
    { "revoke", "a body where there was none", function(live)
      live.body = "ok"
    end },
    { "userinfo-bad-token", "another challenge", function(live)
      live.headers["www-authenticate"] = "Bearer"
    end },
    { "userinfo-ok", "a member that is missing", function(live)
      live.body = replace(live.body, '"custom_attributes":{},', "")
    end },
    { "userinfo-ok", "an empty list where there was an object", function(live)
      live.body = replace(live.body, '"custom_attributes":{}', '"custom_attributes":[]')
    end },
    { "userinfo-ok", "a member too many, deep inside", function(live)
      live.body = replace(live.body, '"kind":"primary"', '"kind":"primary","x":1')
    end },
    { "userinfo-ok", "another truth", function(live)
      live.body = replace(live.body, '"https://authgear.com/claims/user/is_verified":false',
        '"https://authgear.com/claims/user/is_verified":true')
    end },
    { "refresh-ok", "a number as a string", function(live)
      live.body = replace(live.body, '"expires_in":300', '"expires_in":"300"')
    end },
    { "refresh-ok", "an opaque token where there was a JWT", function(live)
      live.body = live.body:gsub('"access_token":"[^"]*"', '"access_token":"' .. ("x"):rep(32) .. '"')
    end },
    { "refresh-ok", "another JWT, without typ at+jwt", function(live)
      local other = json.decode(live.body).id_token
      live.body = live.body:gsub('"access_token":"[^"]*"', '"access_token":"' .. other .. '"')
    end },
    { "rotating-refresh-1", "a refresh token of another form", function(live)
      live.body = live.body:gsub('"refresh_token":"[^"]*"', '"refresh_token":"abc"')
    end },
    { "rotating-refresh-1", "no refresh token", function(live)
      live.body = live.body:gsub('"refresh_token":"[^"]*",', "")
    end },
    { "resolve-ok", "a header that is missing", function(live)
      live.headers["x-authgear-user-id"] = nil
    end },
    { "resolve-ok", "another verdict", function(live)
      live.headers["x-authgear-session-valid"] = "false"
    end },
    { "resolve-bad-token", "a header where there was none", function(live)
      live.headers["x-authgear-session-valid"] = "false"
    end },
    { "authorize-prompt-none", "a parameter too many in a redirect", function(live)
      live.headers.location = live.headers.location .. "&iss=x"
    end },
    { "authorize-prompt-none", "a redirect to somewhere else", function(live)
      live.headers.location = replace(live.headers.location, "127.0.0.1", "localhost")
    end },
    { "authorize-ok", "no page", function(live)
      live.body = ""
    end },
    { "openid-configuration", "endpoints of another server", function(live)
      live.body = replace(live.body, "http://localhost:4000/oauth2/token", "http://localhost:4001/oauth2/token")
    end },
    { "openid-configuration", "an array with another order", function(live)
      live.body = replace(live.body, '["ES256","RS256"]', '["RS256","ES256"]')
    end },
  }

  for _, case in ipairs(planted) do
    it("finds " .. case[2] .. " (" .. case[1] .. ")", function()
      local live = copy_of(case[1])
      case[3](live)
      assert.is_true(#differences_of(case[1], live) > 0)
    end)
  end
end)
