-- takes: 4
-- What is each adapter's own: where the errors of coroutines go, what the program may do with its loop, calls that can't wait.
-- What all hosts have in common stands in loops_spec.
local authgear = require "authgear"
local program = require "spec.support.program"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

local version = os.getenv "AUTHGEAR_LUA_VERSION" or "5.4"
local dev

setup(function()
  dev = server.shared()
end)

local function client(name)
  return assert(sdk.client(dev, { host = require("authgear.host." .. name) }))
end

-- Takes so long that it has to wait.
local function hello(c)
  return assert(c:fetch(dev.app .. "/public/slow?ms=30")).status
end

-- Is not answered while anybody looks, however slow this process is.
local function ask_in_vain(c)
  return c:fetch(dev.app .. "/public/slow?ms=60000")
end

local function refuses_outside(name)
  local ok, raised = pcall(ask_in_vain, client(name))
  assert.is_false(ok)
  assert.equal("authgear.host." .. name .. ": this has to wait, so call it in a coroutine of the loop, or in authgear.async", raised)
end

describe("in luv", function()
  local uv = require "luv"

  it("a call outside of all coroutines says so", function()
    refuses_outside "luv"
    uv.run()
  end)

  it("an error ends the program by luv's handler, with a traceback of the coroutine", function()
    local text = program.run([[
      local uv, authgear = require "luv", require "authgear"
      local url = ...
      local c = authgear.new { endpoint = url, client_id = "x", host = require "authgear.host.luv" }
      coroutine.wrap(function()
        c:fetch(url .. "/public/slow?ms=30")
        error "a mistake of mine"
      end)()
      uv.run()
      print "not reached"]], { args = { dev.app } })
    assert.matches("Uncaught Error.-a mistake of mine\nstack traceback:", text)
    assert.not_matches("not reached", text)
  end)

  it("the program may close all handles, resume too early, and run the loop again", function()
    local c, statuses = client "luv", {}
    local co = coroutine.create(function()
      table.insert(statuses, (hello(c)))
    end)
    assert(coroutine.resume(co))
    assert(coroutine.resume(co)) -- nothing has come yet
    assert.same({}, statuses)
    uv.run()
    uv.walk(function(handle)
      if not handle:is_closing() then
        handle:close()
      end
    end)
    uv.run()
    coroutine.wrap(function()
      table.insert(statuses, (hello(c)))
    end)()
    uv.run()
    assert.same({ 200, 200 }, statuses)
  end)

  it("an error of one coroutine keeps no other from its turn", function()
    local group = require("authgear.host.loop").group { arm = function() end, disarm = function() end, unpark = function(ticket)
      assert(coroutine.resume(ticket.who))
    end, park = coroutine.yield }
    local reached, wakes = 0, {}
    for i = 1, 3 do
      local co
      co = coroutine.create(function()
        group:await(co, function(wake)
          wakes[i] = wake
        end)
        reached = reached + 1
        assert(i ~= 1, "the first one's mistake")
      end)
      assert(coroutine.resume(co))
    end
    for _, wake in ipairs(wakes) do
      wake()
      wake()
    end
    local ok, raised = pcall(group.pump, group)
    assert.is_false(ok)
    assert.matches("the first one's mistake", raised)
    group:pump()
    assert.equal(3, reached)
    assert.equal(0, group.waiting)
  end)
end)

describe("in cqueues", function()
  local cqueues = require "cqueues"

  it("a call outside of all controllers says so", function()
    local ok, raised = pcall(ask_in_vain, client "cqueues")
    assert.is_false(ok)
    assert.matches("call it in a coroutine of a controller", raised)
  end)

  it("an error is the loop's, and others go on with the next loop", function()
    local controller, c, status = cqueues.new(), client "cqueues", nil
    controller:wrap(function()
      hello(c)
      error "a mistake of mine"
    end)
    controller:wrap(function()
      cqueues.sleep(0.01)
      status = hello(c)
    end)
    local ok, raised = controller:loop()
    assert.is_falsy(ok)
    assert.matches("a mistake of mine", tostring(raised))
    assert(controller:loop())
    assert.equal(200, status)
  end)

  -- Each may be the one that hears of the other's answer, and the last one of all.
  it("several controllers, one within another", function()
    local c = client "cqueues"
    for _ = 1, 20 do
      local outer, inner, statuses = cqueues.new(), cqueues.new(), {}
      for _, controller in ipairs { outer, inner } do
        controller:wrap(function()
          table.insert(statuses, (hello(c)))
        end)
      end
      outer:wrap(function()
        assert(inner:loop())
      end)
      assert(outer:loop())
      assert.same({ 200, 200 }, statuses)
      assert.is_true(outer:empty() and inner:empty())
    end
  end)

  it("a controller is not kept alive", function()
    local c = client "cqueues"
    local weak = setmetatable({ cqueues.new() }, { __mode = "v" })
    weak[1]:wrap(hello, c)
    assert(weak[1]:loop())
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
  end)

  it("tasks that begin before the loop are driven by the controller that was named", function()
    local controller, c = cqueues.new(), client "cqueues"
    require("authgear.host.cqueues").attach(controller)
    local handle = authgear.async(hello, c)
    assert(controller:loop())
    assert.equal(200, (handle:result()))
  end)
end)

if version == "5.1" or version == "5.2" or version == "jit" then
  describe("in copas", function()
    local copas = require "copas"
    require "authgear.host.copas"

    it("a call outside of all threads says so", function()
      refuses_outside "copas"
    end)

    it("an error goes to the thread's handler, and copcall can stand around a call", function()
      local c, heard, status = client "copas", nil, nil
      copas.addthread(function()
        copas.setErrorHandler(function(message)
          heard = message
        end)
        local _, got = require("coxpcall").pcall(hello, c)
        status = got
        error "a mistake of mine"
      end)
      repeat
        copas.step(1)
      until heard
      assert.equal(200, status)
      assert.matches("a mistake of mine", heard)
    end)
  end)
end
