-- What `authgear fetch` sends with --data and --data-json: how much of it is in memory, what can be sent twice, and what is not taken
-- for the whole when it is not.
-- takes: 4

local authgear = require "authgear"
local datas = require "authgear.cli.data"
local files = require "spec.support.files"
local json = require "dkjson"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local tool = require "spec.support.tool"

local MIB = 1024 * 1024

describe("what authgear fetch sends", function()
  -- A file of so many bytes that says it has `said`, or cannot tell. `given`: what has been read of it.
  local function fake(size, said)
    local file = { given = 0, at = 0 }
    function file:read(n)
      local piece = ("x"):rep(math.min(n, size - self.given))
      self.given = self.given + #piece
      self.at = self.at + #piece
      return piece ~= "" and piece or nil
    end
    function file:seek(whence, offset)
      if not said then
        return nil, "Illegal seek"
      end
      self.at = whence == "end" and said or offset or self.at
      return self.at
    end
    return file
  end

  -- What --data (or --data-json) '@-' sends of that file.
  local function of(file, is_json)
    local data = datas.new({ input = file, read = function(_, n)
      return file:read(n)
    end }, not is_json and { "a=1", "@-" } or nil, is_json and "@-" or nil)
    return data, data:body()
  end

  -- All that a function's body gives: how many bytes, the longest piece, and why it ended.
  local function drain(body)
    local sum, longest = 0, 0
    while true do
      local piece, why = body()
      if not piece then
        return sum, longest, why
      end
      sum, longest = sum + #piece, math.max(longest, #piece)
    end
  end

  it("is a string up to 4 MiB, and read while it is sent from there on", function()
    local _, body, length = of(fake(4 * MIB - 4, 4 * MIB - 4))
    assert.equal(4 * MIB, #body)
    assert.is_nil(length)
    for _, said in ipairs { 300 * MIB, false } do
      local file = fake(300 * MIB, said)
      _, body, length = of(file)
      assert.is_true(file.given <= 4 * MIB + 65536, file.given)
      assert.equal(said and 300 * MIB + 4 or nil, length)
      local sum, longest, why = drain(body)
      assert.same({ 300 * MIB + 4, 65536 }, { sum, longest })
      assert.is_nil(why)
    end
  end)

  it("is as long as was said, or is none", function()
    local _, body, length = of(fake(9 * MIB, 8 * MIB)) -- has grown since
    assert.equal(length, (drain(body)))
    local data
    data, body, length = of(fake(7 * MIB, 8 * MIB))
    assert.equal(8 * MIB + 4, length)
    local _, _, why = drain(body)
    assert.equal("cannot read standard input: it has become shorter meanwhile", why)
    assert.equal(why, data.why)
    _, body, length = of(fake(5 * MIB, 0)) -- a device
    assert.is_nil(length)
    assert.equal(5 * MIB + 4, (drain(body)))
  end)

  it("and JSON is refused beyond 16 MiB, read no further", function()
    local file = fake(300 * MIB)
    local _, body, why = of(file, true)
    assert.is_nil(body)
    assert.matches("^%-%-data%-json is longer than 16 MiB", why)
    assert.is_true(file.given <= 16 * MIB + 65536, file.given)
  end)

  describe("as a process", function()
    local dev, home, path

    before_each(function()
      dev = server.shared()
      dev:reset { sessions = true }
      home = tool.home { AUTHGEAR_ENDPOINT = dev.endpoint, AUTHGEAR_CLIENT_ID = "native" }
      local client = assert(authgear.new { endpoint = dev.endpoint, client_id = "native", name = "cli",
        storage = authgear.storage.file { dir = home.dir .. "/data/authgear" } })
      sdk.log_in(dev, client)
      client:close()
      path = home.dir .. "/large"
      files.write(path, ("0123456789abcde\n"):rep(6 * MIB / 16))
    end)

    after_each(function()
      home:remove()
    end)

    local function fetch(status, args, where, options)
      table.insert(args, 1, "fetch")
      args[#args + 1] = dev.app .. where
      local got, out, err = home:run(args, options)
      assert.equal(status, got, out:sub(1, 500) .. err)
      return out, err
    end

    it("arrives whole, with its length where that is known", function()
      local sum = files.sh("sha256sum <", path):match "^%x+"
      for arg, shell in pairs { ["@" .. path] = "", ["@-"] = "<" .. path } do
        local seen = json.decode((fetch(0, { "-d", arg }, "/api/upload", { shell = shell })))
        assert.same({ 6 * MIB, sum, tostring(6 * MIB) }, { seen.bytes, seen.sha256, seen.content_length })
      end
      local seen = json.decode((files.sh("cat " .. path .. " | " .. home:command { "fetch", "-d", "@-", dev.app .. "/api/upload" })))
      assert.same({ 6 * MIB, sum, "chunked" }, { seen.bytes, seen.sha256, seen.transfer_encoding })
      seen = json.decode((fetch(0, { "-d", "a=1", "-d", "@" .. path, "-d", "b=2" }, "/api/upload")))
      assert.same({ 6 * MIB + 8, tostring(6 * MIB + 8) }, { seen.bytes, seen.content_length })
    end)

    it("is sent again if it is small, and once if it is not", function()
      files.write(home.dir .. "/small", ("x"):rep(70000))
      local seen = json.decode((fetch(0, { "-d", "@" .. home.dir .. "/small" }, "/api/redirect/307?path=/api/echo")))
      assert.equal(70000, seen.body_bytes)
      local _, err = fetch(1, { "-d", "@" .. path }, "/api/redirect/307?path=/api/echo")
      assert.truthy(err:find("cannot be sent twice", 1, true), err)
      assert.matches("^HTTP/1%.1 401\n", (fetch(0, { "-i", "-d", "@" .. path }, "/api/status/401")))
      assert.equal(0, sdk.refreshes(dev))
      assert.matches("^HTTP/1%.1 401\n", (fetch(0, { "-i", "-d", "@-" }, "/api/status/401", { input = "a=1" })))
      assert.equal(1, sdk.refreshes(dev))
    end)

    it("is not sent when it cannot be read", function()
      local _, err = fetch(2, { "-d", "@/" }, "/api/echo")
      assert.truthy(err:find("cannot read /: Is a directory", 1, true), err)
      _, err = fetch(2, { "-d", "@-" }, "/api/echo", { shell = "0<&-" })
      assert.truthy(err:find("cannot read standard input: ", 1, true), err)
      _, err = fetch(2, { "-d", "@/no/such/file" }, "/api/echo")
      assert.truthy(err:find("cannot read /no/such/file", 1, true), err)
      assert.equal(0, #dev:log { target = "app" })
    end)
  end)
end)
