-- Bodies that stream, in and out: in constant memory, and with user code that yields, raises, closes or lies.
local raw_server = require "spec.support.raw_server"
local curl = require "authgear.transport.curl"
local steady = require "spec.support.steady"
local with = require "spec.support.with"

describe("a streamed body", function()
  local server, transport

  setup(function()
    server = raw_server.start()
  end)
  teardown(function()
    server:stop()
  end)
  before_each(function()
    transport = curl.new { proxy = "", ca_file = server.ca }
  end)
  after_each(function()
    transport:close()
  end)

  local function send(path, more, scheme)
    local url = scheme == "https" and "https://localhost:" .. server.tls .. path or server:url("http", path)
    return transport:send(with({ method = "GET", url = url, timeout = 60 }, more))
  end

  local function pieces(n, bytes, ended)
    local piece = ("p"):rep(bytes)
    return function()
      n = n - 1
      if n >= 0 then
        return piece
      end
      if ended then
        ended()
      end
    end
  end

  for _, scheme in ipairs { "http", "https" } do
    it("of 100 MB comes down over " .. scheme .. " in constant memory", function()
      assert(send("/mb/2", { sink = function() end }, scheme))
      local before, most, total, calls = steady.held(), 0, 0, 0
      local res = assert(send("/mb/100", { sink = function(bytes)
        total, calls = total + #bytes, calls + 1
        assert(#bytes <= 512 * 1024)
        if calls % 20 == 0 then
          most = math.max(most, steady.held())
        end
      end }, scheme))
      assert.equal(200, res.status)
      assert.is_nil(res.body)
      assert.equal(100 * 1024 * 1024, total)
      assert.is_true(most > before and most - before < 2 * 1024 * 1024, "grew by " .. most - before)
    end)

    it("of 100 MB goes up over " .. scheme .. " in constant memory", function()
      assert(send("/upload", { method = "POST", source = pieces(2, 65536) }, scheme))
      local before = steady.held()
      local after
      local res = assert(send("/upload", { method = "POST", source = pieces(1600, 65536, function()
        after = steady.held()
      end) }, scheme))
      assert.equal(scheme == "http" and "104857600 chunked - -" or "104857600 - - -", res.body)
      assert.is_true(after - before < 2 * 1024 * 1024, "grew by " .. after - before)
    end)
  end

  it("of known length says so, and is chunked otherwise", function()
    assert.equal("30 - 30 -", assert(send("/upload", { method = "PUT", source = pieces(3, 10), source_length = 30 })).body)
    assert.equal("30 chunked - -", assert(send("/upload", { method = "PUT", source = pieces(3, 10) })).body)
    assert.equal("0 - 0 -", assert(send("/upload", { method = "PUT", source = pieces(0, 10), source_length = 0 })).body)
    assert.equal("0 chunked - -", assert(send("/upload", { method = "POST", source = pieces(0, 10) })).body)
  end)

  it("keeps its bytes and their order, with empty pieces between them", function()
    local sent, got, n = {}, {}, 0
    local res = assert(send("/echo", { method = "POST", sink = function(b) got[#got + 1] = b end, source = function()
      n = n + 1
      if n <= 300 then
        local piece = n % 3 == 0 and "" or ("%d\0\r\n"):format(n):rep(n * 7)
        sent[#sent + 1] = piece
        return piece
      end
    end }))
    assert.equal(200, res.status)
    assert.equal(table.concat(sent), table.concat(got):match("\n\n(.*)$"))
  end)

  it("must be as long as was said", function()
    for _, n in ipairs { 2, 4 } do
      local res, code, message = send("/upload", { method = "PUT", source = pieces(n, 10), source_length = 30 })
      assert.is_nil(res)
      assert.equal("user_code", code)
      assert.equal("the body is not as long as was said", message)
    end
    assert(send("/upload", { method = "PUT", source = pieces(3, 10), source_length = 30 }))
  end)

  it("is asked for once by accept, which sees status and headers", function()
    local calls, got = {}, {}
    local function accept(status, headers)
      calls[#calls + 1] = { status, headers:find("\r\n$") and true }
      return status == 200
    end
    local function sink(b)
      got[#got + 1] = b
    end
    local res = assert(send("/404", { accept = accept, sink = sink }))
    assert.equal("not here", res.body)
    assert.same({}, got)
    res = assert(send("/bytes/100", { accept = accept, sink = sink }))
    assert.is_nil(res.body)
    assert.equal(100, #table.concat(got))
    assert.same({ { 404, true }, { 200, true } }, calls)
    assert.equal(204, assert(send("/204", { accept = accept, sink = sink })).status)
    assert.equal(3, #calls)
  end)

  it("that is not wanted is collected up to the limit", function()
    local function no()
      return false
    end
    assert.equal(2 * 1024 * 1024, #assert(send("/mb/2", { accept = no, sink = no })).body)
    assert.equal("too_large", (select(2, send("/mb/2", { accept = no, sink = no, max_body = 1024 * 1024 }))))
  end)

  it("is decompressed, and held to max_body", function()
    local total = 0
    local function sink(b)
      total = total + #b
    end
    assert(send("/bomb", { sink = sink }))
    assert.equal(100 * 1024 * 1024, total)
    total = 0
    assert.equal("too_large", (select(2, send("/bomb", { sink = sink, max_body = 1024 * 1024 }))))
    assert.is_true(total <= 1024 * 1024)
  end)

  it("can be refused by the sink, and fail at the source", function()
    for _, sink in ipairs { function() return false end, function() return nil, "disk full of canary" end } do
      local res, code, message, retryable = send("/mb/2", { sink = sink })
      assert.is_nil(res)
      assert.same({ "user_code", "the sink refused a piece of the body", false }, { code, message, retryable })
    end
    for _, source in ipairs { function() return nil, "canary" end, function() return 5 end, function() return {} end } do
      local res, code, message = send("/upload", { method = "POST", source = source })
      assert.is_nil(res)
      assert.equal("user_code", code)
      assert.falsy(message:find("canary", 1, true))
    end
    assert.equal(200, assert(send("/echo")).status)
  end)

  it("lets what user code raises through, and frees the transfer at once", function()
    local boom = setmetatable({}, { __tostring = function() return "boom" end })
    local function raise()
      error(boom)
    end
    for name, req in pairs { sink = { sink = raise }, accept = { sink = print, accept = raise },
      source = { method = "POST", source = raise } } do
      local ok, err = pcall(send, "/echo", req)
      assert.is_false(ok)
      assert.equal(boom, err, name)
    end
    local before = server:stats().accepted
    assert.equal(200, assert(send("/echo")).status)
    assert(send("/echo"))
    assert.is_true(server:stats().accepted <= before + 1)
  end)

  it("can be yielded in, everywhere", function()
    local log = {}
    local function say(what)
      log[#log + 1] = coroutine.yield(what)
    end
    local n = 0
    local co = coroutine.create(function()
      return send("/echo", { method = "POST",
        source = function() n = n + 1 say("source") return n < 3 and "piece" or nil end,
        accept = function() say("accept") return true end,
        sink = function() say("sink") end,
        cancelled = function() return false end })
    end)
    local seen = {}
    local ok, what = coroutine.resume(co)
    while coroutine.status(co) ~= "dead" do
      seen[what] = (seen[what] or 0) + 1
      collectgarbage()
      ok, what = coroutine.resume(co, "resumed")
    end
    assert.is_true(ok, tostring(what))
    assert.equal(200, what.status)
    assert.equal(3, seen.source)
    assert.equal(1, seen.accept)
    assert.is_true(seen.sink >= 1)
    assert.equal("resumed", log[#log])
  end)

  it("can be one of many at once on one transport, and may send in between", function()
    for _, scheme in ipairs { "http", "https" } do
      local flows, totals = {}, {}
      for i = 1, 6 do
        totals[i] = 0
        flows[i] = coroutine.create(function()
          return send("/mb/3", { sink = function(b)
            totals[i] = totals[i] + #b
            coroutine.yield()
            if i == 1 then
              assert.equal(200, assert(send("/echo", nil, scheme)).status)
            end
          end }, scheme)
        end)
      end
      local left = #flows
      while left > 0 do
        for i = 1, #flows do
          if coroutine.status(flows[i]) ~= "dead" then
            local ok, err = coroutine.resume(flows[i])
            assert(ok, err)
            if coroutine.status(flows[i]) == "dead" then
              left = left - 1
              assert.equal(200, err.status)
              assert.equal(3 * 1024 * 1024, totals[i])
            end
          end
        end
      end
    end
  end)

  it("ends with 'closed' when user code closes the transport", function()
    local res, code = send("/mb/5", { sink = function() transport:close() end })
    assert.is_nil(res)
    assert.equal("closed", code)
    transport = curl.new { proxy = "" }
    res, code = send("/upload", { method = "POST", source = function() transport:close() return "x" end })
    assert.is_nil(res)
    assert.equal("closed", code)
    transport = curl.new { proxy = "" }
    res, code = send("/stall", { cancelled = function() transport:close() return false end })
    assert.is_nil(res)
    assert.equal("closed", code)
  end)

  it("can be cancelled and timed out on the way", function()
    local calls = 0
    local res, code = send("/mb/100", { sink = function() calls = calls + 1 end, cancelled = function() return calls >= 3 end })
    assert.is_nil(res)
    assert.equal("cancelled", code)
    assert.equal(3, calls)
    res, code = send("/stall-body", { sink = function() end, timeout = 0.15 })
    assert.is_nil(res)
    assert.equal("timeout", code)
  end)

  it("ends with its time too when the source never has anything", function()
    for _, length in ipairs { false, 10 } do
      local asked = 0
      local res, code = send("/upload", { method = "POST", timeout = 0.2, source_length = length or nil, source = function()
        asked = asked + 1
        return asked < 3e7 and "" or error "asked for ever"
      end })
      assert.is_nil(res)
      assert.equal("timeout", code)
    end
  end)

  it("may be left where it is: collection ends it", function()
    for _ = 1, 20 do
      local co = coroutine.create(function()
        return send("/mb/3", { sink = coroutine.yield })
      end)
      assert(coroutine.resume(co))
      co = nil -- luacheck: ignore
      collectgarbage()
    end
    assert.equal(200, assert(send("/echo")).status)
  end)
end)
