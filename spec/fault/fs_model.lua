-- A file system in memory that forgets as much as POSIX lets it: what a power cut can leave behind after any prefix of
-- a list of recorded system calls (authgear.file's test.records).
--   Bytes that were not synced may be lost, cut short anywhere, or be zeros up to the size they should have.
--   A name made, replaced or removed in a directory that was not synced since may or may not be so, each by itself, in
--   any combination; the file's own sync does not help there.
-- Must never do I/O.

local model = {}

local Fs = {}
Fs.__index = Fs

local function normal(path)
  path = path:gsub("/%.$", ""):gsub("/+$", "")
  return path == "" and "/" or path
end

local function parent_of(path)
  local parent, name = path:match("^(.*)/([^/]+)$")
  return normal(parent), name
end

-- A directory: which names are certain, which are there now, and what led from one to the other.
local function new_dir()
  return { kind = "dir", certain = {}, now = {}, pending = {} }
end

--- root: the path of the directory that is there for certain; everything happens below it.
function model.new(root)
  return setmetatable({ root = normal(root), top = new_dir(), open = {} }, Fs)
end

--- The directory now at a path, as the running system sees it.
function Fs:dir(path)
  path = normal(path)
  if path == self.root then
    return self.top
  end
  if path:sub(1, #self.root + 1) ~= self.root .. "/" then
    return nil
  end
  local node = self.top
  for name in path:sub(#self.root + 2):gmatch("[^/]+") do
    node = node and node.now[name]
  end
  return node
end

local function change(dir, entry)
  dir.pending[#dir.pending + 1] = entry
  for name, node in pairs(entry) do
    dir.now[name] = node or nil
  end
end

local function sync_dir(dir)
  dir.pending = {}
  dir.certain = {}
  for name, node in pairs(dir.now) do
    dir.certain[name] = node
  end
end

local CALLS = {}

function CALLS.open_dir(fs, call)
  fs.open[call.result] = fs:dir(call.name)
end

function CALLS.mkdir(fs, call)
  local parent, name = parent_of(normal(call.name))
  change(assert(fs:dir(parent), "mkdir outside the model"), { [name] = new_dir() })
end

function CALLS.open_new(fs, call)
  local node = { kind = "file", synced = "", now = "" }
  change(fs.open[call.fd], { [call.name] = node })
  fs.open[call.result] = node
end

function CALLS.open_lock(fs, call)
  local node = fs.open[call.fd].now[call.name]
  if not node then
    node = { kind = "file", synced = "", now = "" }
    change(fs.open[call.fd], { [call.name] = node })
  end
  fs.open[call.result] = node
end

function CALLS.open(fs, call)
  fs.open[call.result] = fs.open[call.fd].now[call.name]
end

function CALLS.write(fs, call)
  local node = fs.open[call.fd]
  node.now = node.now .. call.bytes
end

function CALLS.fsync(fs, call)
  fs.open[call.fd].synced = fs.open[call.fd].now
end

function CALLS.fsync_dir(fs, call)
  local dir = fs.open[call.fd]
  if dir then -- not one above the model's root
    sync_dir(dir)
  end
end

function CALLS.rename(fs, call)
  local dir = fs.open[call.fd]
  change(dir, { [call.name] = false, [call.to] = assert(dir.now[call.name], "renames what is not there") })
end

function CALLS.unlink(fs, call)
  local dir = fs.open[call.fd]
  if dir.now[call.name] then
    change(dir, { [call.name] = false })
  end
end

function CALLS.close(fs, call)
  fs.open[call.fd] = nil
end

-- These change nothing that outlives a power cut.
for _, op in ipairs { "fstat", "stat", "read", "touch", "lock", "unlock", "list", "random" } do
  CALLS[op] = function() end
end

--- Does what one recorded call did. A call that failed did nothing.
function Fs:apply(call)
  local apply = assert(CALLS[call.op], "the model does not know " .. tostring(call.op))
  if call.result >= 0 then
    apply(self, call)
  end
end

-- Every file that bytes not synced may turn into.
local function contents(node)
  local all, seen = {}, {}
  local function add(bytes)
    if not seen[bytes] then
      seen[bytes] = true
      all[#all + 1] = bytes
    end
  end
  add(node.synced)
  if node.now ~= node.synced then
    local size = #node.now
    local step = math.max(1, math.floor(size / 64))
    for n = 0, size, step do
      add(node.now:sub(1, n))
      add(node.now:sub(1, n) .. ("\0"):rep(size - n))
    end
    add(node.now)
  end
  return all
end

-- Every node that name may lead to in dir after a power cut; false among them: none.
local function nodes(dir, name)
  local found, seen = {}, {}
  local relevant = {}
  for _, entry in ipairs(dir.pending) do
    if entry[name] ~= nil then
      relevant[#relevant + 1] = entry[name]
    end
  end
  -- Of changes to one name in any combination, the last one that happened decides.
  relevant[#relevant + 1] = dir.certain[name] or false
  for _, node in ipairs(relevant) do
    if not seen[node] then
      seen[node] = true
      found[#found + 1] = node
    end
  end
  return found
end

local function collect(node, names, i, out)
  if not node then
    out[#out + 1] = false
  elseif i > #names then
    for _, bytes in ipairs(contents(node)) do
      out[#out + 1] = bytes
    end
  else
    for _, below in ipairs(nodes(node, names[i])) do
      collect(below, names, i + 1, out)
    end
  end
end

--- All that a reader of path may find after a power cut now: strings, and false for no file.
function Fs:after_power_cut(path)
  local names, out = {}, {}
  assert(path:sub(1, #self.root + 1) == self.root .. "/", "a path outside the model")
  for name in path:sub(#self.root + 2):gmatch("[^/]+") do
    names[#names + 1] = name
  end
  collect(self.top, names, 1, out)
  return out
end

--- What a reader of path finds if nothing happens: a string, or false.
function Fs:as_it_is(path)
  local parent, name = parent_of(path)
  local dir = self:dir(parent)
  local node = dir and dir.now[name]
  return node and node.now or false
end

return model
