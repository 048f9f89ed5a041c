-- A logged-in client for the specs of fetch, which goes one of two ways. A client that has fetched before sends what is simple
-- without a flow, unless it was given a clock of its own. So those specs show everything both ways.
-- Must never judge what comes back.

local authgear = require "authgear"
local sdk = require "spec.support.sdk"
local with = require "spec.support.with"

local Fetcher = {}
Fetcher.__index = Fetcher

local fetcher = {}

---@param dev table the server
---@param at_once boolean without a flow, where that can be
function fetcher.new(dev, at_once)
  return setmetatable({ dev = dev, at_once = at_once, storage = authgear.storage.memory() }, Fetcher)
end

--- A client of its session; `more` as configure's. As sdk.client.
function Fetcher:open(more)
  local clock = not self.at_once and sdk.clock() or nil
  return assert(sdk.client(self.dev, with({ storage = self.storage, clock = clock }, more)))
end

--- The same, logged in and on its way.
function Fetcher:log_in(more)
  local client, seen = self:open(more)
  sdk.log_in(self.dev, client)
  if self.at_once then
    assert(sdk.hello(self.dev, client) == 200)
    self.dev:reset()
  end
  return client, seen
end

return fetcher
