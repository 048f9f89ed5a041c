-- The client inside a real nginx: light threads, phases where nothing can wait, what becomes of aborted requests.
-- runs-on: jit
-- takes: 10
local nginx = require "spec.support.nginx"
local server = require "spec.support.server"

local INIT = 'init_by_lua_block { authgear = require "authgear.openresty" }'

describe("authgear.openresty", function()
  local dev, values

  setup(function()
    dev = server.shared()
    values = { endpoint = dev.endpoint, app = dev.app }
  end)

  local function start(options)
    options.http = INIT .. (options.http or "")
    options.values = values
    return nginx.start(options)
  end

  it("fetches in light threads, any number at once", function()
    local n = start { locations = { ["/"] = [[
      local client = assert(authgear.new { endpoint = "${endpoint}", client_id = "native" })
      local threads, good = {}, 0
      for i = 1, 64 do
        threads[i] = ngx.thread.spawn(function()
          for _ = 1, 5 do
            local response, err = client:fetch("${app}/public/echo", { query = { n = i } })
            if response and response:json().query.n == tostring(i) then
              good = good + 1
            else
              ngx.say(tostring(err))
            end
          end
        end)
      end
      for i = 1, 64 do
        ngx.thread.wait(threads[i])
      end
      ngx.print(good)
    ]] } }
    assert.equal("320", n:get("/").body)
    n:quit()
    assert.same({}, n:errors())
    n:stop()
  end)
end)
