--- The host inside nginx: calls wait as light threads do. The engine's thread sends and receives; one light thread for each
-- worker, the reader, waits for its news and wakes those concerned.
-- Must never keep a worker from ending: the reader lives as long as somebody waits, and a little longer.
local apart = require "authgear.openresty.apart"
local current = require "authgear.current"
local leaving = require "authgear.openresty.leaving"

local new_semaphore = require("ngx.semaphore").new
local get_phase, sleep, timer_at, exiting = ngx.get_phase, ngx.sleep, ngx.timer.at, ngx.worker.exiting

local TICK = 1 -- seconds between two looks whether the reader is still needed
local IDLE_TICKS = 5 -- it stays as long with nothing to do: a new one costs a connection
local FOR_EVER = 2 ^ 31 - 1 -- milliseconds
local LOOK_AGAIN = 1 -- seconds after which those who wait look by themselves
local POLL = 0.005 -- the same where no reader can be had
local POOL = 1024 -- semaphores kept

local WAITS = {
  rewrite = true, server_rewrite = true, access = true, content = true, timer = true, ssl_cert = true,
  ssl_client_hello = true, ssl_session_fetch = true,
}

---@class authgear.openresty.host : authgear.Host
local M = { engine = true, owe = leaving.owe }

-- The number of a job -> the semaphore of the light thread that waits for it. The thread's stack holds it, nothing else: nginx
-- may throw a light thread away wherever it waits.
local waiting = setmetatable({}, { __mode = "v" })
local pool, pooled = {}, 0
local reader = { running = false, asked = nil, broken = false }

function M.refuses()
  local phase = not leaving.deadline and get_phase()
  if phase and not WAITS[phase] then
    return "this has to wait, and nothing can wait in nginx's phase " .. phase
  end
end

--- What waits for nothing after all can be done here and now.
function M.blocks()
  return leaving.deadline ~= nil or not WAITS[get_phase()]
end

-- nginx's coroutine.status knows only the coroutines of the request that asks.
M.status = rawget(coroutine, "_status") or coroutine.status

function M.sleep(seconds)
  if leaving.deadline then
    return leaving.sleep(seconds)
  end
  sleep(seconds)
end

--- Where no request's end ends it; nginx ends only when it has run.
M.spawn = apart.run

function M.await(start, seconds)
  local semaphore = new_semaphore()
  start(function()
    semaphore:post(1)
  end)
  semaphore:wait(seconds or LOOK_AGAIN)
end

-- Wakes whom the engine has news for. Did it have any?
local function collect(engine)
  local id = engine:ready()
  local any = id ~= nil
  while id do
    local semaphore = waiting[id]
    if semaphore then
      waiting[id] = nil
      semaphore:post(1)
    end
    id = engine:ready()
  end
  return any
end

local function connect(engine)
  local socket = ngx.socket.tcp()
  socket:settimeout(FOR_EVER)
  local path, _, why = engine:listen()
  if not path then
    return nil, why
  end
  local ok
  ok, why = socket:connect("unix:" .. path)
  if ok then
    ok, _, why = engine:accept()
  end
  if not ok then
    socket:close()
    return nil, why
  end
  return socket
end

-- Is anybody there to be woken? Light threads that nginx has thrown away don't count when it matters.
local function is_needed()
  if exiting() then
    collectgarbage()
    collectgarbage()
  end
  return next(waiting) ~= nil
end

-- Beside the reader: has it end when it is not needed any more.
local function watch(engine, state)
  local idle = 0
  while not state.over do
    sleep(TICK)
    if is_needed() or state.busy then
      idle, state.busy = 0, false
    else
      idle = idle + 1
    end
    if idle > 0 and (idle >= IDLE_TICKS or exiting()) then
      state.over = true
      engine:poke()
    end
  end
end

local function read(engine, socket)
  local state = {}
  local watcher = ngx.thread.spawn(watch, engine, state)
  repeat
    if collect(engine) then
      state.busy = true
    end
    local ok = true
    if engine:rest() and not state.over then
      ok = socket:receiveany(4096)
    end
  until state.over or not ok
  state.over = true
  ngx.thread.kill(watcher)
  socket:close()
end

local function run_reader()
  if reader.running then
    return -- asked for twice, since the first one came late
  end
  reader.running, reader.asked = true, nil
  local engine = current.engine
  local socket, why = connect(engine)
  reader.broken = not socket
  if socket then
    read(engine, socket)
  else
    ngx.log(ngx.WARN, "authgear: no socket to the engine, which is asked again and again instead: ", why)
  end
  reader.running = false
  if socket and next(waiting) ~= nil then
    M.ensure_reader()
  end
end

--- Has the reader run. It may be asked for any number of times.
function M.ensure_reader()
  if not (reader.running or reader.broken or (reader.asked and ngx.now() - reader.asked < LOOK_AGAIN)) then
    reader.asked = ngx.now()
    timer_at(0, run_reader)
  end
end

local function take_semaphore()
  if pooled == 0 then
    return new_semaphore()
  end
  local semaphore = pool[pooled]
  pool[pooled] = nil
  pooled = pooled - 1
  return semaphore
end

--- Waits for news of a job of the engine's.
function M.await_job(by, job, seconds)
  if leaving.deadline then
    return leaving.await(by.engine)
  end
  local id, semaphore = job:id(), take_semaphore()
  waiting[id] = semaphore
  M.ensure_reader()
  semaphore:wait(math.min(seconds or LOOK_AGAIN, reader.broken and POLL or LOOK_AGAIN))
  waiting[id] = nil
  if not reader.running then
    collect(by.engine)
  end
  if pooled < POOL then
    pooled = pooled + 1
    pool[pooled] = semaphore
  end
end

return M
