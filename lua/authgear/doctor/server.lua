--- What the doctor finds out about the way to the server: proxy, name, connection, certificate, clock, metadata. It sends
-- what a log-in would send first, through the client's own transport, and looks at how far that gets.
-- Must never ask anybody but the endpoint.
local core = require "authgear.core"
local driver = require "authgear.driver"
local errors = require "authgear.errors"

local CLOCK_TOLERANCE = 60 -- seconds

local M = {}

-- The value of the first of these environment variables that is set, and its name.
local function from_environment(...)
  for _, name in ipairs { ... } do
    local value = os.getenv(name)
    if value and value ~= "" then
      return value, name
    end
  end
end

-- Is the host one that the list excepts? As libcurl does it: names, and everything below them.
local function is_excepted(host, list)
  for name in (list or ""):gmatch "[^,%s]+" do
    name = name:lower():gsub("^%.", "")
    if name == "*" or host == name or host:sub(-#name - 1) == "." .. name then
      return true
    end
  end
  return false
end

-- The proxy that requests to the endpoint go through, without name and password in it, and who says so.
local function proxy_of(options, place)
  local proxy, source = options.proxy, "the option 'proxy'"
  if not proxy then
    if place.scheme == "https" then
      proxy, source = from_environment("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    else
      proxy, source = from_environment("http_proxy", "all_proxy", "ALL_PROXY")
    end
  end
  if not proxy or proxy == "" or place.is_loopback
      or is_excepted(place.host:lower(), options.no_proxy or from_environment("no_proxy", "NO_PROXY")) then
    return nil
  end
  return proxy:gsub("^%a[%w+.-]*://", ""):gsub("^.*@", ""):match "^[^/%s]*", source
end

local function check_proxy(findings, options, place)
  if options.transport then
    findings:ok("proxy", "the program's own HTTP client decides")
    return nil
  end
  local proxy, source = proxy_of(options, place)
  if proxy then
    findings:ok("proxy", "requests go through " .. proxy .. " (" .. source .. ")")
  else
    findings:ok("proxy", place.is_loopback and "none: loopback is never proxied" or "none")
  end
  return proxy
end

-- A transport that notes what its only request came to.
local function watched(transport, seen)
  return {
    send = function(_, request)
      local answer, code, message, retryable, sent = transport:send(request)
      seen.answer, seen.code, seen.message, seen.sent = answer, code, message, sent
      local _, wall = core.now()
      seen.wall = wall
      return answer, code, message, retryable, sent
    end,
    close = function()
      if transport.close then
        transport:close()
      end
    end,
  }
end

-- Has the metadata fetched and read, as every log-in does. True, or nil, err.
local function discover(runtime, redirect_uri)
  local flow, code, message, retryable =
    core.login_start_flow(runtime.core, "login", { redirect_uri = redirect_uri })
  if not flow then
    return errors.pass(nil, code, message, retryable)
  end
  return driver.run(runtime, flow, { deadline = runtime.now() + runtime.timeout })
end

-- How far a request got that brought no answer: "dns", "connection", "tls", or "discovery".
local function failed_at(seen)
  if seen.code == "dns" or seen.code == "tls" then
    return seen.code
  elseif (seen.code == "network" or seen.code == "timeout") and seen.sent == false then
    return "connection"
  end
  return "discovery"
end

local ADVICE = {
  dns = "Check the endpoint's spelling, and whether this machine looks names up at all (a VPN, /etc/resolv.conf).",
  connection = "Check the network, a firewall, and the port of the endpoint.",
  tls = "Check this machine's clock, and that the server's certificate is from a CA that is trusted here: a private CA's "
    .. "certificate goes into 'ca_file'. Never switch the check off.",
}
local PROXIED = " The proxy is %s: is it the right one, and is it running?"
local STAGES = { "dns", "connection", "tls" }

local function passed(stage, place, proxy)
  if stage == "dns" then
    return (place.is_address or place.is_loopback) and not proxy and "there is no name to look up"
      or "the name " .. (proxy and "of the proxy" or place.host) .. " was found"
  elseif stage == "connection" then
    return "connected to " .. place.host .. (proxy and " through " .. proxy or "")
  end
  return place.scheme == "https" and "the certificate of " .. place.host .. " is trusted"
    or "plain http, as is fine on this machine alone"
end

-- Name, connection, certificate, in that order, up to the first that failed.
local function check_way(findings, seen, place, proxy)
  local failed = not seen.answer and failed_at(seen) or nil
  for _, stage in ipairs(STAGES) do
    if stage == failed then
      local advice = ADVICE[stage]
      if proxy and stage ~= "tls" then
        advice = advice .. PROXIED:format(proxy)
      end
      findings:fail(stage, seen.message or seen.code, advice, seen.code)
      return false
    elseif stage == "tls" and place.scheme == "http" and not place.is_loopback then
      findings:warn("tls", "plain http: whoever is on the way can read and change everything", "Use https.")
    else
      findings:ok(stage, passed(stage, place, proxy))
    end
  end
  return true
end

local function check_clock(findings, seen, wall)
  local date = seen.answer and core.headers(seen.answer.headers).date
  local there = date and core.http_date(date)
  if not there then
    return
  end
  local off = math.floor((wall or seen.wall) - there + 0.5)
  if math.abs(off) <= CLOCK_TOLERANCE then
    findings:ok("clock", "this machine's clock agrees with the server's")
  else
    findings:warn("clock", ("this machine's clock is %d seconds %s the server's"):format(math.abs(off),
      off > 0 and "ahead of" or "behind"), "Set it, or have it set (NTP): certificates and tokens depend on it.")
  end
end

local function discovery_advice(seen, err)
  if err.code == "discovery" then
    return "Check 'endpoint': it must be the address of the Authgear project (or the issuer), to the letter."
  elseif seen.answer and seen.answer.status == 404 then
    return "No login server is at that address. Check 'endpoint'."
  elseif err.retryable then
    return "The server has trouble: try again later."
  end
  return "Something else answered: check 'endpoint', and look for a portal or a proxy in between."
end

-- Where the endpoint is.
local function place_of(endpoint)
  local scheme, host, port, _, is_loopback = core.url(endpoint)
  local is_address = host:find "^%[?[%x:]+%]?$" ~= nil and host:find ":" ~= nil or host:find "^%d+%.%d+%.%d+%.%d+$" ~= nil
  return { scheme = scheme, host = host, port = port, is_loopback = is_loopback, is_address = is_address }
end

---@param runtime table the doctor's own, made of the options
function M.check(findings, runtime, options, redirect_uri)
  local place = place_of(options.endpoint)
  local proxy = check_proxy(findings, options, place)
  local seen = {}
  runtime.transport = watched(runtime.transport, seen)
  local ok, err = discover(runtime, redirect_uri)
  if seen.answer == nil and seen.code == nil then
    findings:fail("discovery", err.message, "Ask where the program may wait: docs/doctor.md.", err.code) -- nothing was sent
  elseif check_way(findings, seen, place, proxy) then
    check_clock(findings, seen, options.clock and options.clock.wall())
    if ok then
      findings:ok("discovery", "the server's metadata are there, and of this issuer")
    else
      findings:fail("discovery", err.message, discovery_advice(seen, err), err.code)
    end
  end
end

return M
