-- The encrypted file storage, as clients have it: nothing to read in the file, old plain files taken over, another
-- key or another client's file refused without a byte being changed. How the store writes stands in
-- file_store_spec.lua and spec/fault/, how it encrypts in spec/c/crypto_seal_test.c.
-- takes: 3

local authgear = require "authgear"
local errors = require "authgear.errors"
local files = require "spec.support.files"
local program = require "spec.support.program"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local stores = require "spec.support.stores"
local with = require "spec.support.with"

local KEY, OTHER = stores[2].key, ("o"):rep(32)

describe("the encrypted file storage", function()
  local dev, dir

  before_each(function()
    dev = server.shared()
    dir = sdk.temp_dir()
  end)

  after_each(function()
    files.remove(dir)
  end)

  local function open(key, more)
    return sdk.client(dev, with({ storage = authgear.storage.file { dir = dir, key = key } }, more))
  end

  local function bytes(name)
    return files.read(sdk.record_path(dir, name))
  end

  local function logged_in(key, more)
    local client = assert(open(key, more))
    sdk.log_in(dev, client)
    client:close()
  end

  -- The other one refuses, with this code, and the file stays as it is.
  local function refuses(code, key, more)
    local before = bytes(more and more.name)
    local client, err = open(key, more)
    assert.is_nil(client)
    assert.equal(code, err.code)
    assert.is_false(err.retryable)
    assert.is_nil(tostring(err):find(KEY, 1, true))
    assert.is_true(bytes(more and more.name) == before)
    return err
  end

  it("keeps a session that can be read with the key alone", function()
    logged_in(KEY)
    local kept = bytes()
    assert.is_nil(kept:find "token")
    assert.is_nil(kept:find(dev.endpoint, 1, true))
    local client, seen = open(KEY)
    assert.same({ "AUTHENTICATED FOUND_TOKEN" }, seen)
    assert.equal(200, client:fetch(dev.app .. "/api/hello").status)
    assert.is_true(client:refresh_access_token())
    assert.is_false(bytes() == kept)
    client:close()
  end)

  it("writes the same record differently each time", function()
    local store = stores[2].open { dir = dir }
    local seen = {}
    for _ = 1, 20 do
      assert.is_true(store:set "record")
      local now = files.read(store:path())
      assert.is_nil(seen[now])
      seen[now] = true
    end
    store:close()
  end)

  it("refuses another key, and none", function()
    logged_in(KEY)
    local err = refuses("storage_key", OTHER)
    assert.truthy(err.message:find("another key", 1, true))
    err = refuses("storage_key", nil)
    assert.truthy(err.message:find("no key was given", 1, true))
  end)

  it("refuses to write over what another key has encrypted", function()
    logged_in(KEY)
    local before = bytes()
    local store = assert(require("authgear.file").open { dir = dir, name = "default", key = OTHER })
    local done, code = store:set "record"
    assert.same({ nil, "storage_key" }, { done, code })
    assert.is_true(bytes() == before)
    assert.is_true(store:del())
    assert.is_true(store:set "record")
    store:close()
  end)

  it("can be cleared without the key, if that is demanded", function()
    logged_in(KEY)
    local client = authgear.new { endpoint = dev.endpoint, client_id = "native" }
    assert.is_nil((client:configure { endpoint = dev.endpoint, client_id = "native",
      storage = authgear.storage.file { dir = dir, key = OTHER } }))
    local ok, err = client:clear_session_state()
    assert.is_nil(ok)
    assert.equal("storage_key", err.code)
    assert.is_true(client:clear_session_state { force = true })
    sdk.log_in(dev, client)
    client:close()
    assert.equal("AUTHENTICATED", open(OTHER):session_state())
  end)

  -- One byte is another one, whichever it was.
  local function with_another(text, at)
    return text:sub(1, at - 1) .. (text:sub(at, at) == "?" and "!" or "?") .. text:sub(at + 1)
  end

  it("notices that the file is damaged, and does not take it for a wrong key", function()
    logged_in(KEY)
    local path, whole = sdk.record_path(dir), bytes()
    for _, damage in ipairs {
      function(b) return b:sub(1, -2) end, function(b) return b .. "x" end, function(b) return b:sub(1, 40) end,
      function(b) return with_another(b, 21) end, function(b) return with_another(b, #b - 18) end,
    } do
      files.write(path, damage(whole))
      refuses("storage_damaged", KEY)
      refuses("storage_damaged", OTHER)
      refuses("storage_damaged", nil)
    end
    files.write(path, "") -- an encrypted file that lost all of its bytes is no session
    assert.equal("storage_damaged", select(2, open(KEY)).code)
    files.write(path, whole)
    assert.equal("AUTHENTICATED", open(KEY):session_state())
  end)

  it("takes no other client's file for its own", function()
    logged_in(KEY)
    logged_in(KEY, { name = "second" })
    files.sh("cp " .. files.quote(sdk.record_path(dir, "second")), sdk.record_path(dir))
    local err = refuses("storage_damaged", KEY)
    assert.truthy(err.message:find("another client's", 1, true))
    assert.equal("AUTHENTICATED", open(KEY, { name = "second" }):session_state())
  end)

  it("refuses a later release's", function()
    logged_in(KEY)
    local b = bytes()
    local changed = b:sub(1, 8) .. "\2" .. b:sub(10, -33)
    files.write(dir .. "/body", changed)
    local digest = files.sh("sha256sum " .. files.quote(dir .. "/body")):match "^%x+"
    files.write(sdk.record_path(dir), changed .. digest:gsub("%x%x", function(two)
      return string.char(tonumber(two, 16))
    end))
    refuses("storage_version", KEY)
    refuses("storage_version", nil)
  end)

  it("takes over a plain file, and encrypts it with the next write", function()
    logged_in(nil)
    local plain = bytes()
    assert.truthy(plain:find("refresh_token", 1, true))
    local client, seen = open(KEY)
    assert.same({ "AUTHENTICATED FOUND_TOKEN" }, seen)
    assert.is_true(bytes() == plain)
    assert.is_true(client:refresh_access_token())
    assert.is_nil(bytes():find "token")
    client:close()
    assert.equal("AUTHENTICATED", open(KEY):session_state())
    refuses("storage_key", nil)
  end)

  describe("with a key source", function()
    local asked

    local function source(answer)
      asked = {}
      return { get = function(_, name, make)
        asked[#asked + 1] = name .. (make and " make" or "")
        return answer(make)
      end }
    end

    local function key()
      return KEY
    end

    it("asks for the key when it is needed, and not before", function()
      local client = assert(open(source(key)))
      assert.same({}, asked)
      sdk.log_in(dev, client)
      assert.same({ "default make" }, asked)
      assert.is_true(client:refresh_access_token())
      client:close()
      assert.same({ "default make" }, asked)
      client = assert(open(source(key)))
      assert.same({ "default" }, asked)
      assert.is_true(client:refresh_access_token())
      assert.same({ "default" }, asked)
      client:close()
      assert.equal("AUTHENTICATED", open(KEY):session_state())
    end)

    it("never has a key made where a record needs the old one", function()
      logged_in(KEY)
      local before = bytes()
      local store = assert(require("authgear.storage.keyed").new { dir = dir, name = "default", key = source(function(make)
        return make and OTHER or nil
      end) })
      assert.equal("storage_key", (select(2, store:set "record")))
      assert.same({ "default" }, asked)
      assert.is_true(bytes() == before)
      store:close()
    end)

    it("says what became of the key", function()
      logged_in(KEY)
      local cases = {
        { "storage_key", function() end }, { "storage_key", function() return OTHER end },
        { "keyring", function() return nil, KEY end }, { "user_code", function() error(KEY) end },
        { "user_code", function() return "too short" end }, { "user_code", function() return {} end },
        { "timeout", function() return nil, { code = "timeout", message = KEY } end },
        { "keyring", function() return nil, { code = KEY } end },
        { "network", function() return nil, errors.new("network", "no way") end },
      }
      for _, case in ipairs(cases) do
        local client, err = open(source(case[2]))
        assert.is_nil(client)
        assert.equal(case[1], err.code)
        assert.is_nil(tostring(err):find(KEY, 1, true))
      end
    end)
  end)

  it("wants 32 bytes, or a source, and shows neither", function()
    for _, wrong in ipairs { "", "password", ("k"):rep(31), ("k"):rep(33), 12, true, {}, { get = "x" } } do
      local ok, message = pcall(authgear.storage.file, { key = wrong })
      assert.is_false(ok)
      assert.truthy(message:find("option 'key' must be a string of 32 random bytes", 1, true), message)
      assert.is_nil(message:find("kkk", 1, true))
    end
    for _, wrong in ipairs { { key = ("k"):rep(31) }, { key = 12 } } do
      wrong.dir, wrong.name = dir, "x"
      assert.is_false(pcall(require("authgear.file").open, wrong))
    end
    local plain = assert(stores[1].open { dir = dir })
    assert.is_false(pcall(plain.use_key, plain, KEY))
    assert.is_false(pcall(plain.use_key, plain, "short"))
    assert.is_false(pcall(authgear.storage.system_key, { timeout = 0 }))
    assert.is_false(pcall(authgear.storage.system_key, { service = "" }))
  end)

  it("costs programs without it nothing", function()
    local out = program.run([[
      local authgear = require "authgear"
      assert(authgear.configure { endpoint = "https://a.example", client_id = "c", storage = authgear.storage.file { dir = ... } })
      authgear.session_state()
      for name in pairs(package.loaded) do
        if name:find "keyring" or name:find "keyed" or name:find "system_key" or name:find "doctor" or name:find "%.cli%f[%W]" then
          print(name)
        end
      end
    ]], { args = { dir } })
    assert.equal("", out)
  end)
end)
