--- What the doctor finds out about this machine: the libraries, the browser, whether loopback and the redirect ports can be
-- used. Must never talk to anybody but itself.
local core = require "authgear.core"

local PATIENCE = 5 -- seconds for a request to ourselves
local STEP = 0.01

local M = {}

--- Which versions are loaded, and whether libcurl can be.
---@param own_transport boolean the program has an HTTP client of its own
function M.versions(findings, version, own_transport)
  local openssl, cjson = core.libraries()
  local lua = rawget(_G, "jit") and rawget(_G, "jit").version or _VERSION
  local text = ("authgear %s, %s, OpenSSL %s, cJSON %s"):format(version, lua, openssl, cjson)
  if own_transport then
    findings:ok("versions", text .. ", an HTTP client of the program's own")
    return
  end
  local loaded, curl = pcall(require, "authgear.curl")
  if loaded then
    findings:ok("versions", text .. ", " .. curl.version():match "^%S+ ?%S*")
  else
    findings:fail("versions", text .. ", but the module authgear.curl can't be loaded: " .. tostring(curl):match "^[^\n]*",
      "Install libcurl (Debian: libcurl4), or hand in an HTTP client of your own as 'transport'.", "host")
  end
end

function M.browser(findings)
  if require("authgear.loopback").has_browser() then
    findings:ok("browser", "there is a browser to log in with")
  else
    findings:warn("browser", "there is no screen, or no browser to start",
      'Logging in prints an address to open elsewhere (ui = "console").')
  end
end

-- Sends a request from here to the listener, both moved on in turn. True, or nil and why not.
local function ask_ourselves(listener, sleep)
  local loaded, curl = pcall(require, "authgear.curl")
  if not loaded then
    return nil, "libcurl is not there to try it with"
  end
  local pool, _, message = curl.pool {}
  local transfer
  if pool then
    transfer, _, message = pool:start { method = "GET", url = "http://127.0.0.1:" .. listener:port() .. "/",
      timeout = PATIENCE }
  end
  if not transfer then
    return nil, message
  end
  local event
  repeat
    local why
    event, _, why = transfer:step(0)
    message = event == "error" and why or nil
    listener:poll(0)
    if event == "wait" then
      sleep(STEP)
    end
  until event == "done" or event == "error"
  transfer:close()
  pool:close()
  return event == "done", message
end

--- Can a port of 127.0.0.1 be listened on, and be reached?
---@param sleep fun(seconds: number)
function M.loopback(findings, sleep)
  local listener, code, message = require("authgear.loopback").listen { host = "127.0.0.1" }
  if not listener then
    findings:fail("loopback", "no port of 127.0.0.1 can be listened on: " .. message,
      'Allow it, or log in with ui = "console".', code)
    return
  end
  local ok, why = ask_ourselves(listener, sleep)
  listener:close()
  if ok then
    findings:ok("loopback", "a browser here can reach a port of 127.0.0.1")
  else
    findings:fail("loopback", "a port of 127.0.0.1 was opened, but could not be reached: " .. tostring(why),
      "Look for a firewall, a sandbox or a container between programs here.", "network")
  end
end

--- Is one of the redirect URIs' ports free?
---@param uris string[]|nil
function M.redirect_ports(findings, uris)
  if not uris then
    return
  end
  local free, taken = {}, {}
  for _, uri in ipairs(uris) do
    local attempt, _, message = require("authgear.ui.system").prepare { redirect_uris = { uri } }
    if attempt then
      attempt:close()
      free[#free + 1] = uri:match "^[^?#]*"
    else
      taken[#taken + 1] = (uri:match "^[^?#]*") .. " (" .. message:gsub("^no redirect URI's port can be listened on: ", "") .. ")"
    end
  end
  local busy = "cannot be used now: " .. table.concat(taken, "; ")
  if #taken == 0 then
    findings:ok("redirect_ports", "free: " .. table.concat(free, ", "))
  elseif #free > 0 then
    findings:warn("redirect_ports", "free: " .. table.concat(free, ", ") .. "; " .. busy,
      "Nothing, as long as one is free.")
  else
    findings:fail("redirect_ports", busy,
      "End the program that has the port, or register another http://127.0.0.1:PORT/... with the server and name it too.",
      "listener")
  end
end

return M
