--- The resolver's answers for all workers: one request for all that ask about the same token at the same moment, whose answer is
-- kept for a time that is set. Must never keep a token or a cookie, nor an answer for longer than the token lasts.
local core = require "authgear.core"
local resolving = require "authgear.resolve"

local flight = require "authgear.openresty.flight"

local M = {}

---@class authgear.openresty.Answers
local Answers = {}
Answers.__index = Answers

--- Answers of one resolver. options: resolver_url, resolver_host; ttl and negative_ttl: seconds for which an answer is kept (a yes, a
--- no); 0: it is shared by those only who ask while it is on its way.
---@return authgear.openresty.Answers
function M.new(runtime, dict, id, options, ttl, negative_ttl)
  return setmetatable({ runtime = runtime, dict = dict, id = "answer:" .. id .. ":", options = options, ttl = ttl,
    negative_ttl = negative_ttl }, Answers)
end

---@class authgear.openresty.Answer
---@field headers string for core.resolver_claims; "": no
---@field asked number when, in seconds since 1970
---@field until_ number how long it may be used

-- In the dictionary: when it was asked for, until when it may be used, and the headers.
local function load(self, key)
  local kept = self.dict:get(key)
  if not kept then
    return nil
  end
  local asked, until_, headers = kept:match "^([%d.]+) ([%d.]+)\n(.*)$"
  local now = ngx.now()
  if not asked then
    return nil
  end
  asked = tonumber(asked)
  until_ = math.min(tonumber(until_), asked + (headers == "" and self.negative_ttl or self.ttl)) -- others may keep theirs longer
  if now >= asked and now < until_ then
    return { headers = headers, asked = asked, until_ = until_ }
  end
end

local function keep(self, key, answer)
  local seconds = answer.until_ - ngx.now()
  if seconds < 0.001 then
    return
  end
  local value = ("%.3f %.3f\n%s"):format(answer.asked, answer.until_, answer.headers)
  local ok, why = self.dict:safe_set(key, value, seconds)
  if not ok and not self.full then
    self.full = true
    ngx.log(ngx.WARN, "authgear: the shared dictionary has no room for the resolver's answers, each worker keeps its own: ", why)
  end
end

local function ask(self, key, kind, text)
  local asked = ngx.now()
  local headers, err = resolving.ask(self.runtime, self.options, kind, text)
  if not headers then
    return nil, err
  end
  ngx.update_time()
  local answer = { headers = headers, asked = asked, until_ = asked + (headers == "" and self.negative_ttl or self.ttl) }
  local expires = kind == "token" and headers ~= "" and core.jwt_expiry(text)
  if expires and expires < answer.until_ then
    answer.until_ = expires
  end
  keep(self, key, answer)
  return answer
end

--- What the resolver says of what a request shows.
---@param hash string of it
---@param kind "token"|"cookie"
---@param text string
---@return authgear.openresty.Answer|nil
---@return authgear.Error|nil err
function Answers:about(hash, kind, text)
  local key = self.id .. hash
  return flight.once(self.dict, key, self.runtime.timeout + 1, function()
    return load(self, key)
  end, function()
    return ask(self, key, kind, text)
  end)
end

return M
