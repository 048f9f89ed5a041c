--- What `authgear fetch` sends: from the command line, files or standard input. What is small is a string, which can be sent again
-- after a 401 or a redirect; what is not is read while it is sent, once. Must never hold all of a large file, nor let a part of one
-- pass for the whole.
local core = require "authgear.core"

local MIB = 1024 * 1024
local KEPT = 4 * MIB -- a body that is no longer is a string
local JSON_MOST = 16 * MIB -- JSON is looked at as a whole
local BLOCK = 65536

local M = {}

---@class authgear.cli.Data
---@field why string|nil why it could not be read to its end
local Data = {}
Data.__index = Data

-- What DATA stands for: a text, or a file and how it is read; nil and what is wrong.
local function part_of(screen, data)
  if data:sub(1, 1) ~= "@" then
    return { text = data }
  elseif data == "@-" then
    return { name = "standard input", file = screen.input, read = function(size)
      return screen:read(size)
    end }
  end
  local file, why = io.open(data:sub(2), "rb")
  if not file then
    return nil, "cannot read " .. why
  end
  return { name = data:sub(2), file = file, is_ours = true, read = function(size)
    return file:read(size)
  end }
end

--- What the options say is to be sent, with nothing of it read yet; nil: nothing; nil and what is wrong.
---@param screen authgear.cli.Screen whose input is read
---@param data string[]|nil
---@param data_json string|nil
---@return authgear.cli.Data|nil
---@return string|nil
function M.new(screen, data, data_json)
  if data and data_json then
    return nil, "--data and --data-json exclude each other"
  end
  local parts = {}
  for i, one in ipairs(data or { data_json }) do
    local part, why = part_of(screen, one)
    if not part then
      return nil, why
    elseif i > 1 then
      parts[#parts + 1] = { text = "&" }
    end
    parts[#parts + 1] = part
  end
  return parts[1] and setmetatable({ parts = parts, is_json = data_json ~= nil }, Data)
end

-- More of a part: nil or "" at its end; nil and what is wrong.
local function take(part)
  if part.text then
    local text = part.text
    part.text = ""
    return text
  elseif part.left == 0 then
    return nil
  end
  local piece, why = part.read(math.min(BLOCK, part.left or BLOCK))
  if piece then
    part.left = part.left and part.left - #piece
  elseif why or part.left then
    return nil, ("cannot read %s: %s"):format(part.name, why or "it has become shorter meanwhile")
  end
  return piece
end

-- The next piece, never an empty one; nil: the end; nil and what is wrong.
local function next_piece(self)
  while self.parts[1] do
    local piece, why = take(self.parts[1])
    if why then
      self.why = why
      return nil, why
    elseif piece and piece ~= "" then
      return piece
    end
    local part = table.remove(self.parts, 1)
    if part.is_ours then
      part.file:close()
    end
  end
end

-- How many bytes of a file are to come; nil: it does not say, as a pipe does not, nor what only looks like a file.
local function left_of(file)
  local at = file:seek()
  local last = at and file:seek "end"
  if not last then
    return nil
  end
  assert(file:seek("set", at))
  return last > 0 and last >= at and last - at or nil
end

-- How many bytes are to come; nil: that is not known. From here on files give as many as they say now.
local function bytes_left(self)
  local sum = 0
  for _, part in ipairs(self.parts) do
    part.left = part.file and left_of(part.file)
    local size = part.text and #part.text or part.left
    if not size then
      return nil
    end
    sum = sum + size
  end
  return sum
end

--- The body, for client:fetch: a string, or a function and, if it is known, how many bytes that will give. nil and what is
--- wrong.
---@return string|(fun(): string|nil, string|nil)|nil
---@return string|integer|nil
function Data:body()
  local pieces, size, most = {}, 0, self.is_json and JSON_MOST or KEPT
  local piece, why
  repeat
    piece, why = next_piece(self)
    pieces[#pieces + 1] = piece
    size = size + #(piece or "")
  until not piece or size > most
  if why then
    return nil, why
  elseif not piece then
    local text = table.concat(pieces)
    if self.is_json and core.json_decode(text) == nil then
      return nil, "--data-json is no JSON"
    end
    return text
  elseif self.is_json then
    return nil, ("--data-json is longer than %d MiB, and it is checked as a whole; --data sends more"):format(most / MIB)
  end
  local left, i = bytes_left(self), 0
  return function()
    i = i + 1
    piece = pieces[i]
    if piece then
      pieces[i] = false
      return piece
    end
    return next_piece(self)
  end, left and size + left
end

return M
