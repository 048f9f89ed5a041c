-- One refresh over all workers, at length: 64 requests at once, tokens that live 3 seconds, rotation on, reloads, and
-- workers ended by SIGKILL, one of them while it holds the lock.
-- runs-on: jit
-- takes: 75
local core = require "authgear.core"
local http = require "spec.support.http"
local nginx = require "spec.support.nginx"
local server = require "spec.support.server"

local SECONDS, AT_ONCE, PAUSE, RELOAD = 60, 64, 0.2, 5
local LIFE = 2.7 -- a token of 3 seconds is renewed after 90 % of its life

local HTTP = [[
  lua_shared_dict sessions 1m;
  init_by_lua_block {
    authgear = require "authgear.openresty"
    client = assert(authgear.new {
      endpoint = "${endpoint}", client_id = "short", storage = authgear.storage { dict = "sessions" },
    })
  }
]]

local LOCATIONS = {
  ["/log_in"] = [[
    local request = assert(client:start_authentication { redirect_uri = "http://127.0.0.1:8989/callback" })
    local visit = { json = { url = request.url }, authorization = false }
    local visited = assert(client:fetch("${control}/visit", visit))
    ngx.print(assert(client:finish_authentication(visited:json().location)).sub)
  ]],
  ["/hello"] = [[
    local response, err = client:fetch("${app}/api/hello")
    ngx.print(response and response.status or tostring(err))
  ]],
  ["/holder"] = [[ ngx.print((tostring(ngx.shared.sessions:get "authgear:session:default:lock"):match "^%S+")) ]],
}

describe("authgear.openresty, for a minute", function()
  local dev, n

  setup(function()
    dev = server.shared()
    n = nginx.start { workers = 4, level = "warn", http = HTTP, locations = LOCATIONS,
      values = { endpoint = dev.endpoint, app = dev.app, control = dev.control_url } }
  end)

  teardown(function()
    n:stop()
  end)

  -- Just after a refresh was stored: nobody is at one, and no answer can get lost.
  local function kill_a_worker()
    local before = dev:token_count("refresh_token", "short").rotated
    nginx.wait("a refresh", function()
      n:get "/hello"
      return dev:token_count("refresh_token", "short").rotated > before and n:get("/holder").body == "nil"
    end)
    n:kill_worker()
  end

  -- While its refresh is out, and will never be answered.
  local function kill_the_holder()
    dev:fault { target = "token", kind = "hang", when = "before" }
    local holder
    nginx.wait("a holder", function()
      http.many({ url = n.url .. "/hello", timeout = 0.05 }, 4)
      holder = tonumber(n:get("/holder").body)
      return holder and dev:faults()[1].fired == 1
    end)
    n:kill_worker(holder)
  end

  it("asks for one refresh per expiry, loses no session, and answers every request", function()
    assert.truthy(n:get("/log_in").body:find "%S")
    local began = core.now()
    local kills = { { at = 12, kill_a_worker }, { at = 28, kill_the_holder }, { at = 45, kill_a_worker } }
    local reload_at, killed_at, answered, cut = RELOAD, -1, 0, 0
    while core.now() - began < SECONDS do
      local elapsed = core.now() - began
      if kills[1] and elapsed >= kills[1].at then
        table.remove(kills, 1)[1]()
        killed_at = core.now()
      elseif elapsed >= reload_at then
        reload_at = elapsed + RELOAD
        n:reload()
      end
      for _, answer in ipairs(http.many({ url = n.url .. "/hello" }, AT_ONCE)) do
        if answer.status then
          assert.equal("200", answer.body)
          answered = answered + 1
        else -- what the killed worker had accepted, and nothing else
          assert.truthy(core.now() - killed_at < 10, "a request failed: " .. tostring(answer.err))
          cut = cut + 1
        end
      end
      core.sleep(PAUSE)
    end
    local elapsed = core.now() - began
    local count = dev:token_count("refresh_token", "short")
    print(("%d answers, %d cut off by kills; %d refreshes, %d of them answered, in %.0f s"):format(answered, cut,
      count.requests, count.ok, elapsed))
    assert.equal(0, #kills)
    assert.truthy(count.requests >= 12, count.requests .. " refreshes")
    assert.truthy(count.requests <= math.floor(elapsed / LIFE) + 1 + 1, count.requests .. " refreshes")
    assert.equal(count.requests - 1, count.ok) -- the holder's was never answered
    assert.equal(count.ok, count.rotated)
    assert.truthy(answered > 2000, answered .. " answers")
    assert.same({}, n:errors_but { "exited on signal 9" })
  end)
end)
