-- The development server's faults and what a caller should see of them, for the specs about faults.
-- Must never order a fault: which, where and when is the specs' choice.

local assert = require "luassert"

local faults = {}

--- `times` of a fault: libcurl repeats a GET by itself when a kept connection breaks.
faults.ALWAYS = 1000

-- Seconds: a request is to be sent by then, even under a tool that makes everything slow (scripts/sanitize).
local PATIENCE = os.getenv "AUTHGEAR_WATCHED" and 3 or 0.2

--- What a fault should look like: code, retryable, and what else is known. No code: no error.
faults.list = {
  { kind = "reset", code = "network", retryable = true },
  { kind = "close", code = "network", retryable = true },
  { kind = "hang", code = "timeout", retryable = true, patience = PATIENCE },
  { kind = "truncate", code = "network", retryable = true },
  { kind = "not_http", code = "invalid_response", retryable = false },
  { kind = "garbage", code = "invalid_response", retryable = false, status = 200 },
  { kind = "garbage", binary = true, code = "invalid_response", retryable = false, status = 200 },
  { kind = "empty", code = "invalid_response", retryable = false, status = 200 },
  { kind = "big", bytes = 2 ^ 21, code = "too_large", retryable = false },
  { kind = "status", status = 500, code = "server", retryable = true },
  { kind = "status", status = 503, code = "server", retryable = true },
  { kind = "status", status = 404, code = "invalid_response", retryable = false },
  { kind = "429", retry_after = 7, code = "rate_limited", retryable = true, status = 429 },
  { kind = "redirect", status = 307, code = "invalid_response", retryable = false },
  { kind = "answer", status = 200, body = "[]", code = "invalid_response", retryable = false },
  { kind = "answer", status = 401, body = '{"error":"invalid_client"}', code = "oauth", oauth_error = "invalid_client",
    retryable = false },
  { kind = "answer", status = 400, body = '{"error":"server_error"}', code = "oauth", oauth_error = "server_error",
    retryable = false },
  { kind = "slow", ms = 100 },
  { kind = "drip", ms = 1, bytes = 200 },
}

--- What a fault is called in the name of a test.
function faults.name_of(fault, when)
  local words = { fault.kind }
  for _, key in ipairs { "status", "body", "binary", "bytes" } do
    if fault[key] then
      words[#words + 1] = tostring(fault[key])
    end
  end
  if fault.patch then
    local key, value = next(fault.patch)
    words[#words + 1] = key .. "=" .. tostring(value)
  end
  return table.concat(words, " ") .. ", " .. when .. " it has acted"
end

--- Is this what the fault should look like?
function faults.check_error(fault, value, err)
  if not fault.code then
    assert.is_nil(err and tostring(err))
    assert.truthy(value)
    return
  end
  assert.is_nil(value)
  assert.equal(fault.code, err.code, tostring(err))
  assert.equal(fault.retryable, err.retryable)
  assert.equal(fault.oauth_error, err.oauth_error)
  if fault.status then
    assert.equal(fault.status, err.status)
  end
  if fault.kind == "429" then
    assert.equal(7, err.retry_after)
  end
  assert.truthy(#err.message > 0)
  assert.falsy(tostring(err):find("?", 1, true))
end

return faults
