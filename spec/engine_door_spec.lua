-- The engine for a host that can wait for nothing but a stream socket: the door that lets this process in and nobody else, and
-- news that come as bytes, not one too many.
local raw_server = require "spec.support.raw_server"
local engines = require "spec.support.engine"
local files = require "spec.support.files"
local socket = require "socket"
local unix = require "socket.unix"

local stream = type(unix) == "table" and unix.stream or unix

describe("the engine's door", function()
  local server, world, engine

  setup(function()
    server = raw_server.start()
    world = engines.new(server)
    engine = world.engine
  end)

  teardown(function()
    server:stop()
  end)

  local function directory(path)
    return path:match "^(.*)/[^/]*$"
  end

  local function connect()
    local conn = stream()
    assert(conn:connect(assert(engine:listen())))
    return conn
  end

  local function enter()
    local conn = connect()
    assert(engine:accept())
    conn:settimeout(20)
    return conn
  end

  -- Is there anything to read? Looked at after others had time to send it.
  local function is_quiet(conn)
    return #socket.select({ conn }, nil, 0.05) == 0
  end

  local function take_all()
    local n = 0
    while engine:ready() do
      n = n + 1
    end
    return n
  end

  it("is in a directory of its own, and both are gone when somebody is in", function()
    local path = assert(engine:listen())
    assert.equal("700", files.mode(directory(path)))
    local conn = stream()
    assert(conn:connect(path))
    assert.is_true(engine:accept())
    assert.is_nil(files.list(directory(path)))
    conn:close()
    path = assert(engine:listen()) -- opened again, the one before is gone
    local other = assert(engine:listen())
    assert.not_equal(path, other)
    assert.is_nil(files.list(directory(path)))
    assert.equal("host", (select(2, engine:accept()))) -- nobody has come
    assert.is_nil(files.list(directory(other)))
  end)

  it("lets in no other process", function()
    local path = assert(engine:listen())
    local child = files.child(([[
      local unix = require "socket.unix"
      local conn = (type(unix) == "table" and unix.stream or unix)()
      say(conn:connect(%q) and "in" or "no")
      conn:settimeout(20)
      say(select(2, conn:receive(1)))
      hear()
    ]]):format(path))
    assert.equal("in", child:hear())
    assert.is_nil((engine:accept()))
    assert.equal("closed", child:hear())
    child:finish()
    path = assert(engine:listen())
    child = files.child(([[
      local unix = require "socket.unix"
      local conn = (type(unix) == "table" and unix.stream or unix)()
      say(conn:connect(%q) and "in" or "no")
      hear()
    ]]):format(path))
    assert.equal("in", child:hear())
    local conn = stream()
    assert(conn:connect(path))
    assert.is_true(engine:accept()) -- who comes after it is let in
    engine:poke()
    conn:settimeout(20)
    assert.truthy(conn:receive(1))
    conn:close()
    child:finish()
  end)

  it("sends bytes for news, and only after rest", function()
    local conn = enter()
    take_all()
    assert.is_true(engine:rest())
    local job = world:submit "/zero"
    assert.truthy(conn:receive(8))
    assert.is_false(engine:rest()) -- there is news already
    assert.equal(1, take_all())
    assert.equal("done", job:step())
    job:close()
    local jobs = {}
    for i = 1, 10 do
      jobs[i] = world:submit "/zero" -- without rest: nobody waits
    end
    world:finish(unpack and unpack(jobs) or table.unpack(jobs))
    assert.is_true(is_quiet(conn) or #assert(conn:receive(8)) == 8)
    assert.is_true(is_quiet(conn)) -- ten were over, at most one of them was told
    for _, one in ipairs(jobs) do
      one:close()
    end
    take_all()
    assert.is_true(engine:rest())
    engine:poke()
    assert.truthy(conn:receive(8))
    assert.equal(0, take_all())
    conn:close()
  end)

  it("has news for the one that came last, also when the one before has gone", function()
    local first = enter()
    first:close()
    take_all()
    assert.is_true(engine:rest())
    local lost = world:submit "/zero" -- told to one that is gone
    local conn
    world:finish(lost)
    lost:close()
    conn = enter()
    take_all()
    assert.is_true(engine:rest())
    local job = world:submit "/zero"
    assert.truthy(conn:receive(8))
    assert.equal(1, take_all())
    assert.equal(200, (job:answer()))
    job:close()
    conn:close()
  end)

  it("costs no descriptor but one", function()
    enter():close()
    local before = files.descriptors()
    for _ = 1, 20 do
      enter():close()
    end
    assert.equal(before, files.descriptors())
  end)
end)
