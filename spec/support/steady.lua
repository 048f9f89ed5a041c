-- Shows that something can be done again and again: memory of ours, Lua's and file descriptors stay where they were.
-- Needs a test build, which counts its blocks. Must never measure before what is made once has been made.

local core = require "authgear.core"
local files = require "spec.support.files"

local steady = {}

local SLACK_BYTES = 1024 -- of as many blocks: what is held in them is not of the same length each time
local SLACK_KB = 64 -- of Lua's memory: what the interpreter keeps of its own
-- Under a tool that sees each lost block by itself, and is slow, fewer turns do.
local TURNS = tonumber(os.getenv "AUTHGEAR_STEADY_TURNS") or 1000

local function measure()
  collectgarbage()
  collectgarbage()
  local _, blocks, bytes = core.test_alloc(0)
  return { blocks = blocks, bytes = bytes, descriptors = files.descriptors(), kb = collectgarbage("count") }
end

--- Does it `times` (TURNS) times, and raises if anything has grown by then. do_it gets the number of the turn.
function steady.check(do_it, times)
  times = times or TURNS
  for i = 1, 50 do
    do_it(i)
  end
  local before = measure()
  for i = 1, times do
    do_it(i)
  end
  local after = measure()
  for what, slack in pairs { blocks = 0, bytes = SLACK_BYTES, descriptors = 0 } do
    if after[what] > before[what] + slack then
      error(("%s: %d before, %d after %d times"):format(what, before[what], after[what], times), 2)
    end
  end
  if after.kb > before.kb + SLACK_KB then
    error(("%.0f KB of Lua memory before, %.0f after %d times"):format(before.kb, after.kb, times), 2)
  end
end

--- Bytes that are held at this moment, to the byte and whatever the system's allocator keeps of what it was given back:
--- Lua's live objects, and what the transfers have allocated. (What libcurl and OpenSSL hold: spec/c/engine_test.c.)
function steady.held()
  collectgarbage()
  collectgarbage()
  local _, _, bytes = require("authgear.curl").test_alloc(0)
  return bytes + collectgarbage "count" * 1024
end

return steady
