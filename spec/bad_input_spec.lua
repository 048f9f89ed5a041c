-- Input that is hostile or nonsense, from the caller, the storage, the clock and the application server: refused with a
-- clear error, nothing sent, nothing stored, nothing left behind. Each has a good twin that differs in the one defect.
-- takes: 6

local authgear = require "authgear"
local core = require "authgear.core"
local fake = require "spec.support.fake_provider"
local server = require "spec.support.server"
local steady = require "spec.support.steady"

local MB = 1024 * 1024

-- Malformed, and the same without the defect.
local URLS = {
  { "app.test", "https://app.test" }, { "//app.test/", "https://app.test/" }, { "/path", "https://app.test/path" },
  { "https:app.test", "https://app.test" }, { "https:/app.test", "https://app.test" }, { "https//app.test", "https://app.test" },
  { "https://", "https://a" }, { "https:///path", "https://a/path" }, { "https://?q", "https://a?q" }, { "https://#f", "https://a#f" },
  { "https://:443/", "https://a:443/" }, { "ftp://app.test/", "https://app.test/" }, { "file:///etc/passwd", "https://etc/passwd" },
  { "javascript:alert(1)", "https://javascript/" }, { "data:,x", "https://data/,x" }, { "ws://app.test/", "https://app.test/" },
  { "httpss://app.test/", "https://app.test/" }, { "://app.test/", "https://app.test/" }, { ":", "https://a/:" },
  { " https://app.test/", "https://app.test/" }, { "https://app.test/ ", "https://app.test/%20" },
  { "https://app.test/a b", "https://app.test/a%20b" }, { "https://app test/", "https://app-test/" },
  { "https://app.test/\n", "https://app.test/%0A" }, { "https://app.test/\r\nX: 1", "https://app.test/X:1" },
  { "https://app.test/\t", "https://app.test/%09" }, { "https://app.test/\127", "https://app.test/%7F" },
  { "https://app.test/\195\164", "https://app.test/%C3%A4" }, { "https://app.test/\255", "https://app.test/%FF" },
  { "https://\195\164.test/", "https://xn--4ca.test/" }, { "https://app.test/%", "https://app.test/%25" },
  { "https://app.test/%4", "https://app.test/%41" }, { "https://app.test/%zz", "https://app.test/%aa" },
  { "https://app.test/?%g0", "https://app.test/?%a0" }, { "https://app.test/#%", "https://app.test/#%25" },
  { "https://app.test\\path", "https://app.test/path" }, { "https://app.test\\@evil.test/", "https://app.test/@evil.test/" },
  { "https://user@app.test/", "https://app.test/user@" }, { "https://user:pass@app.test/", "https://app.test/user:pass@" },
  { "https://@app.test/", "https://app.test/@" }, { "https://app.test:/", "https://app.test:1/" },
  { "https://app.test:0/", "https://app.test:1/" }, { "https://app.test:65536/", "https://app.test:65535/" },
  { "https://app.test:99999999999999999999/", "https://app.test:9999/" }, { "https://app.test:-1/", "https://app.test:1/" },
  { "https://app.test:80a/", "https://app.test:80/a" }, { "https://app.test: 80/", "https://app.test:80/" },
  { "https://app.test:443:443/", "https://app.test:443/:443" }, { "https://[::1/", "https://[::1]/" },
  { "https://[]/", "https://[::]/" }, { "https://[::1]x/", "https://[::1]/x" }, { "https://[1:2:3]/", "https://[1:2:3::]/" },
  { "https://[::g]/", "https://[::f]/" }, { "https://[::1%25eth0]/", "https://[::1]/%25eth0" },
  { "https://[1::2::3]/", "https://[1::2:3]/" }, { "https://::1/", "https://[::1]/" }, { "https://a..b/", "https://a.b/" },
  { "https://.a/", "https://a./" }, { "https://a*b/", "https://a-b/" }, { "https://a<b>/", "https://ab/" },
  { "https://%61pp.test/", "https://app.test/" }, { "https://" .. ("a"):rep(64) .. ".test/", "https://" .. ("a"):rep(63) .. ".test/" },
  { "https://" .. ("a."):rep(128) .. "test/", "https://" .. ("a."):rep(120) .. "test/" },
  { "https://app.test/" .. ("a"):rep(65536), "https://app.test/" .. ("a"):rep(65000) },
  { "https://app.test/" .. ("a"):rep(10 * MB), "https://app.test/a" }, { ("x"):rep(10 * MB), "https://x" },
}

