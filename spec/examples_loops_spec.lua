-- runs-on: 5.1 5.4 jit
-- takes: 15
-- Runs the examples for event loops and for LÖVE as their users would: as programs. LÖVE has its own LuaJIT: on jit only.
-- The server takes 100 ms for each answer where it shows whether a frame waits: no time of ours is measured.
local socket = require "socket"
local files = require "spec.support.files"
local json = require "dkjson"
local mime = require "mime"
local program = require "spec.support.program"
local server = require "spec.support.server"

local version = os.getenv "AUTHGEAR_LUA_VERSION" or "5.4"
local root = files.sh "pwd"

local function free_uri()
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  listener:close()
  return ("http://127.0.0.1:%d/callback"):format(port), port
end

describe("the example", function()
  local dev, dir, redirect_uri

  local function environment(more)
    local all = { AUTHGEAR_ENDPOINT = dev.endpoint, AUTHGEAR_CLIENT_ID = "native", XDG_DATA_HOME = dir,
      BROWSER = root .. "/scripts/demo-browser", AUTHGEAR_REDIRECT_URI = redirect_uri, LUA_PATH = package.path,
      LUA_CPATH = package.cpath }
    for name, value in pairs(more) do
      all[name] = value
    end
    local words = {}
    for name, value in pairs(all) do
      words[#words + 1] = name .. "=" .. files.quote(value)
    end
    return "env " .. table.concat(words, " ") .. " "
  end

  -- What a program prints, both ways.
  local function run(command, more)
    local pipe = assert(io.popen(environment(more) .. "timeout 60 " .. command .. " 2>&1 </dev/null"))
    local text = pipe:read "*a"
    pipe:close()
    return text
  end

  local function lua(path)
    return files.quote(program.interpreter()) .. " " .. path
  end

  setup(function()
    dev = server.shared()
    redirect_uri = free_uri()
    dev:add_redirect_uris("native", { redirect_uri })
    dir = files.temp_dir()
    assert.matches("^logged in as", run(lua "examples/guide/log_in.lua", {}))
  end)

  teardown(function()
    files.sh("rm -rf " .. files.quote(dir))
  end)

  it("for luv fetches 1,000 URLs, and the loop goes on", function()
    local text = run(lua "examples/luv/fetch_many.lua", { YOUR_SERVER_URL = dev.app .. "/api/hello" })
    assert.equal("200\t1000\nmeanwhile the timer went off\tall the time\n", text)
  end)

  if version == "5.1" or version == "jit" then
    it("for copas passes requests on with the token, all at a time, with one refresh", function()
      local _, port = free_uri()
      local pid = files.sh(environment { YOUR_SERVER_URL = dev.app .. "/api/hello", PORT = tostring(port) } .. "timeout 60 "
        .. lua "examples/copas/server.lua" .. " >" .. files.quote(dir .. "/out") .. " 2>&1 </dev/null & echo $!")
      local ok, raised = pcall(function()
        require("spec.support.sdk").poll("the server", function()
          return (files.read(dir .. "/out") or ""):find "listening"
        end)
        dev:expire {}
        local clients = {}
        for i = 1, 20 do
          clients[i] = assert(socket.connect("127.0.0.1", port))
          clients[i]:send "GET / HTTP/1.1\r\nHost: here\r\n\r\n"
        end
        for _, client in ipairs(clients) do
          client:settimeout(20)
          assert.matches("^HTTP/1.1 200 .*\r\n\r\n{\"hello\":\"[%x-]+\"", (assert(client:receive "*a")))
        end
        assert.equal(1, dev:token_count("refresh_token", "native").requests)
      end)
      files.sh("kill " .. pid)
      assert(ok, raised)
    end)
  end

  if version == "jit" then
    it("for LÖVE logs in and fetches its leaderboard without holding up a frame", function()
      local scores = {}
      for i, name in ipairs { "Ada", "Grace", "Edsger", "Barbara", "Donald" } do
        scores[i] = { name = name, points = 9000 - i * i * 217 }
      end
      local query = "?type=application/json&b64=" .. mime.b64(json.encode { scores = scores }):gsub("[+/=]", {
        ["+"] = "%2B", ["/"] = "%2F", ["="] = "%3D" })
      dev:fault { target = "app", kind = "slow", ms = 400, times = 1000 }
      local picture = os.getenv "AUTHGEAR_LOVE_PICTURE" or dir .. "/love.png"
      local text = run("xvfb-run -a -s '-screen 0 1024x768x24' love examples/love", {
        YOUR_SERVER_URL = dev.app .. "/api/bytes" .. query, LEADERBOARD_PICTURE = picture, LIBGL_ALWAYS_SOFTWARE = "1",
        SDL_AUDIODRIVER = "dummy" })
      local fetched, frames, usual = text:match "fetched (%d+) in (%d+) frames; in update: median [%d.]+ ms, 99%% ([%d.]+) ms"
      assert(fetched, text)
      assert.is_true(tonumber(fetched) >= 5, text)
      assert.equal("240", frames)
      assert.is_true(tonumber(usual) < 300, text) -- a call that blocked would hold it up for 400
      assert.equal("\137PNG", files.read(picture):sub(1, 4))
    end)
  end
end)
