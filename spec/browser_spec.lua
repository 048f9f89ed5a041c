-- Opening the browser (authgear.loopback): which program is started, with what of ours, and what is left of it.
-- Each case runs in a process of its own, whose environment and PATH are made up.

local files = require "spec.support.files"
local program = require "spec.support.program"

local URL = "https://auth.example.com/oauth2/authorize?client_id=a&state=b%20c&x=$(touch%20/tmp/x);&y=`" -- refused: `
local GOOD = "https://auth.example.com/oauth2/authorize?client_id=a&state=b%20c&x=$(id);&y=*!&z=%22"

-- Writes down what it was started with, and then moves it to its place as a whole.
local FAKE = [[#!/bin/sh
printf 'argc=%s\nurl=%s\n' "$#" "$1" > "$0.part"
mv "$0.part" "$0.out"
]]

-- The same for what it was given without asking; in Lua, since a shell moves descriptors and signals about.
local PROBE = "#!" .. program.interpreter() .. "\n" .. [[
local f = io.open "/proc/self/status"
local status = f:read "*a"
f:close()
f = io.open "/proc/self/stat"
local pid, session = f:read("*a"):match "^(%d+) %(.*%) %a %d+ %d+ (%d+)"
f:close()
os.execute("ls -l /proc/" .. pid .. "/fd > " .. arg[0] .. ".fds")
f = io.open(arg[0] .. ".fds")
local fds = f:read "*a"
f:close()
f = io.open(arg[0] .. ".part", "w")
f:write(status:match "SigBlk:[^\n]*\n", status:match "SigIgn:[^\n]*\n", "session=", session, "\n", fds)
f:close()
os.rename(arg[0] .. ".part", arg[0] .. ".out")
]]

-- In the process under test: wait_for(path) the file's text, once it is there; own_children() how many there are.
local HELP = [[
local core = require "authgear.core"
local loopback = require "authgear.loopback"
local url, dir = ...
local function wait_for(path)
  for _ = 1, 1000 do
    local f = io.open(path)
    if f then
      local text = f:read "*a"
      f:close()
      return text
    end
    core.sleep(0.01)
  end
  return "nothing came"
end
local function own_children()
  local own, n = io.open("/proc/self/stat"):read "*n", 0
  local pipe = io.popen "ls /proc"
  local names = pipe:read "*a"
  pipe:close()
  for pid in names:gmatch "%d+" do
    local f = io.open("/proc/" .. pid .. "/stat")
    local ppid = f and (f:read "*a" or ""):match "^%d+ %(.*%) %a (%d+)"
    if f then f:close() end
    if tonumber(ppid) == own then n = n + 1 end
  end
  return n
end
]]

describe("opening the browser", function()
  local dir

  before_each(function()
    dir = files.temp_dir()
  end)

  after_each(function()
    files.remove(dir)
  end)

  local function fake(name, text)
    files.write(dir .. "/" .. name, text or FAKE)
    files.sh("chmod 755", dir .. "/" .. name)
    return dir .. "/" .. name
  end

  local function run(code, options)
    options = options or {}
    options.env = options.env or {}
    options.env.PATH = options.env.PATH or dir .. ":/usr/bin:/bin"
    options.args = { options.url or GOOD, dir }
    return program.run(HELP .. code, options)
  end

  local function opened(name, options)
    return run(("print(loopback.open_browser(url)) io.write(wait_for(dir .. %q))"):format("/" .. name .. ".out"), options)
  end

  -- What the probe has open when it was given nothing.
  local function only_null(out)
    local held = {}
    for fd, what in out:gmatch "(%d+) %-> ([^\n]+)" do
      held[#held + 1] = fd .. " " .. what
    end
    table.sort(held)
    assert.same({ "0 /dev/null", "1 /dev/null", "2 /dev/null" }, held)
  end

  it("starts xdg-open with the URL as it is, and nothing else", function()
    fake "xdg-open"
    local out = opened "xdg-open"
    assert.truthy(out:find("^true\nargc=1\n"), out)
    assert.truthy(out:find("\nurl=" .. GOOD .. "\n", 1, true), out)
  end)

  it("gives it none of our files, sockets, signals, nor the terminal", function()
    fake("xdg-open", PROBE)
    local out = run([[
      local held = { assert(io.open "/etc/passwd"), assert(loopback.listen {}), assert(require("socket").tcp()) }
      print(loopback.open_browser(url))
      io.write(wait_for(dir .. "/xdg-open.out"))
      local f = io.open("/proc/self/stat")
      print("own session " .. f:read("*a"):match "^%d+ %(.*%) %a %d+ %d+ (%d+)", #held)
    ]], { before = "env --ignore-signal=PIPE,CHLD,HUP --block-signal=USR1" })
    assert.truthy(out:find("^true\n"), out)
    only_null(out)
    for _, what in ipairs { "SigBlk", "SigIgn" } do -- the last 28 signals; two of the others are the C library's own
      assert.truthy(out:find(what .. ":%s*%x+0000000\n"), out)
    end
    local theirs, ours = out:match "session=(%d+)", out:match "own session (%d+)"
    assert.truthy(theirs and ours)
    assert.not_equal(ours, theirs)
  end)

  it("works where the host has closed its standard files", function()
    fake("xdg-open", PROBE)
    assert.equal("", run("loopback.open_browser(url) wait_for(dir .. '/xdg-open.out')", { shell = "<&- >&- 2>&-" }))
    only_null(assert(files.read(dir .. "/xdg-open.out")))
  end)

  for _, how in ipairs { "", "env --ignore-signal=CHLD" } do
    it("leaves no zombie, neither while it runs nor when it ends " .. how, function()
      fake("xdg-open", [[#!/bin/sh
        echo >> "$0.began"
        while [ ! -e "$0.end" ]; do sleep 0.02; done
        echo >> "$0.over"
      ]])
      local out = run([[
        local function all_three(what)
          for _ = 1, 1000 do
            if #wait_for(dir .. "/xdg-open." .. what) == 3 then return end
            core.sleep(0.01)
          end
        end
        for _ = 1, 3 do assert(loopback.open_browser(url)) end
        all_three "began"
        print(own_children())
        io.open(dir .. "/xdg-open.end", "w"):close()
        all_three "over"
        print(own_children())
      ]], { before = how })
      assert.equal("0\n0\n", out)
    end)
  end

  it("leaves no descriptor with us", function()
    fake("xdg-open", "#!/bin/sh\n")
    local out = run [[
      local f = io.open "/proc/self/stat"
      local pid = f:read "*n"
      f:close()
      local function count() -- without a pipe: its ends come and go while the other side looks
        os.execute("ls /proc/" .. pid .. "/fd > " .. dir .. "/count")
        local held, n = io.open(dir .. "/count"), 0
        for _ in held:lines() do n = n + 1 end
        held:close()
        return n
      end
      collectgarbage()
      local before = count()
      for _ = 1, 5 do
        assert(loopback.open_browser(url))
        assert(not loopback.open_browser "http://bad url")
      end
      print(count() == before)
    ]]
    assert.equal("true\n", out)
  end)

  it("says at once that there is no such program", function()
    local out = run("print(loopback.open_browser(url)) print(loopback.has_browser())",
      { env = { PATH = dir, DISPLAY = ":0" } })
    assert.equal("nil\tbrowser\tno program that opens a browser was found (xdg-open, or one that $BROWSER names)\tfalse\n"
      .. "false\n", out)
  end)

  it("says at once that it cannot be started", function()
    fake("xdg-open", "#!/no/such/interpreter\n")
    local out = run "print(loopback.open_browser(url))"
    assert.equal("nil\tbrowser\txdg-open could not be started: No such file or directory\tfalse\n", out)
  end)

  it("looks for programs only in the absolute directories of PATH", function()
    fake "xdg-open"
    for _, path in ipairs { "", ":", ".", ":.:", "relative/dir" } do
      local out = run("print((loopback.open_browser(url)))",
        { env = { PATH = path ~= "" and path or "/nonexistent" }, before = "/usr/bin/env -C " .. files.quote(dir) })
      assert.equal("nil\n", out)
    end
    files.sh("chmod 644", dir .. "/xdg-open")
    assert.equal("nil\n", run("print((loopback.open_browser(url)))", { env = { PATH = dir } }))
  end)

  describe("takes $BROWSER", function()
    it("as the name of a program", function()
      fake "xdg-open"
      fake "mybrowser"
      assert.truthy(opened("mybrowser", { env = { BROWSER = "mybrowser" } }):find("\nurl=" .. GOOD .. "\n", 1, true))
      assert.is_nil(files.read(dir .. "/xdg-open.out"))
    end)

    it("as its path", function()
      local path = fake "mybrowser"
      assert.truthy(opened("mybrowser", { env = { BROWSER = path, PATH = "/usr/bin:/bin" } }):find("^true\nargc=1\n"))
    end)

    it("not as a command, a list or something that is not there: xdg-open reads those", function()
      fake "mybrowser"
      for _, browser in ipairs { "mybrowser %s", "mybrowser:other", "mybrowser 'a b'", "sh -c x", "nosuch", "", "./mybrowser" } do
        fake "xdg-open"
        local out = opened("xdg-open", { env = { BROWSER = browser } })
        assert.truthy(out:find("^true\nargc=1\n"), browser .. ": " .. out)
        os.remove(dir .. "/xdg-open.out")
      end
      assert.is_nil(files.read(dir .. "/mybrowser.out"))
    end)
  end)

  it("refuses what is no http or https URL, saying nothing of it", function()
    fake "xdg-open"
    for _, url in ipairs {
      "", "-h", "--help", "file:///etc/passwd", "javascript:alert(1)", "/etc/passwd", "ftp://example.com/s3cret",
      "https://example.com/ s3cret", "https://example.com/\ns3cret", 'https://example.com/"s3cret', URL,
      "https://example.com/<s3cret>", "https://user:s3cret@example.com/", "https:s3cret", "https://",
      "https://example.com/'s3cret'", "https://example.com/" .. ("a"):rep(32000),
    } do
      local out = run("print(loopback.open_browser(url))", { url = url })
      assert.truthy(out:find("^nil\tinvalid_url\tthe URL is refused: [^\n]*\tfalse\n$"), url:sub(1, 80) .. ": " .. out)
      assert.is_nil(out:find("s3cret", 1, true))
    end
    local good = opened("xdg-open", { url = "HTTP://127.0.0.1:3000/" })
    assert.equal("true\nargc=1\nurl=HTTP://127.0.0.1:3000/\n", good)
    local zero = run [[print(loopback.open_browser("https://example.com/\0x"))]]
    assert.truthy(zero:find "^nil\tinvalid_url\t")
    assert.has_error(function()
      require("authgear.loopback").open_browser(5)
    end)
  end)

  describe("is thought possible", function()
    local ssh = { SSH_CONNECTION = "10.0.0.1 5 10.0.0.2 22" }
    local cases = {
      { "on X", { DISPLAY = ":0" }, true },
      { "on Wayland", { WAYLAND_DISPLAY = "wayland-0" }, true },
      { "where $BROWSER says so", { BROWSER = "mybrowser" }, true },
      { "in WSL", { WSL_DISTRO_NAME = "Debian" }, true },
      { "over SSH with X", { SSH_CONNECTION = ssh.SSH_CONNECTION, DISPLAY = "localhost:10.0" }, true },
      { "not on a console", {}, false },
      { "not with an empty DISPLAY", { DISPLAY = "" }, false },
      { "not over SSH", ssh, false },
      { "not over SSH in WSL", { SSH_TTY = "/dev/pts/1", WSL_INTEROP = "/run/WSL/1_interop" }, false },
      { "not over SSH with $BROWSER", { SSH_CLIENT = "10.0.0.1 5 22", BROWSER = "mybrowser" }, false },
    }
    for _, case in ipairs(cases) do
      it(case[1], function()
        fake "xdg-open"
        local env = {}
        for name, value in pairs(case[2]) do
          env[name] = value
        end
        assert.equal(tostring(case[3]) .. "\n", run("print(loopback.has_browser())", { env = env }))
      end)
    end

    it("in WSL without xdg-open by wslview", function()
      fake "wslview"
      local env = { WSL_DISTRO_NAME = "Debian", PATH = dir .. ":/bin" }
      if files.list("/bin") and files.read("/bin/xdg-open") then
        return pending "xdg-open is installed here"
      end
      assert.truthy(opened("wslview", { env = env }):find("^true\nargc=1\n"))
    end)
  end)
end)
