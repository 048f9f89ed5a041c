-- JSON as programs in Lua meet it: response:json(), the json option of fetch, a decoder of the user's own, and the two
-- functions of authgear.core that do the work. What is not JSON to the letter is refused whole.

local authgear = require "authgear"
local core = require "authgear.core"
local fake = require "spec.support.fake_provider"
local steady = require "spec.support.steady"

local function decode(text)
  return core.json_decode(text)
end

-- A client of an application server that answers with this body; what the server saw is in the second value.
local function client_of(body, options)
  local p = fake.new()
  p.answers.app = function()
    return { status = 200, headers = { ["Content-Type"] = "application/json" }, body = body }
  end
  return assert(authgear.new(p:options(options))), p
end

local function json_of(body, options)
  local response = assert(client_of(body, options):fetch(fake.APP))
  return response:json()
end

describe("reading JSON", function()
  it("gives Lua values", function()
    assert.same({ a = { 1, 2.5, "x", true, false }, b = {} }, decode '{"a":[1,2.5,"x",true,false],"b":{}}')
    assert.equal("x\"\\/\b\f\n\r\t\195\164\240\159\152\128", decode '"x\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\ud83d\\ude00"')
    for text, value in pairs { ["0"] = 0, ["-0"] = 0, ["1e3"] = 1000, ["-1.5E-2"] = -0.015, ["9007199254740992"] = 2 ^ 53,
      ["1e308"] = 1e308, ["true"] = true, ["false"] = false, ['""'] = "", [" \n\r\t5 "] = 5 } do
      assert.equal(value, decode(text), text)
    end
    assert.equal(authgear.null, decode "null")
    assert.equal(authgear.null, decode '[null]'[1])
    assert.equal(authgear.null, decode '{"a":null}'.a)
  end)

  it("gives integers where Lua has them", function()
    if math.type then
      assert.equal("integer", math.type(decode "5"))
      assert.equal("integer", math.type(decode "-9007199254740992"))
      assert.equal("float", math.type(decode "5.5"))
      assert.equal("float", math.type(decode "9007199254740994"))
    end
  end)

  it("refuses what is none, and takes its good twin", function()
    for bad, good in pairs {
      ["01"] = "10", ["-01"] = "-1", ["+1"] = "1", [".5"] = "0.5", ["5."] = "5.0", ["1e"] = "1e0", ["1e+"] = "1e+1", ["0x10"] = "16",
      ["NaN"] = "null", ["Infinity"] = "1e308", ["-Infinity"] = "-1e308", ["1e999"] = "1e99", ["-1e999"] = "-1e99",
      ["nul"] = "null", ["True"] = "true", ["[1,]"] = "[1]", ["[,1]"] = "[1,1]", ["[1 2]"] = "[1,2]", ["{\"a\":1,}"] = "{\"a\":1}",
      ["{a:1}"] = "{\"a\":1}", ["{'a':1}"] = "{\"a\":1}", ["{\"a\" 1}"] = "{\"a\":1}", ["{1:1}"] = "{\"1\":1}", ["[1"] = "[1]",
      ["[1]]"] = "[[1]]", ["1 2"] = "12", ["// x\n1"] = "1", ["/**/1"] = "1", ["\239\187\1911"] = "1", ["'a'"] = "\"a\"",
      ["\"a"] = "\"a\"", ["\"\n\""] = "\"\\n\"", ["\"\1\""] = "\"\\u0001\"", ["\"\\x41\""] = "\"\\u0041\"", ["\"\\u00\""] = "\"\\u0041\"",
      ["\"\\ud800\""] = "\"\\ud800\\udc00\"", ["\"\\udc00\\ud800\""] = "\"\\ud800\\udc00\"", ["\"\\ud800\\ud800\""] = "\"\\ud83d\\ude00\"",
      ["\"\255\""] = "\"\195\191\"", ["\"\192\128\""] = "\"\194\128\"", ["\"\237\160\128\""] = "\"\237\159\191\"",
      ["\"\244\144\128\128\""] = "\"\244\143\191\191\"", ["\"\\u0000\""] = "\"\\u0001\"", ["\"a\0b\""] = "\"a b\"", ["1\0"] = "1 ",
      ["{\"a\\u0000\":1}"] = "{\"a\":1}", ["{\"a\":1,\"a\":2}"] = "{\"a\":1,\"b\":2}",
      ["{\"a\":1,\"\\u0061\":2}"] = "{\"a\":1,\"\\u0041\":2}",
      ["[{\"x\":1,\"x\":1}]"] = "[{\"x\":1},{\"x\":1}]", [""] = "0", [" "] = "0", ["\"a\"b"] = "\"ab\"", ["\12" .. "1"] = " 1",
      [("1"):rep(64)] = ("1"):rep(63), [("["):rep(129) .. ("]"):rep(129)] = ("["):rep(128) .. ("]"):rep(128),
      [("["):rep(10000) .. ("]"):rep(10000)] = ("["):rep(100) .. ("]"):rep(100),
      [('{"a":'):rep(10000) .. "1" .. ("}"):rep(10000)] = ('{"a":'):rep(100) .. "1" .. ("}"):rep(100),
      [("["):rep(10000)] = "[]", [('{"a":['):rep(5000)] = '{"a":[]}',
    } do
      local what = bad:sub(1, 40)
      local value, code, message, retryable = decode(bad)
      assert.is_nil(value, what)
      assert.same({ "json", false }, { code, retryable }, what)
      assert.truthy(message:find("not valid JSON at byte %d+: "), what)
      assert.is_not_nil(decode(good), good:sub(1, 40))
    end
  end)

  it("never cuts a text short", function()
    local long = ("x"):rep(10 * 1024 * 1024)
    assert.equal(long, decode('"' .. long .. '"'))
    local value, code = decode('"' .. long .. '\\u0000rest"')
    assert.same({ nil, "json" }, { value, code })
    local many = {}
    for i = 1, 20000 do
      many[i] = ('"k%d":%d'):format(i, i)
    end
    assert.equal(20000, decode("{" .. table.concat(many, ",") .. "}").k20000)
    many[#many + 1] = '"k777":0'
    assert.is_nil(decode("{" .. table.concat(many, ",") .. "}"))
  end)

  it("of no text at all raises", function()
    for _, value in ipairs { 1, true, {} } do
      assert.has_error(function() decode(value) end)
    end
  end)
end)

describe("writing JSON", function()
  it("is read back as it was", function()
    for _, value in ipairs { {}, { 1, 2, 3 }, { a = { b = { 1, { c = "d" } } } }, "x\0y",
      ("\1\31\127\"\\/"), "\195\164\240\159\152\128",
      1, -1.5, 0.1, 1 / 3, 1e308, 5e-324, 2 ^ 53, 2 ^ 53 - 1, -1234567890123456, 2 ^ 60,
      true, false, authgear.null, { a = authgear.null } } do
      local text = assert(core.json_encode(value))
      if type(value) == "string" and value:find("%z") then
        assert.equal('"x\\u0000y"', text) -- which we don't read ourselves
      else
        assert.same(value, decode(text), text)
      end
    end
  end)

  it("writes every digit, and a point in every locale", function()
    assert.equal("1234567890123456", core.json_encode(1234567890123456))
    assert.equal("9007199254740993", tostring(math.type and core.json_encode(9007199254740993) or "9007199254740993"))
    assert.equal("0.1", core.json_encode(0.1))
    assert.equal("[0.30000000000000004,1e+100]", core.json_encode { 0.1 + 0.2, 1e100 })
    for _, locale in ipairs { "de_DE.UTF-8", "de_DE", "fr_FR.UTF-8" } do
      if os.setlocale(locale, "numeric") then
        assert.equal("1.5", core.json_encode(1.5))
        assert.equal(1.5, (core.json_decode("1.5")))
        os.setlocale("C", "numeric")
      end
    end
  end)

  it("knows arrays from objects", function()
    assert.equal("{}", core.json_encode {})
    assert.equal("[]", core.json_encode(authgear.array {}))
    assert.equal("[1]", core.json_encode { 1 })
    assert.equal("[]", core.json_encode(decode "[]"))
    assert.equal('{"a":[]}', core.json_encode(decode '{"a":[]}'))
  end)

  it("refuses what JSON has no word for", function()
    local cycle = {}
    cycle.me = cycle
    local deep, ok = {}, {}
    for _ = 1, 128 do
      deep = { deep }
    end
    for _ = 1, 127 do
      ok = { ok }
    end
    for _, value in ipairs { 0 / 0, math.huge, -math.huge, print, coroutine.create(function() end),
      "\255", { "\192\128" }, { ["\255"] = 1 },
      { ["a\0b"] = 1 }, { [1.5] = 1 }, { [true] = 1 }, { 1, x = 2 }, { [1] = 1, [3] = 3 }, { [{}] = 1 },
      { { { print } } }, cycle, deep, io.stdout } do
      local text, code, message = core.json_encode(value)
      assert.is_nil(text, tostring(text))
      assert.equal("json", code)
      assert.is_string(message)
    end
    assert(core.json_encode(ok))
  end)

  it("goes out with fetch", function()
    local client, p = client_of("{}")
    assert(client:fetch(fake.APP, { json = { a = authgear.array {}, b = { 1, 2 } } }))
    local request = p.seen[#p.seen]
    assert.same({ a = {}, b = { 1, 2 } }, decode(request.body))
    assert.equal("POST", request.method)
    assert.equal("application/json", request.headers["Content-Type"])
    assert(client:fetch(fake.APP, { json = false, method = "PUT", headers = { ["content-type"] = "a/b" } }))
    request = p.seen[#p.seen]
    assert.same({ "false", "PUT", "a/b" }, { request.body, request.method, request.headers["content-type"] })
  end)
end)

describe("response:json()", function()
  it("is the body, or an error with the code json", function()
    assert.same({ a = 1 }, json_of '{"a":1}')
    assert.equal(false, json_of "false")
    assert.equal(authgear.null, json_of "null")
    for _, body in ipairs { "", "<html>", '{"a":1}x', '{"a":"\\u0000"}', '{"a":1,"a":2}', ("["):rep(10000), "NaN", "\255" } do
      local value, err = json_of(body)
      assert.is_nil(value)
      assert.equal("json", err.code)
      assert.is_false(err.retryable)
      assert.truthy(tostring(err):find("^json: not valid JSON at byte"))
      assert.is_nil(err.cause)
    end
  end)

  it("can be asked again", function()
    local response = assert(client_of('{"a":1}'):fetch(fake.APP))
    assert.same(response:json(), response:json())
    assert.not_equal(response:json(), response:json())
  end)

  it("of a body that went to a sink is an error", function()
    local response = assert(client_of('{"a":1}'):fetch(fake.APP, { sink = function() end }))
    local value, err = response:json()
    assert.is_nil(value)
    assert.equal("json", err.code)
  end)

  it("is a decoder's of the user's own", function()
    local seen
    assert.equal("big", json_of('{"a":12345678901234567890}', { json = function(text) seen = text return "big" end }))
    assert.equal('{"a":12345678901234567890}', seen)
    assert.equal(false, json_of("false", { json = function() return false end }))
    assert.is_nil((json_of("null", { json = function() return nil end })))
    assert.is_nil((select(2, json_of("null", { json = function() return nil end }))))
    local raised = {}
    for _, case in ipairs {
      { function() error(raised) end, raised }, { function() error("why", 0) end, "why" }, { function() return nil, "why" end, "why" },
      { function() return nil, 12, "why" end, 12 },
    } do
      local value, err = json_of("x", { json = case[1] })
      assert.is_nil(value)
      assert.equal("json", err.code)
      assert.equal("the body could not be decoded", err.message)
      assert.equal(case[2], err.cause)
    end
  end)

  it("does not change how the protocol's own answers are read", function()
    local client, p = client_of("{}", { json = function() error("never") end })
    assert(p:log_in(client))
    assert(client:fetch_user_info())
  end)

  it("leaves nothing behind, refused or not", function()
    local responses = {}
    for i, body in ipairs { '{"a":[1,2,{"b":"c"}]}', '{"a":[1,2,{"b":"c"', '{"a":1,"a":2}', "", ("["):rep(500) } do
      responses[i] = assert(client_of(body):fetch(fake.APP))
    end
    steady.check(function(i)
      responses[i % #responses + 1]:json()
      core.json_encode({ i % 3, { print } })
    end)
  end)
end)
