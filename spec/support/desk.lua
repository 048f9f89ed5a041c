-- A stored session and whoever works with it: a directory with the session's file, a clock that can be moved, and clients
-- that are closed afterwards. Must never log in by itself.

local authgear = require "authgear"
local files = require "spec.support.files"
local sdk = require "spec.support.sdk"

local Desk = {}
Desk.__index = Desk

local desk = {}

local function put(options, more)
  for key, value in pairs(more or {}) do
    options[key] = value or nil
  end
end

---@param dev table the server
---@param usual table|nil options that its clients have besides; false: an option that they have not
function desk.new(dev, usual)
  return setmetatable({ dev = dev, usual = usual, dir = sdk.temp_dir(), clock = sdk.clock(), opened = {} }, Desk)
end

--- A client of the desk's session; `more` as configure's, false leaves one out. As sdk.client.
function Desk:try_open(more)
  local options = { clock = self.clock, storage = authgear.storage.file { dir = self.dir } }
  put(options, self.usual)
  put(options, more)
  local client, seen = sdk.client(self.dev, options)
  if client then
    self.opened[#self.opened + 1] = client
  end
  return client, seen
end

--- The same, and it has to be there.
function Desk:open(more)
  local client, seen = self:try_open(more)
  assert(client, tostring(seen))
  return client, seen
end

--- Closes all clients; nothing is left of the session here.
function Desk:close()
  for _, client in ipairs(self.opened) do
    client:close()
  end
  files.remove(self.dir)
end

return desk
