-- Fetches 1,000 URLs in a luv loop, 50 at a time, while the loop goes on with other things.
--
-- Needs luv. AUTHGEAR_ENDPOINT and AUTHGEAR_CLIENT_ID name your Authgear project, YOUR_SERVER_URL your own server.
-- If somebody has logged in (examples/guide/log_in.lua), their access token goes along, and is refreshed when it gets old.
local uv = require "luv"
local authgear = require "authgear"

local COUNT, AT_A_TIME = 1000, 50
local url = os.getenv "YOUR_SERVER_URL" or "https://example.com/"

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file",
  host = require "authgear.host.luv", -- from here on, calls in a coroutine let the loop go on
})

local started, arrived, statuses, ticks = 0, 0, {}, 0

-- A timer, to see that the loop is never held up.
local timer = uv.new_timer()
timer:start(0, 5, function()
  ticks = ticks + 1
end)

local function worker()
  while started < COUNT do
    started = started + 1
    -- It reads as if it blocked. It doesn't: the coroutine goes on when the answer is there.
    local response, err = authgear.fetch(url .. "?n=" .. started)
    local outcome = response and response.status or err.code
    statuses[outcome] = (statuses[outcome] or 0) + 1
    arrived = arrived + 1
    if arrived == COUNT then
      timer:close()
    end
  end
end

for _ = 1, AT_A_TIME do
  coroutine.wrap(worker)()
end

uv.run() -- ends by itself when all is done

for outcome, times in pairs(statuses) do
  print(outcome, times)
end
print("meanwhile the timer went off", ticks > 0 and "all the time" or "never")
