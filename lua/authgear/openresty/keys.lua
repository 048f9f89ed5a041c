--- The issuer's keys for all workers: fetched by one of them, kept in a shared dictionary, asked for anew when they are old or lack
-- a key that a token names, used on while the server is away. The times are those of verify.lua.
-- Must never ask the server oftener than those allow, however many requests make it wish to.
local verifying = require "authgear.verify"

local flight = require "authgear.openresty.flight"
local headers = require "authgear.openresty.headers"

local M = {}

local LOOK = 5 -- seconds between two looks for keys that another worker has fetched

---@class authgear.openresty.Keys
---@field set authgear.Jwks|nil
---@field issuer string|nil
---@field fetched number when, in seconds since 1970
local Keys = {}
Keys.__index = Keys

--- The keys that a client's endpoint announces.
---@param runtime table
---@param dict table the shared dictionary
---@param id string of the endpoint, in keys of the dictionary
---@return authgear.openresty.Keys
function M.new(runtime, dict, id)
  return setmetatable({ runtime = runtime, dict = dict, id = "jwks:" .. id, fetched = 0, tried = 0, next_look = 0 }, Keys)
end

-- Takes over what the dictionary has, if it is newer than what is held. True: it was.
local function load(self)
  self.next_look = ngx.now() + LOOK
  local kept = self.dict:get(self.id)
  local fetched, issuer, text = (kept or ""):match "^([%d.]+)\n([^\n]+)\n(.*)$"
  fetched = tonumber(fetched)
  if not fetched or fetched <= self.fetched then
    return nil
  end
  local set = verifying.jwks(text)
  if not set then
    return nil
  end
  self.set, self.issuer, self.fetched, self.failure = set, issuer, fetched, nil
  return true
end

local function keep(self, text)
  local ok, why = self.dict:safe_set(self.id, ("%.3f\n%s\n%s"):format(self.fetched, self.issuer, text), verifying.STALE)
  if not ok then
    ngx.log(ngx.WARN, "authgear: no room for the issuer's keys in the shared dictionary, each worker fetches its own: ", why)
  end
end

-- May the server be asked? From now on, then, not for a while, by no worker.
local function may_ask(self, interval)
  local now = ngx.now()
  if now - self.tried < interval and now >= self.tried then
    return false
  end
  local ok, why = self.dict:safe_add(self.id .. ":tried", true, interval)
  if not ok and why == "exists" then
    return false
  end
  self.tried = now
  return true
end

local function fetch(self)
  local interval = self.set and verifying.INTERVAL or verifying.FIRST_INTERVAL
  if not may_ask(self, interval) then
    return nil, self.failure
  end
  local set, issuer, text = verifying.fetch(self.runtime)
  if not set then
    self.failure = issuer
    ngx.log(ngx.WARN, "authgear: the issuer's keys cannot be fetched: ", tostring(issuer))
    return nil, issuer
  end
  self.set, self.issuer, self.fetched, self.failure = set, issuer, tonumber(("%.3f"):format(ngx.now())), nil
  self.dict:delete(self.id .. ":tried")
  self.dict:safe_add(self.id .. ":tried", true, verifying.INTERVAL)
  keep(self, text)
  return true
end

-- Newer keys than those that are held, from another worker or the server.
local function renew(self)
  return flight.once(self.dict, self.id, self.runtime.timeout + 1, function()
    return load(self)
  end, function()
    return fetch(self)
  end)
end

--- In a timer: new keys when the old ones are getting old.
function Keys:refresh()
  if not load(self) and ngx.now() - self.fetched >= verifying.MAX_AGE then
    renew(self)
  end
end

-- The request that finds them old need not wait.
local function refresh_aside(self)
  if ngx.now() - self.tried >= verifying.INTERVAL and not self.asked_aside then
    self.asked_aside = ngx.timer.at(0, function(premature)
      self.asked_aside = nil
      if not premature then
        self:refresh()
      end
    end)
  end
end

--- For every request, without waiting: has another worker newer ones, and is it time for new ones? False: there are none that may
--- be used.
---@return boolean
function Keys:look()
  local now = headers.now()
  if now >= self.next_look then
    load(self)
    if self.set and now - self.fetched > verifying.MAX_AGE then
      refresh_aside(self)
    end
  end
  return self.set ~= nil and now - self.fetched <= verifying.STALE
end

--- Sees to it that there are keys that may be used.
---@return boolean|nil ok
---@return authgear.Error|nil err
function Keys:ensure()
  if self:look() then
    return true
  end
  local ok, err = renew(self)
  if not ok then
    return nil, err or self.failure
  end
  return true
end

--- Newer keys, for a token that names one which is not among them. False: there are none for now.
---@return boolean
function Keys:lacks()
  if load(self) then
    return true
  elseif self.dict:get(self.id .. ":tried") and not flight.is_under_way(self.dict, self.id) then
    return load(self) == true -- it may have come between the two
  end
  return renew(self) == true
end

--- Fetches the keys before anybody needs them, and again when they get old: in init_worker_by_lua.
function Keys:warm()
  local function look(premature)
    if not premature then
      self:refresh()
    end
  end
  ngx.timer.at(0, look)
  ngx.timer.every(verifying.INTERVAL, look)
end

return M
