--- One of all workers does what many want done at the same moment; the others wait for what comes of it. Within a worker
-- semaphores, between workers a lease in a shared dictionary, which nobody can hold longer than for a time that is set.
-- Must never hand on what was made of another key.
local new_semaphore = require("ngx.semaphore").new

local apart = require "authgear.openresty.apart"

local M = {}

local FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.02 -- seconds between two looks at what another worker is doing

local flights = {} -- key -> who is at it in this worker, and who waits for it

-- Alone in this worker: waits until another worker has done it, or does it. A lease that the dictionary has no room for is
-- done without: then each worker does it once.
local function fly(dict, key, seconds, look, work)
  local lease, pause = "lease:" .. key, FIRST_PAUSE
  local last = ngx.now() + 2 * seconds
  while true do
    local value = look()
    if value ~= nil then
      return value
    end
    local taken, why = dict:safe_add(lease, true, seconds)
    if taken or why ~= "exists" then
      value = look() -- between our look and our lease another may have come to its end
      local err
      if value == nil then
        value, err = work()
      end
      if taken then
        dict:delete(lease)
      end
      return value, err
    elseif ngx.now() > last then
      return nil, nil
    end
    ngx.sleep(pause)
    pause = math.min(2 * pause, LONGEST_PAUSE)
  end
end

local function land(key, flight, ok, value, err)
  if flights[key] == flight then
    flights[key] = nil
  end
  flight.over = true
  if ok then
    flight.value, flight.err = value, err
  else
    ngx.log(ngx.ERR, "authgear: an error in what many wait for: ", tostring(value))
  end
  if flight.waiting > 0 then
    flight.semaphore:post(flight.waiting)
  end
end

local function begin(dict, key, seconds, look, work)
  local flight = { waiting = 0, semaphore = new_semaphore() }
  flights[key] = flight
  local function fly_and_land()
    land(key, flight, pcall(fly, dict, key, seconds, look, work))
  end
  if not apart.run(fly_and_land) then
    fly_and_land()
  end
  return flight
end

--- Has `work` done once, apart from all requests: none that ends, or is aborted, ends it.
---@param dict table the shared dictionary
---@param key string
---@param seconds number the work takes at most this long: afterwards another may take over
---@param look fun(): any what the work would bring, when it is there already; nil: it is not
---@param work fun(): any, any leaves what it brings where `look` finds it
---@return any value what look or work gave; nil: it failed
---@return any err
function M.once(dict, key, seconds, look, work)
  local flight = flights[key]
  local value = not flight and look() or nil
  if value ~= nil then
    return value
  end
  repeat
    flight = flights[key] or begin(dict, key, seconds, look, work)
    if not flight.over then
      flight.waiting = flight.waiting + 1
      flight.semaphore:wait(seconds)
    end
    if not flight.over and flights[key] == flight then
      flights[key] = nil -- it was lost
    end
  until flight.over
  return flight.value, flight.err
end

--- Is anybody at it, in any worker?
function M.is_under_way(dict, key)
  return flights[key] ~= nil or dict:get("lease:" .. key) ~= nil
end

return M
