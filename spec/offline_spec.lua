-- A program that starts without a network and with a stored session: it is logged in, its calls say that they can be
-- tried again, and the first one after the network is back works, with no restart.
-- takes: 8

local authgear = require "authgear"
local files = require "spec.support.files"
local http = require "spec.support.http"
local sdk = require "spec.support.sdk"
local has_socket, socket = pcall(require, "socket") -- Debian has none for 5.2

local SCRIPT = (debug.getinfo(1, "S").source:match "^@(.*)offline_spec%.lua$" or "spec/") .. "support/late_server.mjs"

local function start(port)
  local pipe = assert(io.popen("exec node " .. SCRIPT .. " " .. (port or 0), "r"))
  return { pipe = pipe, port = assert(tonumber(pipe:read "*l"), "the server did not start (is node there?)") }
end

-- Keeps a port from the servers of other specs, which run at the same time, and answers nothing.
local function hold(port)
  if not has_socket then
    return { close = function() end }
  end
  local sock = assert(socket.tcp4())
  assert(sock:setoption("reuseaddr", true)) -- what came to the server that was there lingers
  assert(sock:bind("127.0.0.1", port))
  assert(sock:setoption("reuseaddr", false))
  return sock
end

local function stop(server)
  if server and server.pipe then
    http.request { url = "http://127.0.0.1:" .. server.port .. "/quit" }
    server.pipe:close()
    server.pipe = nil
  end
end

describe("without a network", function()
  local server, dir, client, storages

  before_each(function()
    server, dir = start(), sdk.temp_dir()
    local memory = authgear.storage.memory()
    storages = {
      file = function() return authgear.storage.file { dir = dir } end,
      memory = function() return memory end, -- what another client of this program left
    }
  end)

  after_each(function()
    if client then
      client:close()
    end
    stop(server)
    files.remove(dir)
  end)

  local function url(path)
    return "http://127.0.0.1:" .. server.port .. path
  end

  local function configured(storage, clock)
    return assert(sdk.client({ endpoint = url "" }, { storage = storages[storage](), clock = clock }))
  end

  -- A session that was begun earlier, by a client that is gone; and the network is gone as well.
  local function leave_session(storage)
    local first = configured(storage)
    local request = assert(first:start_authentication { redirect_uri = sdk.REDIRECT_URI })
    local nonce = request.url:match "nonce=([^&]*)"
    assert(first:finish_authentication(sdk.REDIRECT_URI .. "?code=" .. nonce .. "&state=" .. request.state))
    local token = first:access_token()
    first:close()
    stop(server)
    server.held = hold(server.port)
    return token
  end

  local function is_retryable(value, err)
    assert.is_nil(value)
    assert.equal("network", err.code, tostring(err))
    assert.is_true(err.retryable)
    assert.equal("AUTHENTICATED", client:session_state())
  end

  for _, storage in ipairs { "file", "memory" } do
    for _, age in ipairs { "fresh", "expired" } do
      it(("a session in a %s, its token %s, waits for it"):format(storage, age), function()
        local clock = age == "expired" and sdk.clock() or nil
        local token = leave_session(storage)
        if clock then
          clock.ahead = 1700
        end
        client = configured(storage, clock)
        assert.equal("AUTHENTICATED", client:session_state())
        assert.equal(token, client:access_token())
        for _ = 1, 2 do
          is_retryable(client:fetch(url "/app"))
          is_retryable(client:refresh_access_token())
          is_retryable(client:logout())
          if clock then
            is_retryable(client:refresh_access_token_if_needed())
          else
            assert.is_true(client:refresh_access_token_if_needed())
          end
        end
        server.held:close()
        server = start(server.port)
        assert.equal(200, assert(client:fetch(url "/app")).status)
        assert.equal(age == "fresh", client:access_token() == token)
        assert.equal("AUTHENTICATED", client:session_state())
      end)
    end
  end
end)
