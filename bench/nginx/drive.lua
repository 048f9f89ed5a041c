-- part
-- Inside the nginx worker that is measured: sends requests in light threads by one client or another, and says how long they
-- took, and how much of the processor the event loop and the whole worker used.
local ffi = require "ffi"

ffi.cdef [[
  struct bench_timespec { long seconds; long nanoseconds; };
  int clock_gettime(int clock, struct bench_timespec *out);
]]

local MONOTONIC, PROCESS, THREAD = 1, 2, 3

local spec = ffi.new "struct bench_timespec"

local function clock(which)
  ffi.C.clock_gettime(which, spec)
  return tonumber(spec.seconds) + tonumber(spec.nanoseconds) / 1e9
end

local token = require("bench.session").token()
local clients = {}

function clients.sdk()
  local client = require("bench.session").client(token, { host = require "authgear.openresty.host", proxy = "",
    ca_file = os.getenv "BENCH_CA" or nil })
  return function(url)
    return client:fetch(url)
  end
end

function clients.cosocket()
  local http = require "spec.support.cosocket_http"
  return function(url)
    return http.new():request_uri(url, { headers = { Authorization = "Bearer " .. token, Accept = "*/*",
      ["User-Agent"] = "bench" } })
  end
end

local made = {}

local function client(kind)
  made[kind] = made[kind] or clients[kind]()
  return made[kind]
end

local M = {}

--- Answers a request with what an upstream says, asked by that client.
function M.answer(kind, url)
  local response = assert(client(kind)(url))
  ngx.header["Content-Type"], ngx.header["Content-Length"] = "application/json", #response.body
  ngx.print(response.body)
end

--- CPU seconds so far: of the event loop, and of the whole worker.
function M.cpu()
  return ("%.9g %.9g"):format(clock(THREAD), clock(PROCESS))
end

--- Sends `count` requests, `at_once` at a time: "rate p50 p99 loop process bytes" (a second, seconds, CPU seconds a request).
function M.run(kind, url, at_once, count)
  local fetch = client(kind)
  local times, left, bytes = {}, count, 0
  local function work()
    while left > 0 do
      left = left - 1
      local began = clock(MONOTONIC)
      local response = assert(fetch(url)) -- others go on meanwhile
      bytes = bytes + #response.body
      times[#times + 1] = clock(MONOTONIC) - began
    end
  end
  local wall, loop, process = clock(MONOTONIC), clock(THREAD), clock(PROCESS)
  local threads = {}
  for i = 1, at_once do
    threads[i] = ngx.thread.spawn(work)
  end
  for i = 1, at_once do
    assert(ngx.thread.wait(threads[i]))
  end
  wall, loop, process = clock(MONOTONIC) - wall, clock(THREAD) - loop, clock(PROCESS) - process
  table.sort(times)
  return ("%.9g %.9g %.9g %.9g %.9g %d"):format(count / wall, times[math.ceil(#times * 0.5)], times[math.ceil(#times * 0.99)],
    loop / count, process / count, bytes / count)
end

return M
