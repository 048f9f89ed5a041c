-- The examples of protect{} in examples/openresty, as they stand but for ports and paths, in a real nginx against the development server.
-- runs-on: jit
local files = require "spec.support.files"
local nginx = require "spec.support.nginx"
local protected = require "spec.support.protected"
local server = require "spec.support.server"

-- A copy of the file whose application is the one that the spec has started.
local function copy_of(name, dir, port)
  local text = assert(files.read("examples/openresty/" .. name))
  assert.truthy(select(2, text:gsub("\n", "")) < 40, name .. " is short")
  local path = dir .. "/" .. name
  files.write(path, (text:gsub("127%.0%.0%.1:9000", "127.0.0.1:" .. port)))
  return path
end

describe("the example", function()
  local dev, n, application, dir, session

  setup(function()
    dir = files.temp_dir(true)
    application = nginx.start { level = "warn",
      server = "location / { content_by_lua_block { ngx.print(ngx.req.raw_header()) } }" }
  end)

  teardown(function()
    application:stop()
    files.remove(dir)
  end)

  before_each(function()
    dev = server.shared()
    session = dev:session { client = "native", user = "example" }
  end)

  after_each(function()
    assert.same({}, n:errors())
    n:stop()
    n = nil
  end)

  local function start(name)
    n = nginx.start { example = copy_of(name, dir, application.port), env = { AUTHGEAR_ENDPOINT = dev.endpoint } }
  end

  local function ask(path, ...)
    return protected.request(n, path, { ... })
  end

  local function bearer(token)
    return "Authorization: Bearer " .. (token or session.access_token)
  end

  it("jwt.conf", function()
    start "jwt.conf"
    dev:control("/users", { name = "ed", roles = { "editor" } })
    local editor = dev:session { client = "native", user = "ed" }
    local answer = ask("/api/hello", bearer(), "X-Authgear-User-Id: root")
    assert.equal(200, answer.status)
    assert.truthy(answer.body:find("X-Authgear-User-Id: " .. session.sub .. "\r\n", 1, true))
    assert.equal(401, ask("/api/hello").status)
    assert.equal(403, ask("/api/articles/", bearer()).status)
    assert.equal(200, ask("/api/articles/", bearer(editor.access_token)).status)
  end)

  it("resolver.conf", function()
    start "resolver.conf"
    assert.equal(200, ask("/api/hello", bearer()).status)
    assert.equal(401, ask("/api/hello").status)
    assert.equal(401, ask("/api/hello", "Accept: text/html").status)
    assert.equal(302, ask("/account/", "Accept: text/html").status)
    assert.equal(302, ask("/account/", "Accept: text/html", "Cookie: session=old").status)
    local answer = ask("/", "X-Authgear-User-Id: root")
    assert.equal(200, answer.status)
    assert.same({}, protected.ours(answer.body))
    assert.truthy(ask("/", bearer()).body:find("X-Authgear-User-Id: " .. session.sub, 1, true))
    dev:revoke { session = session.session }
    nginx.wait("the end of the second", function() return ask("/api/hello", bearer()).status == 401 end)
  end)

  it("jwt+resolver.conf", function()
    start "jwt+resolver.conf"
    assert.equal("hello " .. session.sub .. ", whom nobody has verified\n", ask("/api/", bearer()).body)
    assert.equal("paid\n", ask("/pay/", bearer()).body)
    assert.equal(401, ask("/pay/").status)
    dev:revoke { session = session.session }
    assert.equal(401, ask("/pay/", bearer()).status)
  end)
end)
