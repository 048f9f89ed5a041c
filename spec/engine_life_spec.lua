-- takes: 15
-- The engine beside a host: bodies in pieces, cancelling, its descriptor, limits, connections that are shared and renewed,
-- forks, and the end of the Lua state in the middle of everything.
local raw_server = require "spec.support.raw_server"
local engines = require "spec.support.engine"
local file = require "authgear.file"

local WATCHED = os.getenv "AUTHGEAR_WATCHED" ~= nil -- by a tool that makes everything slow (scripts/sanitize)

describe("the engine", function()
  local server, world, engine

  setup(function()
    server = raw_server.start()
    world = engines.new(server)
    engine = world.engine
    assert.equal(200, (world:get("https:/zero"))) -- from now on it is known to speak HTTP/2
  end)
  teardown(function()
    server:stop()
  end)
  after_each(function()
    engine:limits(256, 32)
    assert.equal(0, engine:running())
    assert.is_nil(engine:ready())
  end)

  -- Goes on until step has one of the events to give; all that step gives.
  local function await(job, events)
    while true do
      local event, a, b = job:step()
      if events:find(event, 1, true) or event == "error" then
        return event, a, b
      end
      repeat until not engine:ready()
      engine:wait(1)
    end
  end

  describe("moves bodies in pieces", function()
    for _, scheme in ipairs { "", "https:" } do
      it("down, over HTTP/1.1, as fast as they are taken: " .. (scheme == "" and "http" or scheme), function()
        local job = world:submit(scheme .. "/mb/8", { sink = true })
        local event, status, headers = await(job, "headers")
        assert.same({ "headers", 200 }, { event, status })
        assert.equal("headers", (job:step())) -- until it is accepted
        assert.truthy(headers:find "\r\n$")
        job:accept("stream")
        local total, bytes = 0
        event, bytes = await(job, "chunk done")
        while event == "chunk" do
          assert.is_true(#bytes <= 512 * 1024)
          total = total + #bytes
          event, bytes = await(job, "chunk done")
        end
        assert.same({ "done", 8 * 1024 * 1024 }, { event, total })
        local code, _, body, version = job:answer()
        assert.same({ 200, "1.1" }, { code, version })
        assert.is_nil(body)
        job:close()
      end)
    end

    it("down, collected or dropped after a look at the headers", function()
      for how, want in pairs { collect = 5000, drop = false } do
        local job = world:submit("/bytes/5000", { sink = true })
        await(job, "headers")
        job:accept(how)
        assert.equal("done", (await(job, "done")))
        local _, _, body = job:answer()
        assert.equal(want, body and #body or false)
        job:close()
      end
    end)

    local function up(pieces, o)
      o.method, o.source = "PUT", true
      local job = world:submit("/upload", o)
      local i = 0
      while true do
        local event, a, b = await(job, "need done")
        if event ~= "need" then
          local status, _, body = job:answer()
          job:close()
          return event, event == "done" and body or a, b, status
        end
        i = i + 1
        job:feed(pieces[i])
      end
    end

    it("up, of known length or not", function()
      local piece = ("x"):rep(100000)
      assert.equal("300000 chunked - -", (select(2, up({ piece, piece, piece }, {}))))
      assert.equal("300000 - 300000 -", (select(2, up({ piece, piece, piece }, { source_length = 300000 }))))
      assert.equal("0 chunked - -", (select(2, up({}, {}))))
      assert.equal("1 chunked - -", (select(2, up({ "", "", "x", "" }, {}))))
    end)

    it("up, and says so when there are more or fewer bytes than announced", function()
      for _, pieces in ipairs { { "12" }, { "1234" } } do
        local event, code, message = up(pieces, { source_length = 3 })
        assert.same({ "error", "user_code", "the body is not as long as was said" }, { event, code, message })
      end
    end)
  end)

  describe("cancels", function()
    it("by close, at once, and tells nothing more of it", function()
      local jobs = {}
      for i = 1, 20 do
        jobs[i] = world:submit(i % 2 == 0 and "https:/stall" or "/stall")
      end
      assert.equal(20, engine:running())
      for i = 1, 20 do
        jobs[i]:close()
        jobs[i]:close()
      end
      assert.equal(0, engine:running())
      assert.is_nil(engine:ready())
      assert.equal(200, (world:get("/zero")))
    end)

    it("what nobody holds any more", function()
      for _ = 1, 20 do
        world:submit("/stall")
      end
      collectgarbage()
      collectgarbage()
      assert.equal(0, engine:running())
    end)
  end)

  it("has a descriptor that is readable while something is ready", function()
    local fd = assert(engine:descriptor())
    assert.equal(fd, engine:descriptor())
    repeat until not engine:ready()
    assert.is_false(engine:wait(0))
    local one, two = world:submit("/zero"), world:submit("/zero")
    while one:step() == "wait" or two:step() == "wait" do
      engine:wait(1)
    end
    assert.is_true(engine:wait(0))
    local ids = { [one:id()] = true, [two:id()] = true }
    for _ = 1, 2 do
      local id = engine:ready()
      assert.is_true(ids[id])
      ids[id] = nil
    end
    assert.is_nil(engine:ready())
    assert.is_false(engine:wait(0.01))
    one:close()
    two:close()
  end)

  it("keeps to its limits of connections", function()
    local before = server:stats().accepted
    engine:limits(3, 2)
    world:all(12, "/wait/10", { fresh = true })
    assert.is_true(server:stats().accepted - before <= 13)
  end)

  describe("over HTTP/2", function()
    local function all(n, live)
      local left, jobs, begun = n, {}, 0
      local function begin()
        begun = begun + 1
        local job = world:submit("https:/bytes/" .. begun % 300, { connect_timeout = 20 })
        jobs[job:id()] = { job, begun % 300 }
      end
      for _ = 1, live do
        begin()
      end
      while left > 0 do
        local id = engine:ready()
        local entry = jobs[id]
        if not id then
          engine:wait(1)
        elseif entry then
          local status, code, body, version = entry[1]:answer()
          assert(status == 200, code)
          assert.same({ entry[2], "2" }, { #body, version })
          entry[1]:close()
          jobs[id], left = nil, left - 1
          if begun < n then
            begin()
          end
        end
      end
    end

    it("sends a thousand requests at once on one connection, renewed after 800", function()
      assert.equal(200, (world:get("https:/zero")))
      local before = server:stats().tls_accepted
      all(1000, 1000)
      assert.is_true(server:stats().tls_accepted - before <= 2)
    end)

    it("renews it again and again, with many requests under way, and loses none", function()
      local before = server:stats().tls_accepted
      all(5000, 200)
      assert.is_true(server:stats().tls_accepted - before <= 12)
    end)

    it("does without it while a long one keeps the connection before the last", function()
      local long = world:submit("https:/stall")
      local done, begun = 0, 0
      local jobs = {}
      while done < 2000 do
        while begun < 2000 and begun - done < 50 do
          begun = begun + 1
          local job = world:submit("https:/zero")
          jobs[job:id()] = job
        end
        local id = engine:ready()
        if not id then
          engine:wait(1)
        elseif jobs[id] then
          assert.equal("a\0b\0", (select(3, jobs[id]:answer())))
          jobs[id]:close()
          jobs[id], done = nil, done + 1
        end
      end
      assert.equal("wait", (long:step()))
      long:close()
    end)
  end)

  it("is new in a forked child, where the old jobs are errors, and goes on in the parent", function()
    local fork = file.test
    local job = world:submit("https:/wait/300")
    engine:descriptor()
    local pid = fork.fork()
    if pid == 0 then
      local event, code, message = job:step()
      local good = event == "error" and code == "network" and message:find "forked" and engine:ready() == job:id()
        and not engine:ready() and engine:running() == 0
      -- TSan does not bear threads in a child of threads
      if good and not (os.getenv("TSAN_OPTIONS") or ""):find "die_after_fork" then
        good = world:get("https:/zero") == 200
      end
      fork.become(good and 0 or 1)
    end
    assert.equal(0, fork.wait(pid))
    world:finish(job)
    assert.equal(200, (job:answer()))
    job:close()
  end)

  it("ends with the Lua state, or with a process that does not close it, in the middle of everything", function()
    local script = [[
      -- Finalizers run newest first: this one's is the last.
      local now, began = require("authgear.core").now, nil
      local function last()
        if began then io.write(("%.0f "):format((now() - began) * 1000)) end
      end
      first = newproxy and newproxy(true) or setmetatable({}, { __gc = last })
      if newproxy then getmetatable(first).__gc = last end
      local world = require("spec.support.engine").new { ca = os.getenv "CA", tls = os.getenv "TLS",
        url = function(_, _, path) return "http://127.0.0.1:" .. os.getenv "HTTP" .. path end }
      jobs = {}
      for i = 1, 100 do
        jobs[i] = world:submit((i % 2 == 0 and "https:" or "") .. (i % 3 == 0 and "/mb/20" or "/stall"), { sink = i % 6 == 0 })
      end
      if os.getenv "WAIT" == "yes" then
        world.engine:wait(0.1)
      end
      assert(world.engine:running() == 100)
      if os.getenv "EXIT" == "yes" then
        os.exit(0)
      end
      began = now()
    ]]
    local best = math.huge
    for try = 1, 20 do -- a few times, since others may have the processor
      for _, how in ipairs { { "no", "no" }, { "yes", "no" }, { "no", "yes" }, { "yes", "yes" } } do
        if try == 1 or how[2] == "no" then
          local out = raw_server.run(script, { CA = server.ca, TLS = server.tls, HTTP = server.http, WAIT = how[1], EXIT = how[2] })
          local ms = out:match(how[2] == "no" and "^(%d+) status 0\n$" or "^()status 0\n$")
          assert.truthy(ms, out)
          best = how[2] == "no" and math.min(best, tonumber(ms)) or best
        end
      end
      if best <= 50 or WATCHED then
        break
      end
    end
    assert.is_true(best <= 50 or WATCHED, "the end of the state took " .. best .. " ms")
  end)
end)
