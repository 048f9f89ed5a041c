-- A new directory, and the file stores that one test opens in it: `dir`, `open`, `close`.
-- Must never look at what they write: that is the specs' work.

local file = require "authgear.file"
local files = require "spec.support.files"
local stores = require "spec.support.stores"

local StoreDir = {}
StoreDir.__index = StoreDir

local store_dir = {}

function store_dir.new()
  return setmetatable({ dir = files.temp_dir(), opened = {} }, StoreDir)
end

--- A store of that name ("default"), there or in another directory.
---@param kind table|nil one of stores.lua: the plain one unless told otherwise
function StoreDir:open(name, where, kind)
  local store = assert((kind or stores[1]).open { name = name, dir = where or self.dir })
  self.opened[#self.opened + 1] = store
  return store
end

--- No more faults; all stores closed, and the directory gone.
function StoreDir:close()
  file.test.fault()
  for _, store in ipairs(self.opened) do
    store:close()
  end
  files.remove(self.dir)
end

return store_dir
