-- Every public function of a client inside a real nginx, without and with DPoP: the list and the cases of hosts_face_spec, one
-- request for each. The cases talk to the server's control API by LuaSocket, which blocks the worker: nobody else is there.
-- runs-on: jit
-- takes: 4
local face = require "spec.support.face_cases"
local nginx = require "spec.support.nginx"
local server = require "spec.support.server"

local HTTP = [==[
  init_by_lua_block {
    authgear = require "authgear.openresty"
    face = require "spec.support.face_cases"
    dev = require("spec.support.server").at [=[${dev}]=]
    envs = {
      bearer = face.env { dev = dev, options = {}, new = authgear.new },
      dpop = face.env { dev = dev, options = {}, new = authgear.new, dpop = true },
    }
  }
]==]

local LOCATIONS = {
  ["/case"] = [[
    local case = face.cases[ngx.var.arg_name]
    if not case then
      return ngx.print(ngx.var.arg_name, " is not called in nginx")
    end
    local ok, raised = pcall(case, envs[ngx.var.arg_env])
    ngx.print(ok and "ok" or tostring(raised))
  ]],
  ["/again"] = [[
    local client = envs.bearer:open()
    assert(client:configure(setmetatable({ client_id = "native" }, { __index = { endpoint = dev.endpoint } })))
    local over = false
    local thread = ngx.thread.spawn(function()
      over = assert(client:fetch(dev.app .. "/public/slow?ms=100")).status
    end)
    local others_ran = over == false
    ngx.thread.wait(thread)
    local refused, why = pcall(client.configure, client, { endpoint = dev.endpoint, client_id = "native", host = {} })
    ngx.print(tostring(others_ran), " ", tostring(over), " ", tostring(refused), " ", tostring(why))
  ]],
}

describe("in nginx,", function()
  local n

  setup(function()
    local dev = server.shared()
    face.prepare(dev)
    n = nginx.start { http = HTTP, locations = LOCATIONS, values = { dev = dev.announced } }
  end)

  teardown(function()
    n:stop()
  end)

  for _, kind in ipairs { "bearer", "dpop" } do
    for _, name in ipairs(face.names) do
      it(("%s does what it does elsewhere (%s)"):format(name, kind), function()
        assert.equal("ok", assert(n:get(("/case?name=%s&env=%s"):format(name, kind))).body)
      end)
    end
  end

  it("a client that is configured once more waits as light threads do, as before", function()
    assert.matches("^true 200 false .*option 'host' is nginx here", assert(n:get "/again").body)
  end)

  it("nothing was logged as an error", function()
    assert.same({}, n:errors())
  end)
end)
