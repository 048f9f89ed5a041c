-- part
-- Clients that are logged in, without a server to log in at.
local core = require "authgear.core"
local driver = require "authgear.driver"

local M = {}

local function boot_id()
  local f = assert(io.open("/proc/sys/kernel/random/boot_id"))
  local id = f:read("*l")
  f:close()
  return id
end

-- The stored record (src/core/record.c) of a session whose access token has just arrived.
local function record(endpoint, client_id, token)
  local boot, wall = core.now()
  return core.json_encode {
    format = "authgear-session", version = 1, generation = 1, endpoint = endpoint, client_id = client_id,
    refresh_token = "refresh-" .. token, access_token = token, boot_id = boot_id(), forced = 0,
    received_boot_ms = math.floor(boot * 1000), received_wall_ms = math.floor(wall * 1000), expires_in_ms = 86400000,
  }
end

--- A configured client with a session that has just begun.
function M.client(token, options)
  local endpoint, client_id = "https://auth.example.com", "bench"
  options.endpoint, options.client_id = endpoint, client_id
  local client = assert(require("authgear").new(options))
  local runtime = client._runtime
  assert(runtime.storage:set(record(endpoint, client_id, token)))
  assert(driver.run(runtime, assert(core.open_flow(runtime.core)), {}))
  assert(client:session_state() == "AUTHENTICATED" and client:access_token() == token)
  return client
end

--- An access token of about 1 KiB, as a signed JWT has.
function M.token()
  return ("eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCJ9."):rep(25)
end

return M
