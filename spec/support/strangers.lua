-- Whoever connects to a loopback listener that is polled in the same process: browsers, and others.
-- Must never share code with the SDK, which it is there to annoy.

local assert = require "luassert"
local loopback = require "authgear.loopback"
local socket = require "socket"

local strangers = {}

strangers.STATE = "st4te-Of_this~login"
--- The redirect that a listener takes that expects this state.
strangers.GOOD = "/callback?code=c0de-1234567890&state=" .. strangers.STATE

--- Whether this machine has IPv6.
function strangers.have_v6()
  local listener = loopback.listen { host = "::1" }
  return listener ~= nil and listener:close()
end

local Stranger = {}
Stranger.__index = Stranger

--- A listener's visitors and the listeners themselves, closed together: `keep`, `listen`, `expecting`, `connect`, `close`.
local Place = {}
Place.__index = Place

function strangers.place()
  return setmetatable({ open = {} }, Place)
end

function Place:keep(one)
  self.open[#self.open + 1] = one
  return one
end

function Place:listen(options)
  options = options or {}
  options.path = options.path or "/callback"
  return self:keep(assert(loopback.listen(options)))
end

--- One that waits for a log-in of that state.
function Place:expecting(options)
  local listener = self:listen(options)
  assert(listener:expect(strangers.STATE))
  return listener
end

function Place:connect(listener, host)
  return self:keep(assert(strangers.connect(listener:port(), host)))
end

function Place:close()
  for _, one in ipairs(self.open) do
    one:close()
  end
end

--- Connects; the listener need not be polled for that.
---@param port integer
---@param host string|nil "127.0.0.1"
function strangers.connect(port, host)
  host = host or "127.0.0.1"
  local conn = assert(host:find(":", 1, true) and socket.tcp6() or socket.tcp4())
  conn:settimeout(5)
  local ok, err = conn:connect(host, port)
  if not ok then
    conn:close()
    return nil, err
  end
  conn:settimeout(0)
  return setmetatable({ conn = conn, got = {} }, Stranger)
end

--- Sends what can be sent at once; the number of bytes that went.
function Stranger:send(text)
  local last, _, partial = self.conn:send(text)
  return last or partial or 0
end

--- Reads what is there: true when the other side has ended.
function Stranger:read()
  local text, err, partial = self.conn:receive "*a"
  text = text or partial
  self.got[#self.got + 1] = text
  self.ended = self.ended or err ~= "timeout"
  return self.ended
end

function Stranger:text()
  return table.concat(self.got)
end

function Stranger:close()
  self.conn:close()
end

--- Closes so that the other side sees a reset.
function Stranger:reset()
  assert(self.conn:setoption("linger", { on = true, timeout = 0 }))
  self.conn:close()
end

--- An HTTP answer's parts.
function strangers.parse(text)
  local status, head, body = text:match "^HTTP/1%.1 (%d+) [^\r\n]*(\r\n.-)\r\n\r\n(.*)$"
  if not status then
    return nil
  end
  local headers = {}
  for name, value in head:gmatch "\r\n([^:\r\n]+): ([^\r\n]*)" do
    headers[name:lower()] = value
  end
  return { status = tonumber(status), headers = headers, body = body }
end

local function give_up_at()
  return socket.gettime() + 10
end

--- Polls until done() says so: what poll took meanwhile. Raises after 10 seconds.
function strangers.poll_until(listener, done)
  local limit, taken = give_up_at(), nil
  while not done() do
    assert(socket.gettime() < limit, "nothing happened for 10 seconds")
    local target, code, message = listener:poll(0.01)
    assert(not code, message)
    taken = taken or target
  end
  return taken
end

--- Sends a request as a whole, however slowly the listener reads: the answer (nil: none) and what poll took.
function strangers.ask(listener, request, host)
  local one = assert(strangers.connect(listener:port(), host))
  local sent = one:send(request)
  local taken = strangers.poll_until(listener, function()
    if sent < #request and not one.ended then
      sent = sent + one:send(request:sub(sent + 1))
    end
    return one:read()
  end)
  one:close()
  return strangers.parse(one:text()), taken
end

function strangers.get(target, more)
  return "GET " .. target .. " HTTP/1.1\r\nHost: 127.0.0.1\r\n" .. (more or "") .. "\r\n"
end

--- Whatever came before, the listener takes the redirect it is there for.
---@param target string|nil where that is not GOOD
function strangers.still_takes(listener, target)
  target = target or strangers.GOOD
  local answer, taken = strangers.ask(listener, strangers.get(target))
  assert.equal(target, taken)
  assert.equal(200, answer.status)
end

return strangers
