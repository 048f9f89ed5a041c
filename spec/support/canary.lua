-- Secrets planted to be looked for: makes texts nobody else would write, and finds them, or any eight characters of
-- them in a row, in whatever is shown to it: as they are, percent-encoded, in hex, in base64 and base64url of any
-- alignment. Must never be told that a finding is fine: what may be seen is not shown to it.

local canary = {}

-- What all watches have in common: texts of canary.text, which are the same ones again and again.
local made, common = {}, { raw = {}, hex = {}, base64 = {}, planted = {} }

local WINDOW = 8
local BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
local TOKEN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

--- Base64 with the URL alphabet and no padding.
function canary.base64url(bytes)
  local out, bits, count = {}, 0, 0
  for i = 1, #bytes do
    bits, count = bits * 256 + bytes:byte(i), count + 8
    while count >= 6 do
      local scale = 2 ^ (count - 6)
      local six = math.floor(bits / scale)
      out[#out + 1] = BASE64:sub(six + 1, six + 1)
      bits, count = bits - six * scale, count - 6
    end
  end
  if count > 0 then
    local six = bits * 2 ^ (6 - count)
    out[#out + 1] = BASE64:sub(six + 1, six + 1)
  end
  return table.concat(out)
end

--- Base64 as RFC 4648 section 4 has it, with padding.
function canary.base64(bytes)
  local text = canary.base64url(bytes):gsub("-", "+"):gsub("_", "/")
  return text .. ("="):rep(-#text % 4)
end

function canary.hex(bytes)
  return (bytes:gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end))
end

--- Every byte as %XX.
function canary.percent(bytes)
  return (bytes:gsub(".", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

--- How a secret may turn up, by name. The three alignments of base64 come from what stands before it.
canary.ENCODINGS = {
  raw = function(text) return text end,
  prefix = function(text) return text:sub(1, WINDOW) end,
  middle = function(text) return text:sub(5, 4 + WINDOW) end,
  percent = canary.percent,
  ["percent, small"] = function(text) return canary.percent(text):lower() end,
  hex = canary.hex,
  ["HEX"] = function(text) return canary.hex(text):upper() end,
  ["base64"] = canary.base64,
  ["base64 + 1"] = function(text) return canary.base64(":" .. text) end,
  ["base64 + 2"] = function(text) return canary.base64("id" .. text) end,
  ["base64url"] = canary.base64url,
  ["base64url + 1"] = function(text) return canary.base64url("?" .. text) end,
  ["base64url + 2"] = function(text) return canary.base64url("~:" .. text) end,
  ["base64 of the prefix"] = function(text) return canary.base64("a:" .. text:sub(1, WINDOW) .. "z") end,
}

--- A text of `length` characters that looks random, and is the same for the same name each time.
function canary.text(name, length)
  local state = 40503
  for i = 1, #name do
    state = (state * 131 + name:byte(i)) % 2147483647
  end
  local out = {}
  for i = 1, length or 43 do
    state = (state * 16807) % 2147483647
    local at = math.floor(state / 1000) % #TOKEN + 1
    out[i] = TOKEN:sub(at, at)
  end
  local text = table.concat(out)
  made[text] = true
  return text
end

local Watch = {}
Watch.__index = Watch

function canary.watch()
  return setmetatable({ raw = {}, hex = {}, base64 = {}, leaks = {}, looked = 0, planted = {} }, Watch)
end

local function windows(text, size, into, name)
  for i = 1, #text - size + 1 do
    into[text:sub(i, i + size - 1)] = name
  end
end

--- Looks for `secret` from now on.
function Watch:plant(name, secret)
  local sets = secret and made[secret] and common or self
  if not secret or sets.planted[secret] then
    return
  end
  assert(#secret >= WINDOW, "a secret is too short to be looked for")
  sets.planted[secret] = name
  windows(secret, WINDOW, sets.raw, name)
  windows(canary.hex(secret), 2 * WINDOW, sets.hex, name)
  -- Eight bytes fill ten whole characters of base64, wherever they begin; one that holds bits of others is left out.
  for before = 0, 2 do
    local text = canary.base64url(("x"):rep(before) .. secret)
    local whole = math.floor((before + #secret) * 8 / 6)
    windows(text:sub(math.ceil(before * 8 / 6) + 1, whole), 10, sets.base64, name)
  end
end

local function hit(text, size, set, others)
  for i = 1, #text - size + 1 do
    local piece = text:sub(i, i + size - 1)
    local name = set[piece] or others[piece]
    if name then
      return name
    end
  end
end

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

--- Which secret is in the text, and how; nil: none.
function Watch:find(text)
  self.looked = self.looked + 1
  local name = hit(text, WINDOW, self.raw, common.raw)
  if name then
    return name, "as it is"
  end
  name = text:find("%", 1, true) and hit(unescape(text), WINDOW, self.raw, common.raw)
  if name then
    return name, "percent-encoded"
  end
  name = hit(text:lower(), 2 * WINDOW, self.hex, common.hex)
  if name then
    return name, "in hex"
  end
  name = hit((text:gsub("+", "-"):gsub("/", "_")), 10, self.base64, common.base64)
  if name then
    return name, "in base64"
  end
end

local function note(self, where, text)
  local name, how = self:find(text)
  if name then
    self.leaks[#self.leaks + 1] = ("%s: the %s stands there %s: %s"):format(where, name, how, text:sub(1, 300))
  end
end

local function scan(self, where, value, seen)
  local kind = type(value)
  if kind == "string" then
    note(self, where, value)
  elseif kind == "table" and not seen[value] then
    seen[value] = true
    local mt = getmetatable(value)
    if type(mt) == "table" and mt.__tostring then
      note(self, "tostring(" .. where .. ")", tostring(value))
    end
    for key, one in pairs(value) do
      scan(self, where .. " key", key, seen)
      scan(self, where .. "." .. tostring(key), one, seen)
    end
  end
end

--- Looks through a value: text, and tables with all that is in them.
function Watch:look(where, ...)
  for i = 1, select("#", ...) do
    scan(self, where .. " #" .. i, (select(i, ...)), {})
  end
end

--- Raises if anything was found since the last time.
function Watch:check()
  local leaks = self.leaks
  self.leaks = {}
  if #leaks > 0 then
    error(#leaks .. " leaks:\n" .. table.concat(leaks, "\n", 1, math.min(#leaks, 12)), 2)
  end
end

return canary
