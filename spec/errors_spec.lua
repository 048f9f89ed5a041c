-- The list of error codes in docs/errors.md is the list in the core, and what it says of retrying is so; an error reads
-- well as text.

local core = require "authgear.core"
local errors = require "authgear.errors"

local function documented()
  local file = assert(io.open("docs/errors.md"))
  local text = file:read("*a")
  file:close()
  local rows = {}
  for code, retryable, meaning, advice in text:gmatch("\n| `([%w_]+)` | (%a+) | ([^|]+) | ([^|]+) |") do
    rows[#rows + 1] = { code = code, retryable = retryable, meaning = meaning, advice = advice }
  end
  return rows
end

describe("docs/errors.md", function()
  it("lists every code once, and no other", function()
    local known, seen = {}, {}
    for _, code in ipairs(core.codes()) do
      known[code] = true
    end
    for _, row in ipairs(documented()) do
      assert.truthy(known[row.code], row.code .. " is no code")
      assert.is_nil(seen[row.code], row.code .. " stands there twice")
      seen[row.code] = true
    end
    for code in pairs(known) do
      assert.truthy(seen[code], code .. " is not documented")
    end
  end)

  it("says which are retryable", function()
    for _, row in ipairs(documented()) do
      assert.equal(core.retryable(row.code) and "yes" or "no", row.retryable, row.code)
      assert.equal(core.retryable(row.code), errors.new(row.code, "x").retryable)
    end
  end)

  it("has the transport's codes in docs/transports.md", function()
    local file = assert(io.open("docs/transports.md"))
    local list = file:read("*a"):match("one of the codes (.-) and a `message`")
    file:close()
    local custom = require "authgear.transport.custom"
    local count = 0
    for code in list:gmatch("`([%w_]+)`") do
      local _, got = custom.wrap(function() return nil, { code = code, message = "x" } end):send { method = "GET", url = "https://x/" }
      assert.equal(code, got)
      count = count + 1
    end
    for _, code in ipairs(core.codes()) do
      local _, got = custom.wrap(function() return nil, { code = code, message = "x" } end):send { method = "GET", url = "https://x/" }
      count = count - (got == code and 1 or 0)
    end
    assert.equal(0, count, "some codes are passed on that the page does not name")
  end)
end)

describe("an error", function()
  it("reads well", function()
    local err = errors.new("oauth", "the server answered with an OAuth error")
    assert.equal("oauth: the server answered with an OAuth error", tostring(err))
    err.oauth_error = "invalid_client"
    assert.equal("oauth: the server answered with an OAuth error (invalid_client)", tostring(err))
    err.oauth_error_description = "who?"
    assert.equal("oauth: the server answered with an OAuth error (invalid_client: who?)", tostring(err))
    assert.is_true(errors.is(err))
    assert.is_false(errors.is { code = "oauth" })
  end)

  it("can say otherwise whether to retry", function()
    assert.is_true(errors.new("network", "x").retryable)
    assert.is_false(errors.new("network", "x", false).retryable)
    assert.is_true(errors.new("tls", "x", true).retryable)
  end)
end)

describe("authgear.assert", function()
  local authgear = require "authgear"

  it("gives all it was given", function()
    local function count(...)
      return select("#", ...), ...
    end
    assert.same({ 3, "x", nil, nil }, { count(authgear.assert("x", nil, nil)) })
  end)

  it("raises the error as text, at the caller's line", function()
    local client = assert(authgear.new { endpoint = "https://auth.example.com", client_id = "x" })
    local line = debug.getinfo(1, "l").currentline + 2
    local ok, raised = pcall(function()
      local done = authgear.assert(client:fetch_user_info())
      return done
    end)
    assert.is_false(ok)
    assert.matches("errors_spec%.lua:" .. line .. ": no_session: ", raised)
    ok, raised = pcall(authgear.assert, false)
    assert.is_false(ok)
    assert.equal("assertion failed!", raised)
  end)
end)
