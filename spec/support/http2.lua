-- A small HTTP/2 client for specs, in clear text (h2c, prior knowledge): header blocks byte by byte, so that names can be sent that
-- no other client sends. Of an answer it reads the status (as nginx writes it) and the body.
-- It must never share code with the SDK, which it is there to check.

local socket = require "socket"

local http2 = {}

local PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
local DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 7, 8, 9
local END_STREAM, END_HEADERS = 1, 4
local LARGEST = 16384 -- bytes of a frame
local STATUS = { [8] = 200, [9] = 204, [10] = 206, [11] = 304, [12] = 400, [13] = 404, [14] = 500 } -- by index

local function bytes(n, width)
  local text = ""
  for _ = 1, width do
    text = string.char(n % 256) .. text
    n = math.floor(n / 256)
  end
  return text
end

local function number(text)
  local n = 0
  for i = 1, #text do
    n = n * 256 + text:byte(i)
  end
  return n
end

local function frame(kind, flags, stream, payload)
  return bytes(#payload, 3) .. string.char(kind, flags) .. bytes(stream, 4) .. payload
end

-- ---- header blocks (HPACK) ----

-- A number with a prefix of so many bits, behind what stands in the first byte above them.
local function integer(n, bits, above)
  local most = 2 ^ bits - 1
  if n < most then
    return string.char(above + n)
  end
  local text = string.char(above + most)
  n = n - most
  while n >= 128 do
    text = text .. string.char(n % 128 + 128)
    n = math.floor(n / 128)
  end
  return text .. string.char(n)
end

-- RFC 7541, appendix B, as far as it is needed: the codes of the first letters of each length.
local CODES = {}
for _, row in ipairs { { 5, 0, "012aceiost" }, { 6, 22, "-." }, { 6, 33, "A_b" }, { 6, 36, "dfghlmnpru" }, { 7, 116, "jkqvwxyz" } } do
  for i = 1, #row[3] do
    CODES[row[3]:sub(i, i)] = { row[2] + i - 1, row[1] }
  end
end

local function huffman(text)
  local bits = {}
  for c in text:gmatch "." do
    local code = assert(CODES[c], "no code for " .. c)
    for i = code[2] - 1, 0, -1 do
      bits[#bits + 1] = math.floor(code[1] / 2 ^ i) % 2
    end
  end
  local out = {}
  for at = 1, #bits, 8 do
    local byte = 0
    for i = at, at + 7 do
      byte = byte * 2 + (bits[i] or 1)
    end
    out[#out + 1] = string.char(byte)
  end
  return table.concat(out)
end

local function text_of(text, compressed)
  if compressed then
    text = huffman(text)
  end
  return integer(#text, 7, compressed and 128 or 0) .. text
end

-- How a field is sent: plain; into the connection's table, where `indexed` finds it; not to be kept by anybody; compressed.
local FORMS = { plain = 0, kept = 64, never = 16, huffman = 0 }

--- A header field. how: "plain" (the default), "kept", "never" or "huffman".
function http2.field(name, value, how)
  how = how or "plain"
  return string.char(FORMS[how]) .. text_of(name, how == "huffman") .. text_of(value)
end

--- A field that was sent as "kept" before, counted from the last one (1).
function http2.indexed(n)
  return integer(61 + n, 7, 128)
end

--- A field whose name was, with another value.
function http2.named_as(n, value)
  return integer(61 + n, 4, 0) .. text_of(value)
end

-- ---- connections ----

local Connection = {}
Connection.__index = Connection

function http2.connect(port)
  local s = assert(socket.connect("127.0.0.1", port))
  s:settimeout(20)
  local settings = bytes(4, 2) .. bytes(2 ^ 24, 4) -- room for any answer: INITIAL_WINDOW_SIZE
  assert(s:send(PREFACE .. frame(SETTINGS, 0, 0, settings) .. frame(WINDOW_UPDATE, 0, 0, bytes(2 ^ 24, 4))))
  return setmetatable({ socket = s, stream = -1 }, Connection)
end

--- Sends a request: its path and header fields as http2.field makes them. more: what else is sent in its stream, as frames
--- { kind, flags, payload }, the last of which has to end it.
function Connection:send(path, fields, more)
  self.stream = self.stream + 2
  local block = "\130\134\4" .. text_of(path) .. "\1" .. text_of "api.test" .. table.concat(fields or {})
  local at, kind, flags = 1, HEADERS, more and 0 or END_STREAM
  local out = {}
  repeat
    local piece = block:sub(at, at + LARGEST - 1)
    at = at + #piece
    out[#out + 1] = frame(kind, flags + (at > #block and END_HEADERS or 0), self.stream, piece)
    kind, flags = CONTINUATION, 0
  until at > #block
  for _, one in ipairs(more or {}) do
    out[#out + 1] = frame(one[1], one[2], self.stream, one[3])
  end
  self.socket:send(table.concat(out)) -- may fail: the other side closes when it has seen enough
end

local function status_of(block)
  local first = block:byte()
  if first > 128 then
    return STATUS[first - 128]
  end
  return tonumber(block:sub(3, 5))
end

--- The answer to what was sent last: { status, body }, or { refused = why } when the stream or the connection was ended instead.
function Connection:receive()
  local answer = { body = "" }
  while true do
    local head = self.socket:receive(9)
    if not head then
      answer.refused = answer.refused or "closed"
      return answer
    end
    local size, kind, flags, stream = number(head:sub(1, 3)), head:byte(4), head:byte(5), number(head:sub(6, 9))
    local payload = size > 0 and assert(self.socket:receive(size)) or ""
    if kind == SETTINGS and flags == 0 then
      self.socket:send(frame(SETTINGS, 1, 0, ""))
    elseif kind == GOAWAY then
      answer.refused = "GOAWAY " .. number(payload:sub(5, 8))
    elseif stream == self.stream and kind == RST_STREAM then
      answer.refused = answer.status == nil and "RST_STREAM" or nil
      return answer
    elseif stream == self.stream then
      if kind == HEADERS then
        answer.status = status_of(payload)
      elseif kind == DATA then
        answer.body = answer.body .. payload
      end
      if flags % 2 == END_STREAM then
        return answer
      end
    end
  end
end

function Connection:close()
  self.socket:close()
end

--- One request on a connection of its own.
function http2.request(port, path, fields, more)
  local connection = http2.connect(port)
  connection:send(path, fields, more)
  local answer = connection:receive()
  connection:close()
  return answer
end

http2.END_STREAM, http2.END_HEADERS, http2.DATA, http2.HEADERS = END_STREAM, END_HEADERS, DATA, HEADERS

return http2
