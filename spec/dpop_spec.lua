-- Proofs of possession (RFC 9449): against Authgear's policy (what the server gives is bound, access tokens are not) and against
-- a provider with the whole of it (nonces required, tokens bound, each proof good once). What is refused has a twin that differs
-- in the one thing and goes through; the server's log says that no proof was used twice.

local dpop = require "spec.support.dpop"
local http = require "spec.support.http"
local sdk = require "spec.support.sdk"

local record, field, change_record, open = dpop.record, dpop.field, dpop.change_record, dpop.open
local arrived, answers, proofs, fails = dpop.arrived, dpop.answers, dpop.proofs, dpop.fails

describe("DPoP", function()
  local dev, storage, client

  before_each(function()
    dev, storage = dpop.reset()
  end)

  local function log_in()
    return dpop.log_in(client)
  end

  describe("at Authgear", function()
    before_each(function()
      client = open(false)
    end)

    it("binds the code and the refresh token to one key, and leaves the access token a bearer token", function()
      local callback, request = sdk.callback(dev, client)
      local jkt = http.query(request.url).dpop_jkt
      assert.equal(43, #jkt)
      assert(client:finish_authentication(callback))
      local proof = proofs()[1]
      assert.equal(jkt, proof.jkt)
      assert.same({ "POST", dev.endpoint .. "/oauth2/token" }, { proof.htm, proof.htu })
      assert.is_nil(proof.ath)
      assert.equal(jkt, field "dpop_jkt")
      assert.is_nil(field "token_type")
      local seen = sdk.echo(dev, client)
      assert.equal("Bearer " .. client:access_token(), seen.headers.authorization)
      assert.is_nil(seen.headers.dpop)
      assert.equal(1, #proofs())
    end)

    it("proves each refresh, with the same key", function()
      log_in()
      local jkt, before = field "dpop_jkt", client:access_token()
      sdk.grow_old(storage)
      assert(client:refresh_access_token_if_needed())
      assert.not_equal(before, client:access_token())
      local all = proofs()
      assert.same({ jkt, jkt }, { all[1].jkt, all[2].jkt })
      assert.equal(jkt, field "dpop_jkt")
    end)

    it("proves nothing without the option, and is refused where the server wants a proof", function()
      client = open(false, { dpop = false })
      log_in()
      assert.equal(0, #proofs())
      assert.is_nil(field "dpop_key")
      local bound = dev:session { dpop = "another program's" }
      change_record('"refresh_token":"[^"]+"', '"refresh_token":"' .. bound.refresh_token .. '"')
      local err = fails("oauth", client:refresh_access_token())
      assert.same({ "invalid_dpop_proof", 400 }, { err.oauth_error, err.status })
      assert.equal("AUTHENTICATED", client:session_state())
      assert.equal(bound.refresh_token, field "refresh_token")
    end)

    it("goes on proving a bound session when the option is gone, and binds the next one no more", function()
      log_in()
      client = open(false, { dpop = false })
      assert(client:refresh_access_token())
      assert.equal(2, #proofs())
      log_in()
      assert.equal(2, #proofs())
      assert.is_nil(field "dpop_jkt")
    end)

    it("binds a session that has begun without", function()
      client = open(false, { dpop = false })
      log_in()
      client = open(false)
      assert(client:refresh_access_token())
      assert.equal(proofs()[1].jkt, field "dpop_jkt")
      assert.is_true(#field "dpop_key" > 0)
    end)

    it("keeps the key when the session ends, however it ends", function()
      log_in()
      local key = field "dpop_key"
      assert(client:logout())
      assert.equal(proofs()[1].jkt, arrived("revoke")[1].proof.jkt)
      assert.same({ key, nil }, { field "dpop_key", field "dpop_jkt" })
      log_in()
      assert(client:clear_session_state())
      assert.equal(key, field "dpop_key")
      log_in()
      dev:revoke {}
      assert(client:refresh_access_token())
      assert.equal("NO_SESSION", client:session_state())
      assert.equal(key, field "dpop_key")
      log_in()
      local jkt = field "dpop_jkt"
      for _, proof in ipairs(proofs()) do
        assert.equal(jkt, proof.jkt)
      end
    end)

    it("never sends anything for a session whose key is lost, keeps it, and gets over it by a new log-in", function()
      log_in()
      local token = field "refresh_token"
      change_record('"dpop_key":"[^"]+",', "")
      client = open(false)
      sdk.grow_old(storage)
      dev:reset()
      for _ = 1, 3 do
        local err = fails("dpop_key", client:refresh_access_token_if_needed())
        assert.is_false(err.retryable)
        fails("dpop_key", client:fetch(dev.app .. "/api/hello"))
        fails("dpop_key", client:fetch_user_info())
      end
      assert.same({ 0, 0 }, { #arrived "token", #arrived "app" })
      assert.equal("AUTHENTICATED", client:session_state())
      assert.equal(token, field "refresh_token")
      log_in()
      sdk.grow_old(storage)
      assert(client:refresh_access_token_if_needed())
    end)

    it("does the same for a session with another key, and for one that is no key; with its own all is well", function()
      log_in()
      local own = record()
      for _, key in ipairs { "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI", "nonsense" } do
        storage.open("default"):set((own:gsub('"dpop_key":"[^"]+"', '"dpop_key":"' .. key .. '"')))
        client = open(false)
        dev:reset()
        fails("dpop_key", client:refresh_access_token())
        fails("dpop_key", client:refresh_access_token())
        assert.equal(0, #arrived "token")
        assert.equal("AUTHENTICATED", client:session_state())
        assert.equal(key, field "dpop_key")
      end
      storage.open("default"):set(own)
      client = open(false)
      assert(client:refresh_access_token())
    end)

    it("logs out without the key", function()
      log_in()
      change_record('"dpop_key":"[^"]+",', "")
      client = open(false)
      assert(client:logout())
      assert.is_nil(arrived("revoke")[1].proof)
      assert.equal("NO_SESSION", client:session_state())
      assert.same({}, dev:control "/sessions")
    end)

    it("does not finish a log-in with another key than it was started with", function()
      local callback = sdk.callback(dev, client)
      change_record('"dpop_key":"[^"]+"', '"dpop_key":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"')
      local other = open(false)
      assert(other:refresh_access_token_if_needed())
      sdk.callback(dev, client) -- reads what is stored
      fails("dpop_key", client:finish_authentication(callback))
      assert.equal(0, #arrived "token")
      log_in()
    end)

    for _, off in ipairs { 3600, -3600 } do
      it(("signs with the server's time when the clocks are %d s apart"):format(off), function()
        dev:settings { clock_offset = off }
        log_in()
        sdk.grow_old(storage)
        assert(client:refresh_access_token_if_needed())
        assert.equal("200 200", answers "token")
      end)

      it(("corrects itself once when the server's clock jumps by %d s"):format(off), function()
        log_in()
        dev:settings { clock_offset = off }
        assert(client:refresh_access_token())
        assert.equal("200 400 200", answers "token")
        assert.equal(3, #proofs())
        assert(client:refresh_access_token())
        assert.equal("200 400 200 200", answers "token")
      end)
    end

    it("takes a proof that is refused for no reason it can mend as an error, and keeps the session", function()
      log_in()
      dev:fault { target = "token", kind = "answer", status = 400, times = 100, body = '{"error":"invalid_dpop_proof"}' }
      local err = fails("oauth", client:refresh_access_token())
      assert.equal("invalid_dpop_proof", err.oauth_error)
      assert.equal("AUTHENTICATED", client:session_state())
      assert.equal(2, #arrived "token")
      dev:reset()
      assert(client:refresh_access_token())
    end)

    it("makes a new proof for each try", function()
      log_in()
      dev:fault { target = "token", kind = "status", status = 503, times = 2 }
      assert(client:refresh_access_token())
      assert.equal("200 503 503 200", answers "token")
      assert.equal(4, #proofs())
    end)

  end)

  describe("at a provider with the whole of it", function()
    before_each(function()
      client = open(true)
    end)

    local function hello(init)
      return client:fetch(dev.strict.app .. "/hello?name=x", init)
    end

    it("logs in, with the nonce that the server asks for, and shows its key to user info", function()
      local info = log_in()
      assert.equal("somebody", info.sub)
      assert.equal("400 200", answers "token")
      local all = proofs()
      assert.is_nil(all[1].nonce)
      assert.is_string(all[2].nonce)
      assert.same({ "GET", dev.strict.endpoint .. "/me" }, { all[3].htm, all[3].htu })
      assert.is_string(all[3].ath)
      assert.equal("DPoP", field "token_type")
      assert.equal(field "dpop_jkt", all[1].jkt)
    end)

    it("remembers each server's nonce", function()
      log_in()
      for _ = 1, 3 do
        assert.equal(200, assert(hello()).status)
      end
      assert.equal("401 200 200 200", answers "app")
      for _ = 1, 3 do
        assert(client:refresh_access_token())
      end
      assert.equal("400 200 200 200 200", answers "token")
      proofs()
    end)

    it("takes the next nonce from an answer that is a success", function()
      log_in()
      hello()
      for _ = 1, 4 do -- each nonce is good until the next but one
        assert.equal(200, assert(client:fetch(dev.strict.app .. "/hello?rotate")).status)
      end
      assert.equal("401 200 200 200 200 200", answers "app")
    end)

    it("sends what has a body again, but not a body that can be read only once", function()
      log_in()
      local response = assert(hello { method = "POST", body = "abc" })
      assert.same({ 200, "abc" }, { response.status, response:json().body })
      dev:reset() -- other nonces
      local function once()
        local piece = "piece"
        return function()
          local now = piece
          piece = nil
          return now
        end
      end
      response = assert(hello { method = "POST", body = once() })
      assert.equal(401, response.status)
      response = assert(hello { method = "POST", body = once() })
      assert.same({ 200, "piece" }, { response.status, response:json().body })
      assert.equal("401 200", answers "app")
    end)

    it("streams the answer that comes in the end, and not the one that asks for a nonce", function()
      log_in()
      local pieces = {}
      local response = assert(hello { sink = function(piece)
        pieces[#pieces + 1] = piece
        return true
      end })
      assert.equal(200, response.status)
      assert.truthy(table.concat(pieces):find('"sub":"somebody"', 1, true))
      assert.falsy(table.concat(pieces):find("use_dpop_nonce", 1, true))
    end)

    it("follows a redirect on the same server with a proof for the new target, and leaves all behind on another", function()
      log_in()
      assert.equal(200, assert(client:fetch(dev.strict.app .. "/a?to=/b")).status)
      local all = proofs()
      assert.equal(dev.strict.app .. "/b", all[#all].htu)
      assert.equal(200, assert(client:fetch(dev.strict.app .. "/a?to=" .. dev.app .. "/public/echo")).status)
      local last = arrived "app"
      assert.same({ "/public/echo", nil }, { last[#last].path, last[#last].proof })
    end)

    it("sends neither token nor proof to origins that are not allowed", function()
      client = open(true, { allowed_origins = { dev.strict.endpoint } })
      log_in()
      assert.equal(401, assert(hello()).status)
      assert.is_nil(arrived("app")[1].proof)
      client = open(true, { allowed_origins = { dev.strict.endpoint, dev.strict.app } })
      assert.equal(200, assert(hello()).status)
    end)

    it("stops after one nonce when the server is never content, and says what it says", function()
      log_in()
      local tokens = #arrived "token"
      dev:fault { target = "token", kind = "answer", status = 400, times = 100, headers = { ["DPoP-Nonce"] = "never" },
        body = '{"error":"use_dpop_nonce"}' }
      local err = fails("oauth", client:refresh_access_token())
      assert.equal("use_dpop_nonce", err.oauth_error)
      assert.equal(tokens + 2, #arrived "token")
      assert.equal("AUTHENTICATED", client:session_state())
      dev:fault { target = "app", kind = "answer", status = 401, times = 100,
        headers = { ["DPoP-Nonce"] = "never", ["WWW-Authenticate"] = 'DPoP error="use_dpop_nonce"' }, body = "{}" }
      for _, policy in ipairs { "retry", "return", "clear" } do
        local before = #arrived "app"
        local response = assert(hello { on_unauthorized = policy })
        assert.equal(401, response.status)
        assert.is_true(#arrived "app" - before <= 2)
      end
      assert.equal(tokens + 2, #arrived "token") -- a nonce is no reason to refresh
      dev:reset()
      assert(client:refresh_access_token())
      assert.equal(200, assert(hello()).status)
      proofs()
    end)

    for _, off in ipairs { 3600, -3600 } do
      it(("signs with the server's time when the clocks are %d s apart and no nonce says otherwise"):format(off), function()
        dev:settings { clock_offset = off, require_nonce = false }
        log_in()
        assert.equal("200", answers "token")
        assert.equal(200, assert(hello()).status)
        assert.equal("200", answers "app")
      end)
    end

    it("treats a token that is refused as it treats any other", function()
      log_in()
      hello()
      dev:reset()
      dev:fault { target = "app", kind = "answer", status = 401, headers = { ["WWW-Authenticate"] = 'DPoP error="invalid_token"' } }
      assert.equal(200, assert(hello()).status)
      assert.equal("401 401 200", answers "app") -- the second for a new nonce
      assert.equal(1, #arrived "token")
    end)

    it("never lets libcurl send a proof again by itself", function()
      log_in()
      hello()
      dev:fault { target = "app", kind = "close_kept" }
      assert.equal(200, assert(hello()).status)
      dev:fault { target = "app", kind = "close_kept" }
      fails("network", hello { method = "POST", body = "x" })
      assert.equal(200, assert(hello { method = "POST", body = "x" }).status)
      dev:fault { target = "userinfo", kind = "close_kept" }
      assert(client:fetch_user_info())
      proofs()
    end)

    it("keeps the session when its key is lost, and sends nothing for it", function()
      log_in()
      local token = field "refresh_token"
      change_record('"dpop_key":"[^"]+",', "")
      client = open(true)
      dev:reset()
      fails("dpop_key", hello())
      fails("dpop_key", client:fetch_user_info())
      fails("dpop_key", client:refresh_access_token())
      assert.same({ 0, 0, 0 }, { #arrived "app", #arrived "token", #arrived "userinfo" })
      assert.equal(token, field "refresh_token")
      assert(client:logout())
      log_in()
      assert.equal(200, assert(hello()).status)
    end)

    it("takes a token of another type only with a proof of its own", function()
      client = open(false, { dpop = false })
      dev:fault { target = "token", kind = "patch", patch = { token_type = "DPoP" } }
      local callback = sdk.callback(dev, client)
      fails("invalid_response", client:finish_authentication(callback))
      client = open(false)
      dev:fault { target = "token", kind = "patch", patch = { token_type = "MAC" } }
      callback = sdk.callback(dev, client)
      fails("invalid_response", client:finish_authentication(callback))
      dev:fault { target = "token", kind = "patch", patch = { token_type = "dpop" } }
      callback = sdk.callback(dev, client)
      dev:fault { target = "userinfo", kind = "answer", body = '{"sub":"x"}' }
      local _, err = client:finish_authentication(callback)
      assert.equal("user_mismatch", err.code)
      assert.is_string(arrived("userinfo")[1].proof.ath)
    end)
  end)
end)
