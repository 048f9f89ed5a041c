--- The storage that keeps a client's record in a file: one file per client name,
--- mode 0600 in a 0700 directory. The C module is loaded when the first is made.
--- Must never look into the record.

local M = {}

---@class authgear.FileStorageOptions
---@field name string the client's name; any bytes, at most 200 when percent-encoded
---@field dir string|nil directory of the files (default: `authgear` in the platform's data directory)
---@field key string|nil 32 bytes: records are encrypted with it
---@field sealed boolean|nil the same, with a key that comes later: `use_key`

--- What the driver asks of a storage. Each of these can also return
--- `nil, code, message, retryable`; the codes are `storage`, `storage_insecure`,
--- `storage_damaged`, `storage_key`, `storage_version`, `too_large`, `memory` and `closed`.
---@class authgear.FileStorage
---@field kind "file"
---@field get fun(self): string|nil the record, nil when there is none
---@field set fun(self, bytes: string): true returns when it is on the medium; 1 MiB at most
---@field del fun(self): true that there is none is fine
---@field changed fun(self): boolean is it another than the one last got, set or deleted through this object?
---@field try_lock fun(self): boolean false: somebody (this object too) holds it; never waits
---@field unlock fun(self): true
---@field close fun(self): true lets go of the lock
---@field path fun(self): string the record's file
---@field look fun(self): { directory: string|nil, record: string|nil } what is there, "private" or "readable" by others
---@field use_key fun(self, key: string): true

---@param options authgear.FileStorageOptions
---@return authgear.FileStorage|nil storage nothing is read or made yet
---@return string|nil code `storage`: no data directory is known
---@return string|nil message
---@return boolean|nil retryable
function M.new(options)
  return require("authgear.file").open(options)
end

return M
