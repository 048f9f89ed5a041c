-- What the specs of the whole SDK have in common: a client at the development server, a log-in without a browser,
-- a clock that can be moved, and what the server saw of it. Must never judge: that is the specs' work.

local authgear = require "authgear"
local core = require "authgear.core"
local files = require "spec.support.files"
local with = require "spec.support.with"

local sdk = {}

sdk.REDIRECT_URI = "http://127.0.0.1:8989/callback"

--- A configured client, and the list of its events as "STATE REASON".
---@param dev table the server
---@param options table|nil as configure's; endpoint and client_id ("native") are filled in
---@param new function|nil a host's own authgear.new
function sdk.client(dev, options, new)
  local all, seen = with(options), {}
  all.endpoint = all.endpoint or dev.endpoint
  all.client_id = all.client_id or "native"
  local listener = all.on_session_state_change
  all.on_session_state_change = function(client, state, reason)
    seen[#seen + 1] = state .. " " .. reason
    if listener then
      listener(client, state, reason)
    end
  end
  local client, err = (new or authgear.new)(all)
  if not client then
    return nil, err
  end
  return client, seen
end

--- Starts a log-in and lets the server's browser finish it: the callback URL, and what start_authentication gave.
function sdk.callback(dev, client, options)
  local request = assert(client:start_authentication(with({ redirect_uri = sdk.REDIRECT_URI }, options)))
  return dev:visit(request.url).location, request
end

--- Logs in: the user info.
function sdk.log_in(dev, client, options)
  return assert(client:finish_authentication((sdk.callback(dev, client, options))))
end

--- A clock for the option `clock`, which runs ahead by `clock.ahead` seconds.
function sdk.clock()
  local clock = { ahead = 0 }
  function clock.monotonic()
    return core.now() + clock.ahead
  end
  function clock.wall()
    local _, wall = core.now()
    return wall + clock.ahead
  end
  return clock
end

--- The record in a shared memory storage.
function sdk.record(storage)
  return storage.open("default"):get()
end

--- Makes the access token of the session in a shared memory storage old, as seen from here.
function sdk.grow_old(storage)
  local store = storage.open "default"
  local record = store:get()
  store:set((record:gsub('"expires_in_ms":%d+', '"expires_in_ms":0')))
end

--- Fetches a path that echoes the request: what the application server saw of it, and the response.
function sdk.echo(dev, client, init, path)
  local response, err = client:fetch(dev.app .. (path or "/api/echo"), init)
  assert(response, tostring(err))
  assert(response.status == 200, "status " .. response.status)
  return assert(response:json()), response
end

--- The status of a fetch of the application server's greeting.
function sdk.hello(dev, client, init)
  return assert(client:fetch(dev.app .. "/api/hello", init)).status
end

--- The requests that reached an application server, in their order, as "ORIGIN PATH".
function sdk.arrived(dev)
  local list = {}
  for _, event in ipairs(dev:log { event = "received" }) do
    if event.target == "app" then
      list[#list + 1] = event.server .. " " .. event.path
    end
  end
  return list
end

--- Refresh requests that reached the server so far.
function sdk.refreshes(dev, client_id)
  return dev:token_count("refresh_token", client_id or "native").requests
end

--- The server's name for a refresh token.
function sdk.fingerprint(token)
  return files.sh("printf %s " .. files.quote(token) .. " | sha256sum | cut -c1-16")
end

--- The refresh token in a stored record.
function sdk.refresh_token(record)
  return record and record:match '"refresh_token":"([^"]+)"'
end

--- Tries `look` until it gives something true, which is returned; raises after `seconds` (60: only to end a failure).
function sdk.poll(what, look, seconds)
  local last = core.now() + (seconds or 60)
  while true do
    local value = look()
    if value then
      return value
    elseif core.now() > last then
      error("waited in vain for " .. what, 2)
    end
    core.sleep(0.002)
  end
end

--- A redirect URI whose port is free at the moment.
function sdk.free_redirect_uri()
  local listener = assert(require("authgear.loopback").listen { host = "127.0.0.1" })
  local uri = ("http://127.0.0.1:%d/callback"):format(listener:port())
  listener:close()
  return uri
end

--- A new directory where syncing costs nothing, if the system has such a place: for what is not about the medium.
function sdk.temp_dir()
  local ok, dir = pcall(files.sh, "test -w /dev/shm && mktemp -d -p /dev/shm")
  return ok and dir or files.temp_dir()
end

--- The path of a file storage's record in `dir`.
function sdk.record_path(dir, name)
  local store = assert(require("authgear.file").open { dir = dir, name = name or "default" })
  local path = store:path()
  store:close()
  return path
end

return sdk
