-- takes: 10
-- Every public function of a client, in every kind of host, without and with DPoP: the list is walked, so a function that nobody
-- calls here fails. Against the development server; what each answers in detail is its own spec's affair. The same in nginx:
-- openresty_face_spec.

local clients = require "authgear.client"
local core = require "authgear.core"
local face = require "spec.support.face_cases"
local http = require "spec.support.http"
local loops = require "spec.support.loops"
local protect = require "authgear.protect"
local server = require "spec.support.server"
local yield_host = require "spec.support.yield_host"

local function blocking()
  return { options = {}, go = function(fn) fn() end, run = function() end }
end

-- Everything that can wait yields; time passes by waiting alone.
local function yielding()
  local world = yield_host.new(11)
  local clock = { monotonic = world.clock.monotonic, wall = function() return (select(2, core.now())) end }
  local raised
  return {
    options = { host = world.host, clock = clock, transport = function(request)
      world:pause(0.02)
      local answer, why = http.request { method = request.method, url = request.url, headers = request.headers, body = request.body }
      world:pause(0.02)
      if not answer then
        return nil, why
      end
      return { status = answer.status, headers = answer.headers, body = answer.body }
    end },
    go = function(fn)
      local task = world:go("a case", fn)
      raised = function()
        assert(not task.failed, task.raised)
      end
    end,
    run = function()
      world:run()
      raised()
    end,
  }
end

local hosts = {
  { name = "the blocking host", open = blocking }, { name = "the blocking host, with DPoP", open = blocking, dpop = true },
  { name = "a made-up host that yields", open = yielding },
  { name = "a made-up host that yields, with DPoP", open = yielding, dpop = true }, -- in the others: dpop_hosts_spec
}
for _, row in ipairs((loops.all())) do
  hosts[#hosts + 1] = { name = row.name, open = function()
    local loop = row.open()
    return { options = { host = loop.host }, go = loop.go, run = loop.run }
  end }
end

describe("the list of public functions", function()
  it("is called here, all of it", function()
    for _, name in ipairs(face.names) do
      assert.is_function(face.cases[name], name .. " is called in no host")
    end
    for name in pairs(face.cases) do
      assert.is_function(clients.Client[name], name .. " is no public function")
    end
  end)
end)

for _, host in ipairs(hosts) do
  describe("in " .. host.name .. ",", function()
    local env, opened

    setup(function()
      local dev = server.shared()
      face.prepare(dev)
      opened = host.open()
      env = face.env { dev = dev, dpop = host.dpop, options = opened.options }
    end)

    for name, case in pairs(face.cases) do
      it(name .. " does what it does elsewhere", function()
        local ok, raised
        opened.go(function()
          ok, raised = protect(case, env)
        end)
        opened.run()
        assert(ok, raised)
      end)
    end
  end)
end
