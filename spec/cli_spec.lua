-- The command-line tool as a process: what each command prints, on which stream, and how it ends. Terminals and shells
-- have specs of their own.
-- takes: 12

local authgear = require "authgear"
local canary = require "spec.support.canary"
local files = require "spec.support.files"
local json = require "dkjson"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local tool = require "spec.support.tool"

local root = files.sh "pwd"

describe("the command-line tool", function()
  local dev, home, redirect_uri

  setup(function()
    dev = server.shared()
    redirect_uri = sdk.free_redirect_uri()
  end)

  before_each(function()
    dev = server.shared()
    dev:reset { sessions = true }
    dev:add_redirect_uris("native", { redirect_uri })
    home = tool.home { AUTHGEAR_ENDPOINT = dev.endpoint, AUTHGEAR_CLIENT_ID = "native", AUTHGEAR_REDIRECT_URI = redirect_uri }
  end)

  after_each(function()
    home:remove()
  end)

  -- Runs it; it must end so and complain of nothing, unless told otherwise.
  local function run(status, args, options)
    local got, out, err = home:run(args, options)
    assert.equal(status, got, out .. err)
    return out, err
  end

  -- Logged in without the tool, in the place where it looks.
  local function log_in(client_id, storage)
    local dir = home.dir .. "/data/authgear"
    local client = assert(authgear.new { endpoint = dev.endpoint, client_id = client_id or "native", name = "cli",
      storage = storage or authgear.storage.file { dir = dir } })
    sdk.log_in(dev, client)
    client:close()
    return dir .. "/cli.json"
  end

  -- How many the server has.
  local function sessions()
    return #dev:control("/sessions", nil, "GET")
  end

  describe("for a new user", function()
    it("needs three commands to the first fetch", function()
      home:remove()
      home = tool.home { BROWSER = root .. "/scripts/demo-browser", DISPLAY = ":0" }
      run(0, { "configure", "--endpoint", dev.endpoint, "--client-id", "native", "--redirect-uri", redirect_uri })
      local out, err = run(0, { "login", "--browser" })
      assert.matches("^Logged in as [^\n]+%.\n$", out)
      assert.equal("A browser opens for you to log in. Ctrl-C gives up.\n", err)
      out = run(0, { "fetch", dev.app .. "/api/hello" })
      assert.is_string(json.decode(out).hello)
      assert.equal("600", files.mode(home.dir .. "/config/authgear/config.json"))
      assert.equal("600", files.mode(home.dir .. "/data/authgear/cli.json"))
    end)

    it("without a browser pastes the address", function()
      local running = home:start { "login" }
      local url = running:hear "\n  (http%S+)\n"
      running:hear "> $"
      local location = dev:visit(url).location
      running:say(location .. "\n")
      local status, out, err = running:wait()
      assert.equal(0, status, err)
      assert.matches("^Logged in as ", out)
      assert.is_nil((out .. err):find(location:match "code=([^&]+)", 1, true))
      run(0, { "status" })
    end)

    it("shows help for everything", function()
      local out = run(0, {})
      assert.equal(out, run(0, { "help" }))
      assert.equal(out, run(0, { "--help" }))
      for _, name in ipairs(require("authgear.cli.commands").NAMES) do
        assert.matches("\n  " .. name .. " ", out)
        local text = run(0, { "help", name })
        assert.truthy(text:find("Usage: authgear " .. name, 1, true))
        for _, option in ipairs(require("authgear.cli." .. name).options or {}) do
          assert.truthy(text:find("--" .. option.name, 1, true), option.name)
        end
      end
      assert.equal(run(0, { "help", "fetch" }), run(0, { "fetch", "--help" }))
      assert.equal(run(0, { "help", "login" }), run(0, { "--json", "login", "-h" }))
      assert.matches("130  interrupted", run(0, { "help", "exit-codes" }))
      assert.equal("authgear " .. authgear._VERSION .. "\n", run(0, { "version" }))
      assert.equal("authgear " .. authgear._VERSION .. "\n", run(0, { "--version" }))
      assert.same({ version = authgear._VERSION }, json.decode((run(0, { "version", "--json" }))))
    end)
  end)

  it("has the help that its page shows", function()
    local page, shown = files.read "docs/command-line.md", 0
    for command, text in page:gmatch "%$ authgear (help[^\n]*)\n(.-)\n[`$]" do
      local args = {}
      for word in command:gmatch "%S+" do
        args[#args + 1] = word
      end
      assert.equal(run(0, args), text .. "\n")
      shown = shown + 1
    end
    assert.equal(3, shown)
    for _, one in ipairs(require("authgear.cli.exit").LIST) do
      assert.truthy(page:find(("%5d  %s"):format(one[1], one[2]), 1, true), one[1])
    end
  end)

  describe("says what is wrong with the command line", function()
    it("in words, with exit code 2", function()
      for words, args in pairs {
        ["no command 'nonsense'"] = { "nonsense" }, ["no option --nonsense"] = { "status", "--nonsense" },
        ["no option -q"] = { "fetch", "-q" }, ["--json takes no value"] = { "--json=1", "status" },
        ["--endpoint needs a value"] = { "status", "--endpoint" }, ["takes no arguments"] = { "status", "x" },
        ["no more arguments"] = { "fetch", "a", "b" }, ["fetch needs a URL"] = { "fetch" },
        ["number of seconds"] = { "status", "--timeout", "soon" }, ["is one of yes, no"] = { "configure", "--encrypt", "maybe" },
        ["profile's name"] = { "status", "--profile", "../x" }, ["bash, zsh or fish"] = { "completion", "tcsh" },
        ["'Name: value'"] = { "fetch", "-H", "nonsense", dev.app },
        ["exclude each other"] = { "fetch", "-d", "a=b", "-J", "{}", dev.app }, ["is no JSON"] = { "fetch", "-J", "{", dev.app },
        ["cannot read"] = { "fetch", "-d", "@/nowhere/at/all", dev.app },
      } do
        local out, err = run(2, args)
        assert.equal("", out)
        assert.truthy(err:find(words, 1, true), err)
        assert.matches("^authgear: ", err)
      end
    end)

    it("as JSON", function()
      local out, err = run(2, { "--json", "fetch" })
      assert.equal("", out)
      assert.equal("usage", json.decode(err).error.code)
    end)

    it("when nothing is configured", function()
      home.env.AUTHGEAR_ENDPOINT, home.env.AUTHGEAR_CLIENT_ID = nil, nil
      for _, name in ipairs { "login", "logout", "status", "userinfo", "token", "doctor" } do
        local _, err = run(2, { name })
        assert.truthy(err:find("no endpoint is set: run 'authgear configure', or set AUTHGEAR_ENDPOINT", 1, true), err)
      end
      local _, err = run(2, { "status", "--endpoint", dev.endpoint })
      assert.truthy(err:find("no client id", 1, true), err)
    end)

    it("for the profile that is meant", function()
      local _, err = run(0, { "configure", "-p", "work", "--endpoint", dev.endpoint, "--client-id", "native" })
      assert.matches("Next: authgear login %-p work\n", err)
      _, err = run(3, { "userinfo", "-p", "work" })
      assert.matches("Log in with: authgear login %-p work\n", err)
      home.env.AUTHGEAR_ENDPOINT, home.env.AUTHGEAR_CLIENT_ID = nil, nil
      _, err = run(2, { "status", "-p", "wrok" })
      assert.truthy(err:find("no profile 'wrok': run 'authgear configure -p wrok'", 1, true), err)
      _, err = run(2, { "help", "me" })
      assert.truthy(err:find("\n  'authgear help' says more.", 1, true), err)
    end)

    it("when a URL or a header is none", function()
      log_in()
      for _, args in ipairs { { "fetch", "nonsense" }, { "fetch", "http://example.com/" }, { "fetch", dev.app, "-X", "G T" },
        { "fetch", dev.app, "-H", "Content-Length: 5" }, { "status", "--endpoint", "http://example.com" } } do
        local _, err = run(2, args)
        assert.is_nil(err:find("traceback", 1, true))
        assert.is_nil(err:find("bad argument", 1, true), err)
      end
    end)
  end)

  describe("takes its settings", function()
    it("from options, then the environment, then the file, by profile", function()
      home.env.AUTHGEAR_ENDPOINT, home.env.AUTHGEAR_CLIENT_ID, home.env.AUTHGEAR_REDIRECT_URI = nil, nil, nil
      run(0, { "configure", "--endpoint", "https://file.example", "--client-id", "from-file" })
      run(0, { "configure", "-p", "work", "--endpoint", "https://work.example", "--client-id", "at-work", "--encrypt", "yes" })
      local function shown(args, env)
        args[#args + 1] = "--json"
        return json.decode((run(0, args, { env = env })))
      end
      assert.same({ profile = "default", endpoint = "https://file.example", client_id = "from-file", session = "cli",
        encrypt = "no", redirect_uri = sdk.REDIRECT_URI }, shown { "configure", "--show" })
      assert.same({ profile = "work", endpoint = "https://work.example", client_id = "at-work", session = "cli.work",
        encrypt = "yes", redirect_uri = sdk.REDIRECT_URI }, shown({ "configure", "--show" }, { AUTHGEAR_PROFILE = "work" }))
      local mixed = shown({ "configure", "--show", "--client-id", "given" }, { AUTHGEAR_ENDPOINT = "https://env.example",
        AUTHGEAR_CLIENT_ID = "from-env", AUTHGEAR_PROXY = "http://me:secret@proxy.example" })
      assert.same({ "https://env.example", "given", "http://proxy.example" }, { mixed.endpoint, mixed.client_id, mixed.proxy })
      -- an empty value takes a setting out, and nothing else
      run(0, { "configure", "-p", "work", "--encrypt", "no", "--scope", "openid" })
      run(0, { "configure", "-p", "work", "--scope", "" })
      assert.same({ endpoint = "https://work.example", client_id = "at-work", encrypt = "no" },
        json.decode(files.read(home.dir .. "/config/authgear/config.json")).work)
    end)

    it("and keeps none that no call would take", function()
      home.env.AUTHGEAR_ENDPOINT, home.env.AUTHGEAR_CLIENT_ID = nil, nil
      local _, err = run(2, { "configure", "--endpoint", "http://example.com", "--client-id", "x" })
      assert.truthy(err:find("insecure_url", 1, true), err)
      run(2, { "configure", "--endpoint", "https://example.com" })
      assert.is_nil(files.list(home.dir .. "/config"))
    end)

    it("not from a file that is damaged, or that others can change", function()
      run(0, { "configure", "--endpoint", "https://file.example", "--client-id", "from-file" })
      local path = home.dir .. "/config/authgear/config.json"
      files.sh("chmod 666", path)
      local _, err = run(1, { "status" })
      assert.truthy(err:find("storage_insecure", 1, true), err)
      files.sh("chmod 600", path)
      for _, damaged in ipairs { "{", "12", "[", "" } do
        files.write(path, damaged)
        _, err = run(2, { "status" })
        assert.truthy(err:find("damaged", 1, true), err)
      end
    end)
  end)

  describe("without a session", function()
    it("says so, with exit code 3", function()
      for _, args in ipairs { { "userinfo" }, { "token" }, { "fetch", dev.app .. "/api/hello" } } do
        local out, err = run(3, args)
        assert.equal("", out)
        assert.equal("authgear: no_session: nobody is logged in\n  Log in with: authgear login\n", err)
      end
      assert.matches("^state      not logged in\n", (run(3, { "status" })))
      assert.is_false(json.decode((run(3, { "--json", "status" }))).logged_in)
      assert.equal("Nobody was logged in.\n", (run(0, { "logout" })))
      assert.same({ 0, 0 }, { #sdk.arrived(dev), sdk.refreshes(dev) })
    end)

    it("fetches what needs none", function()
      local echo = json.decode((run(0, { "fetch", "--no-token", dev.app .. "/public/echo" })))
      assert.is_false(echo.authorization)
    end)
  end)

  describe("with a session", function()
    local path

    before_each(function()
      path = log_in()
    end)

    it("says who it is", function()
      assert.matches("^state      logged in\nendpoint   http://127[^\n]+\nclient id  native\nprofile    default\n$",
        (run(0, { "status" })))
      local out = run(0, { "status", "--check" })
      assert.matches("^state      logged in, says the server\n", out)
      assert.matches("\nuser       [%x-]+\n$", out)
      local status = json.decode((run(0, { "status", "--check", "--json" })))
      local user = json.decode((run(0, { "userinfo", "--json" })))
      assert.equal(status.sub, user.sub)
      assert.truthy(run(0, { "userinfo" }):find("sub%s+" .. user.sub:gsub("%-", "%%-") .. "\n"))
    end)

    it("prints the token when asked for it, and only then", function()
      local token = files.read(path):match '"access_token":"([^"]+)"'
      assert.equal(token .. "\n", (run(0, { "token" })))
      assert.equal("Authorization: Bearer " .. token .. "\n", (run(0, { "token", "--header" })))
      assert.same({ access_token = token }, json.decode((run(0, { "token", "--json" }))))
      local fresh = run(0, { "token", "--refresh" })
      assert.is_false(fresh == token .. "\n")
    end)

    it("logs out, there as well, or here alone", function()
      assert.equal("Logged out.\n", (run(0, { "logout" })))
      run(3, { "status" })
      assert.equal(0, sessions())
      log_in()
      assert.same({ logged_out = true }, json.decode((run(0, { "logout", "--local", "--json" }))))
      assert.equal(1, sessions())
      run(3, { "status" })
    end)

    it("logs out by force where nothing else helps", function()
      dev:fault { target = "revoke", kind = "status", status = 503, times = 100 }
      local _, err = run(5, { "logout" })
      assert.truthy(err:find("--force", 1, true), err)
      run(0, { "status" })
      assert.equal("Logged out.\n", (run(0, { "logout", "--force" })))
      log_in()
      files.write(path, "nonsense")
      _, err = run(1, { "logout" })
      assert.truthy(err:find("storage_damaged", 1, true) and err:find("logout --force", 1, true), err)
      run(1, { "status" })
      run(0, { "logout", "--force" })
      run(3, { "status" })
    end)

    it("tells an ended session and a network that is down apart", function()
      dev:fault { target = "userinfo", kind = "reset", times = 100 }
      local _, err = run(5, { "userinfo" })
      assert.truthy(err:find("The session is kept", 1, true), err)
      dev:reset()
      dev:revoke {}
      run(3, { "userinfo" })
      run(3, { "status" })
      path = log_in()
      dev:revoke {}
      _, err = run(3, { "fetch", dev.app .. "/api/hello" })
      assert.truthy(err:find("the server has ended the session", 1, true), err)
      run(3, { "token" })
    end)

    it("asks the doctor", function()
      local out = run(0, { "doctor" })
      assert.matches("\nok    discovery ", out)
      assert.matches("\nNothing is wrong%.\n$", out)
      local answer = json.decode((run(1, { "doctor", "--json", "--client-id", "another" })))
      assert.is_false(answer.well)
      local failed
      for _, finding in ipairs(answer.findings) do
        failed = finding.status == "fail" and finding.check or failed
      end
      assert.equal("storage", failed)
    end)

    it("shows no secret, whatever it is asked for, also with -v", function()
      local watch = canary.watch()
      local function look(args, options)
        args[#args + 1] = "-v"
        local _, out, err = home:run(args, options)
        watch:look(args[1], out .. err)
      end
      for name, value in files.read(path):gmatch '"([%w_]+_token)":"([^"]+)"' do
        watch:plant(name, value)
      end
      for _, args in ipairs { { "status", "--check" }, { "userinfo" }, { "userinfo", "--json" }, { "doctor" }, { "doctor", "--json" },
        { "fetch", "-i", dev.app .. "/api/hello" }, { "fetch", "--json", dev.app .. "/api/hello" }, { "configure", "--show" },
        { "fetch", dev.app .. "/api/close" }, { "status", "--client-id", "another" } } do
        look(args)
      end
      home.env.AUTHGEAR_CLIENT_SECRET = canary.text "client secret"
      watch:plant("client secret", home.env.AUTHGEAR_CLIENT_SECRET)
      for _, args in ipairs { { "status" }, { "configure", "--show" }, { "doctor" }, { "configure", "--session", "cli" } } do
        look(args)
      end
      watch:look("the file", files.read(home.dir .. "/config/authgear/config.json"))
      look { "logout" }
      watch:check()
    end)
  end)

  describe("fetches", function()
    before_each(function()
      log_in()
    end)

    local function echo(args, options, path)
      table.insert(args, 1, "fetch")
      args[#args + 1] = dev.app .. (path or "/api/echo") .. "?x=1"
      return json.decode((run(0, args, options)))
    end

    it("with method, headers and data", function()
      assert.equal("GET", echo({}).method)
      local seen = echo { "-XPUT", "-HX-One: 1", "--header", "X-Two: a", "--header=X-Two: b", "-d", "a=1", "-d", "b=2" }
      assert.same({ "PUT", "1", "a, b", "a=1&b=2", "application/x-www-form-urlencoded" },
        { seen.method, seen.headers["x-one"], seen.headers["x-two"], seen.body, seen.headers["content-type"] })
      seen = echo { "-J", '{"a":[1]}' }
      assert.same({ "POST", '{"a":[1]}', "application/json" }, { seen.method, seen.body, seen.headers["content-type"] })
      seen = echo { "-J", '{}', "-H", "content-type: application/x+json" }
      assert.equal("application/x+json", seen.headers["content-type"])
      files.write(home.dir .. "/body", "from a file\0")
      assert.equal("from a file\0", echo({ "-d", "@" .. home.dir .. "/body" }).body)
      assert.equal("from stdin", echo({ "-d", "@-" }, { input = "from stdin" }).body)
      assert.is_true(seen.token_valid)
      assert.is_false(echo({ "--no-token" }, nil, "/public/echo").authorization)
    end)

    it("and shows the head, or that alone, or all as JSON", function()
      local url = dev.app .. "/api/hello"
      local out = run(0, { "fetch", "-i", url })
      assert.matches("^HTTP/1%.1 200\n.*\ncontent%-type: application/json[^\n]*\n.*\n\n{\"hello\"", out)
      out = run(0, { "fetch", "-I", url })
      assert.matches("^HTTP/1%.1 200\n", out)
      assert.is_nil(out:find("hello", 1, true))
      out = json.decode((run(0, { "fetch", "--json", url })))
      assert.same({ 200, url }, { out.status, out.url })
      assert.is_string(out.body.hello)
      assert.is_string(out.headers["content-type"])
      assert.equal("plain", json.decode((run(0, { "fetch", "--json", dev.app .. "/api/bytes?type=text/plain&b64=cGxhaW4=" }))).body)
    end)

    it("to a file, which is not left half written", function()
      local path = home.dir .. "/body"
      run(0, { "fetch", "-o", path, dev.app .. "/api/big?n=300000" })
      assert.equal(300000, #files.read(path))
      run(5, { "fetch", "-o", path .. ".short", dev.app .. "/api/short" })
      assert.is_nil(files.read(path .. ".short"))
      local _, err = run(1, { "fetch", "-o", home.dir .. "/no/such/place", dev.app .. "/api/hello" })
      assert.truthy(err:find("cannot write", 1, true), err)
      run(0, { "fetch", "-o", path .. ".empty", dev.app .. "/api/bytes?b64=" })
      assert.equal("", files.read(path .. ".empty"))
      run(4, { "fetch", "-f", "-o", path .. ".none", dev.app .. "/api/status/404" })
      assert.is_nil(files.read(path .. ".none"))
      assert.equal(300000, #run(0, { "fetch", "-o", "-", dev.app .. "/api/big?n=300000" }))
    end)

    it("and what was there before is not removed: a file is empty then, and a device, or a link to one, still there", function()
      local path = home.dir .. "/body"
      files.write(path, "old")
      run(5, { "fetch", "-o", path, dev.app .. "/api/short" })
      local left = files.read(path)
      assert.is_true(left == "" or left == "old", left) -- old: it was not opened, nothing of the body had come
      files.sh("ln -s /dev/full", home.dir .. "/full")
      local _, err = run(1, { "fetch", "-o", home.dir .. "/full", dev.app .. "/api/big?n=300000" })
      assert.truthy(err:find("No space left", 1, true), err)
      assert.equal("/dev/full", files.sh("readlink", home.dir .. "/full"))
    end)

    it("and prints into nothing else where standard output is closed", function()
      for _, closed in ipairs { "1>&-", "1>&- 0<&-", "1>&- 2>&-" } do
        local status = files.sh(home:command { "fetch", dev.app .. "/api/hello" } .. " 2>/dev/null " .. closed .. "; echo $?")
        assert.equal("1", status, closed)
      end
      run(0, { "fetch", dev.app .. "/api/hello" })
      run(0, { "fetch", dev.app .. "/api/hello" }, { shell = "0<&-" })
    end)

    it("and fails on bad statuses if asked to", function()
      local out = run(0, { "fetch", dev.app .. "/api/status/404" })
      assert.is_string(out)
      local err
      out, err = run(4, { "fetch", "--fail", dev.app .. "/api/status/404" })
      assert.equal("", out)
      assert.truthy(err:find("status 404", 1, true), err)
      run(0, { "fetch", "--fail", dev.app .. "/api/hello" })
      out = run(0, { "fetch", "-i", "--max-redirects", "0", dev.app .. "/api/redirect/302?n=1" })
      assert.matches("^HTTP/1%.1 302\n", out)
    end)

    it("and lets no server move the cursor", function()
      dev:fault { target = "userinfo", kind = "answer", status = 400, headers = { ["Content-Type"] = "application/json" },
        body = '{"error":"x","error_description":"\\u001b[2Jgone"}' }
      local status, out, err = home:run { "userinfo" }
      assert.is_true(status ~= 0)
      assert.is_nil((out .. err):find("\27", 1, true))
      dev:reset()
      local user = canary.text "name"
      dev:control("/users", { name = user, claims = { email = "a\27[2J@example.com" } })
      dev:login { user = user }
      local running = home:start { "login", "--console" }
      local url = running:hear "\n  (http%S+)\n"
      running:say(dev:visit(url).location .. "\n")
      status, out = running:wait()
      assert.equal(0, status)
      assert.is_nil(out:find("\27", 1, true))
      assert.is_nil(run(0, { "userinfo" }):find("\27", 1, true))
    end)

    it("bytes as they are into a pipe", function()
      assert.equal("\0\255\27", (run(0, { "fetch", dev.app .. "/api/bytes?type=application/octet-stream&b64=AP8b" })))
    end)

    it("and minds a reader that has gone", function()
      local url = dev.app .. "/api/big?n=5000000"
      for _, trap in ipairs { "", "trap '' PIPE; " } do
        local text = files.sh("bash -c " .. files.quote(trap .. home:command { "fetch", url } .. " 2>" .. home.dir
          .. "/err | head -c 5 | wc -c; echo ${PIPESTATUS[0]}"))
        assert.equal("5\n141", text)
        assert.equal("", files.read(home.dir .. "/err"))
      end
    end)

    it("and a disk that is full", function()
      local status = files.sh(home:command { "fetch", dev.app .. "/api/hello" } .. " >/dev/full 2>" .. home.dir .. "/err; echo $?")
      assert.equal("1", status)
      assert.truthy(files.read(home.dir .. "/err"):find("No space left", 1, true))
    end)
  end)
end)