-- Plain http where it must not go, and where it may.
local INSECURE = {
  { "http://app.test/", "https://app.test/" }, { "HTTP://app.test/", "HTTPS://app.test/" },
  { "http://localhost.test/", "http://localhost/" },
  { "http://127.0.0.1.test/", "http://127.0.0.1/" }, { "http://128.0.0.1/", "http://127.255.0.1/" },
  { "http://0.0.0.0/", "http://127.0.0.0/" },
  { "http://0177.0.0.1/", "http://127.0.0.1/" }, { "http://2130706433/", "http://127.0.0.1/" }, { "http://127.1/", "http://127.0.0.1/" },
  { "http://[::2]/", "http://[::1]/" }, { "http://[::ffff:127.0.0.1]/", "http://[0:0:0:0:0:0:0:1]/" },
  { "http://notlocalhost/", "http://not.localhost/" },
}

local function client_of(more)
  local p = fake.new()
  p.answers.app = function() return fake.json(200, {}) end
  return assert(authgear.new(p:options(more))), p
end

local function assert_refused(code, what, value, err)
  assert.is_nil(value, what .. " was accepted")
  assert.equal(code, err.code, what .. ": " .. tostring(err))
  assert.is_false(err.retryable)
  assert.truthy(#err.message < 160 and #err.message > 10, what)
  return err
end

describe("a URL", function()
  it("is refused by fetch for one defect, and sent without it", function()
    assert.truthy(#URLS >= 60)
    local client, p = client_of()
    for _, case in ipairs(URLS) do
      local what = ("%q"):format(case[1]:sub(1, 60))
      assert_refused("invalid_url", what, client:fetch(case[1]))
      assert.equal(0, #p.seen, what)
      assert(client:fetch(case[2]))
      assert.equal(case[2]:match("^[^#]*"), p.seen[1].url)
      p.seen = {}
    end
  end)

  it("is refused where it would carry the token in the clear", function()
    local client, p = client_of()
    local allowed = client_of { allow_insecure_http = true }
    for _, case in ipairs(INSECURE) do
      assert_refused("insecure_url", case[1], client:fetch(case[1]))
      assert.equal(0, #p.seen)
      assert(client:fetch(case[2]), case[2])
      assert(allowed:fetch(case[1]), case[1])
      p.seen = {}
    end
  end)

  it("is refused as endpoint, and as an allowed origin", function()
    local function new(more)
      return authgear.new(fake.new():options(more))
    end
    for code, list in pairs { invalid_url = URLS, insecure_url = INSECURE } do
      for _, case in ipairs(list) do
        local what = ("%q"):format(case[1]:sub(1, 60))
        assert_refused(code, what, new { endpoint = case[1] })
        assert_refused(code, what, new { allowed_origins = { "https://app.test", case[1] } })
        assert(new { allowed_origins = { "https://app.test", case[2] } }, what)
        if not case[2]:find("[?#]") then
          assert(new { endpoint = case[2] }, what)
        end
      end
    end
    for bad, good in pairs { ["https://auth.test/?x"] = "https://auth.test/x", ["https://auth.test/#x"] = "https://auth.test/%23x" } do
      assert_refused("invalid_url", bad, new { endpoint = bad })
      assert(new { endpoint = good })
    end
  end)

  it("that configure refuses leaves the client as it was", function()
    local client, p = client_of()
    assert(p:log_in(client))
    local token = client:access_token()
    assert.is_nil(client:configure(p:options { endpoint = "ftp://auth.test" }))
    assert.equal("AUTHENTICATED", client:session_state())
    assert.equal(token, client:access_token())
    assert(client:fetch(fake.APP))
  end)

  it("of a redirect URI is refused for one defect", function()
    for bad, good in pairs { ["callback"] = "app:callback", [":x"] = "x:", ["http://127.0.0.1/a b"] = "http://127.0.0.1/ab",
      ["http://127.0.0.1/#x"] = "http://127.0.0.1/x", ["http://127.0.0.1/\n"] = "http://127.0.0.1/n", ["app://\195\164"] = "app://a",
      ["app://" .. ("x"):rep(10 * MB)] = "app://x" } do
      local client, p = client_of()
      assert_refused("invalid_url", bad:sub(1, 40), client:start_authentication { redirect_uri = bad })
      assert.equal(0, p.counts.token or 0)
      local start = assert(client:start_authentication { redirect_uri = good }, good)
      assert.truthy(start.url:find("redirect_uri=" .. core.percent_encode(good), 1, true))
    end
  end)
end)

describe("a request", function()
  it("cannot be split or joined by its parts", function()
    local client, p = client_of()
    for _, method in ipairs { "GET /x HTTP/1.1\r\nX: 1\r\n\r\nGET",
      "GET\n", "G T", "", "CONNECT", "TRACE", ("X"):rep(33), "G\195\164T", "GET\0" } do
      local ok, value, err = pcall(client.fetch, client, fake.APP, { method = method })
      if ok then
        assert_refused("invalid_argument", method, value, err)
      end
      assert.equal(0, #p.seen)
    end
    assert(client:fetch(fake.APP, { method = ("X"):rep(32) }))
    assert.equal(("X"):rep(32), p.seen[1].method)
  end)

  it("has its query and form escaped", function()
    local client, p = client_of()
    local fields = { ["a&b=c"] = "d&e=f", ["\0"] = "\0\r\n", ["\195\164"] = "\255", n = 1.5, t = true }
    local text = "%00=%00%0D%0A&a%26b%3Dc=d%26e%3Df&n=1.5&t=true&%C3%A4=%FF"
    assert(client:fetch(fake.APP .. "/x?y#z", { query = fields }))
    assert.equal(fake.APP .. "/x?y&" .. text, p.seen[1].url)
    assert(client:fetch(fake.APP, { form = fields }))
    assert.equal(text, p.seen[2].body)
  end)

  it("takes 10 MB where there is room, and says so where there is none", function()
    local long = ("x"):rep(10 * MB)
    local client, p = client_of()
    assert(client:fetch(fake.APP, { body = long .. "\0" }))
    assert.equal(long .. "\0", p.seen[1].body)
    assert_refused("invalid_url", "a query", client:fetch(fake.APP, { query = { q = long } }))
    assert_refused("callback", "a callback", client:finish_authentication(long))
    assert_refused("no_login", "a state", client:finish_authentication("app:/x?code=1&state=" .. long))
    assert_refused("callback", "an escape", client:finish_authentication("app:/x?code=1&state=%" .. long))
    assert.equal("return", (client:handle_unauthorized { status = 401 }))
  end)

  it("goes over HTTP as it was checked", function()
    local dev = server.shared()
    local client = assert(authgear.new { endpoint = dev.endpoint, client_id = "native", user_agent = "canary/1",
      json = require("dkjson").decode }) -- the echo has a \u0000 in it, which our own refuses
    local bytes = {}
    for i = 0, 255 do
      bytes[i + 1] = string.char(i)
    end
    bytes = table.concat(bytes)
    local seen = assert(client:fetch(dev.app .. "/public/echo", { body = bytes, headers = { X = "a\tb", Y = "\195\164" },
      query = { q = bytes } })):json()
    assert.equal(256, seen.body_bytes)
    assert.equal("canary/1", seen.headers["user-agent"])
    assert.equal("a\tb", seen.headers.x)
    assert.truthy(seen.raw_url:find("q=%00%01", 1, true))
    local value, err = client:fetch(dev.app .. "/public/echo", { headers = { X = ("x"):rep(10 * MB) } })
    assert_refused("invalid_argument", "a header of 10 MB", value, err)
    local ten = ("0123456789abcdef"):rep(10 * MB / 16)
    assert.equal(10 * MB, assert(client:fetch(dev.app .. "/public/upload", { body = ten })):json().bytes)
    value, err = client:fetch(dev.app .. "/public/big?n=5000", { max_body = 4999 })
    assert_refused("too_large", "a body", value, err)
    assert.equal(5000, #assert(client:fetch(dev.app .. "/public/big?n=5000", { max_body = 5000 })).body)
    for i = 1, 5 do -- the same path again, with a redirect that makes no sense
      local _, why = client:fetch(dev.app .. "/public/redirect/302", { query = { to = ({ "ftp://x/", "http://a b/", "http://:0/", "//",
        "http://elsewhere.example/" })[i] } })
      assert.equal("redirect", why.code)
      assert.equal(302, why.status)
    end
  end)
end)

describe("a stored record", function()
  local function stored_session()
    local p, storage = fake.new(), fake.storage()
    assert(p:log_in(assert(authgear.new(p:options { storage = storage }))))
    return storage.record
  end

  local record = stored_session()

  local function edited(pattern, replacement)
    local text, n = record:gsub(pattern, replacement)
    assert.equal(1, n, pattern)
    return text
  end

  local function with_member(member)
    return edited("}%s*$", "," .. member .. "}")
  end

  -- name, bad, good, and the code where it is another
  local CASES = {
    { "nothing", "", record }, { "no JSON", "{", record }, { "half of it", record:sub(1, 100), record },
    { "a list", "[" .. record .. "]", record }, { "zeros", ("\0"):rep(#record), record },
    { "a NUL at its end", record .. "\0", record .. " " },
    { "10 MB of spaces", (" "):rep(10 * MB), record .. (" "):rep(MB) },
    { "10,000 levels", ("["):rep(10000), with_member('"x":[[[[[1]]]]]') },
    { "a key twice", with_member('"version":1'), with_member('"version2":1') },
    { "another format", edited("authgear%-session", "other"), record }, { "no version", edited('"version":1,', ""), record },
    { "version 0", edited('"version":1', '"version":0'), record }, { "version 1.5", edited('"version":1', '"version":1.5'), record },
    { "version 2", edited('"version":1', '"version":2'), record, "storage_version" },
    { "version 1e300", edited('"version":1', '"version":1e15'), record, "storage_version" },
    { "another endpoint", edited("https://auth%.test\"", "https://evil.test\""), record, "storage_foreign" },
    { "another client", edited('"client_id":"[^"]+"', '"client_id":"x"'), record, "storage_foreign" },
    { "no endpoint", edited('"endpoint":"[^"]+",', ""), record },
    { "a negative lifetime", edited('"expires_in_ms":%d+', '"expires_in_ms":-1'), edited('"expires_in_ms":%d+', '"expires_in_ms":0') },
    { "a lifetime of 1e300", edited('"expires_in_ms":%d+', '"expires_in_ms":1e300'),
      edited('"expires_in_ms":%d+', '"expires_in_ms":9007199254740992') },
    { "a lifetime that is text", edited('"expires_in_ms":(%d+)', '"expires_in_ms":"%1"'), record },
    { "a negative generation", edited('"generation":%d+', '"generation":-1'), edited('"generation":%d+', '"generation":9007199254740992') },
    { "no time", edited('"received_boot_ms":%-?%d+,', ""), edited('"received_boot_ms":%-?%d+', '"received_boot_ms":-9007199254740992') },
    { "a boot id of 40 bytes", edited('"boot_id":"[^"]*"', '"boot_id":"' .. ("b"):rep(40) .. '"'),
      edited('"boot_id":"[^"]*"', '"boot_id":"' .. ("b"):rep(39) .. '"') },
  }
  for _, name in ipairs { "access_token", "refresh_token", "id_token" } do
    local pattern = '"' .. name .. '":"[^"]+"'
    for what, bad in pairs { ["with a line break"] = '"a\\r\\nX-Evil: 1"', ["with a space"] = '"a b"', ["with an umlaut"] = '"\195\164"',
      ["that is empty"] = '""', ["that is a number"] = "5", ["that is null"] = "null", ["with a NUL"] = '"a\\u0000b"' } do
      CASES[#CASES + 1] = { name .. " " .. what, edited(pattern, '"' .. name .. '":' .. bad), edited(pattern, '"' .. name .. '":"a~b"') }
    end
  end

  local function configured(text)
    local p, storage = fake.new(), fake.storage()
    storage.record = text
    local client, err = authgear.new(p:options { storage = storage })
    return client, err, storage, p
  end

  it("is refused for one defect, not overwritten, and taken without it", function()
    for _, case in ipairs(CASES) do
      local client, err, storage, p = configured(case[2])
      assert_refused(case[4] or "storage_damaged", case[1], client, err)
      assert.equal(case[2], storage.record)
      assert.equal(0, storage.writes)
      assert.equal(0, #p.seen)
      client = assert(configured(case[3]), case[1])
      assert.equal("AUTHENTICATED", client:session_state(), case[1])
    end
  end)

  it("that turns bad later keeps what is known, and is not overwritten unasked", function()
    for _, case in ipairs(CASES) do
      local p, storage = fake.new(), fake.storage()
      function storage.changed() return true end
      storage.record = record
      local client = assert(authgear.new(p:options { storage = storage }))
      storage.record = case[2]
      for _, call in ipairs {
        client.refresh_access_token_if_needed, client.refresh_access_token, client.fetch_user_info, client.logout,
        client.clear_session_state,
        function() return client:fetch(fake.APP) end, function() return client:start_authentication { redirect_uri = "app:/x" } end,
      } do
        assert_refused(case[4] or "storage_damaged", case[1], call(client))
        assert.equal(case[2], storage.record, case[1])
        assert.equal(0, storage.writes)
      end
      assert.is_true(client:clear_session_state { force = true })
      assert.is_nil(storage.record)
    end
  end)

  it("that is refused a thousand times leaves nothing behind", function()
    local settings = {}
    for i, case in ipairs(CASES) do
      if #case[2] < 20000 then
        local p, storage = fake.new(), fake.storage()
        p.seen = nil
        function storage.changed() return true end
        storage.record = record
        local client = assert(authgear.new(p:options { storage = storage }))
        storage.record = case[2]
        settings[#settings + 1] = { client, p:options { storage = storage }, i }
      end
    end
    steady.check(function(i)
      local setting = settings[i % #settings + 1]
      assert.is_nil(setting[1]:refresh_access_token())
      assert.is_nil(authgear.new(setting[2]))
    end)
  end)
end)

describe("a clock", function()
  it("that gives no time raises, and costs nothing", function()
    for _, which in ipairs { "monotonic", "wall" } do
      for _, bad in ipairs { 0 / 0, math.huge, -math.huge, 1e300, "no" } do
        local p, storage = fake.new(), fake.storage()
        local options = p:options { storage = storage }
        local good, on = options.clock[which], false
        options.clock[which] = function()
          if on then
            return bad
          end
          return good()
        end
        local client = assert(authgear.new(options))
        assert(p:log_in(client))
        local record, sent = storage.record, #p.seen
        on = true
        local ok, raised = pcall(client.refresh_access_token, client)
        assert.is_false(ok)
        assert.truthy(raised:find("the clock's function '" .. which .. "' gave no number of seconds", 1, true), raised)
        pcall(client.fetch, client, fake.APP)
        assert.equal(sent, #p.seen)
        assert.equal(record, storage.record)
        on = false
        assert.is_true(client:refresh_access_token())
        assert(client:fetch(fake.APP))
      end
    end
  end)

  it("may run backwards, or start below zero", function()
    local p = fake.new()
    local client = assert(authgear.new(p:options { clock = {
      monotonic = function() return p.ahead - 1e6 end, wall = function() return p.ahead end,
    } }))
    assert(p:log_in(client))
    p.ahead = -4000
    assert.is_true(client:refresh_access_token_if_needed())
    assert.equal(2, p.counts.token)
  end)
end)

describe("what a server asks for", function()
  it("is kept within reason", function()
    for header, seconds in pairs { ["5"] = 5, ["0"] = false, ["-5"] = false, ["1.5"] = false, ["1e9"] = false, ["86400"] = 86400,
      ["99999999999999999999999"] = 86400, ["NaN"] = false, [""] = false, ["5 s"] = false, ["0x10"] = false } do
      local client, p = client_of()
      p.answers.discovery = function()
        return { status = 429, headers = { ["Retry-After"] = header } }
      end
      local _, err = client:start_authentication { redirect_uri = "app:/x" }
      assert.equal("rate_limited", err.code)
      assert.is_true(err.retryable)
      assert.equal(seconds or nil, err.retry_after, header)
    end
  end)
end)

it("a thousand wrong calls leave nothing behind", function()
  local client, p = client_of()
  p.seen = nil
  local few = {}
  for _, list in ipairs { URLS, INSECURE } do
    for _, case in ipairs(list) do
      few[#few + 1] = #case[1] < 1000 and case[1] or nil
    end
  end
  steady.check(function(i)
    assert.is_nil(client:fetch(few[i % #few + 1]))
    assert.is_false((pcall(client.fetch, client, fake.APP, { headers = { X = "a\n" } })))
    assert.is_false((pcall(client.fetch, client, fake.APP, { json = { 0 / 0 } })))
    assert.is_nil(client:start_authentication { redirect_uri = "x" })
    assert.is_nil(client:finish_authentication(few[i % #few + 1]))
    assert.is_nil(authgear.new { endpoint = few[i % #few + 1], client_id = "x" })
    assert(client:fetch(fake.APP, { json = { i % 3 } }))
  end)
end)
