-- The kinds of file stores that the specs of the file store run on: plain, and encrypted with a key. Must never know
-- how the encrypted one does it, but for how many bytes it adds.
local file = require "authgear.file"

local function kind(name, key, more)
  return {
    name = name, key = key, more = more, encrypted = key ~= nil,
    --- A store, as authgear.file.open makes it.
    open = function(options)
      return file.open { name = options.name or "default", dir = options.dir, key = key }
    end,
  }
end

return { kind("plain", nil, 0), kind("encrypted", "0123456789abcdef0123456789ABCDEF", 101) }
