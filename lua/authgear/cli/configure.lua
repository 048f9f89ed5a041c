--- authgear configure: writes a section of the configuration file, asking for what was not given. Must never store a secret.
local settings = require "authgear.cli.settings"

local M = {
  summary = "set the endpoint and the client id, once",
  usage = "[--endpoint URL] [--client-id ID] [OPTIONS]",
  options = {
    { name = "redirect-uri", value = "URI", many = true, help = "as registered, to the letter (http://127.0.0.1:8989/callback)" },
    { name = "scope", value = "SCOPES", help = "instead of the usual ones" },
    { name = "session", value = "NAME", help = "the stored session's name, to share it with a program (cli)" },
    { name = "encrypt", value = "yes|no", words = { "yes", "no" }, help = "encrypt the session, with a key in the system's secret store" },
    { name = "show", help = "print the settings that hold now, from options, environment and file" },
  },
  text = [[
What is not given on the command line is asked for, if there is a terminal. An empty value takes a setting out of the file.
The environment comes before the file: AUTHGEAR_ENDPOINT, AUTHGEAR_CLIENT_ID, AUTHGEAR_REDIRECT_URI, AUTHGEAR_SCOPE,
AUTHGEAR_CA_FILE, AUTHGEAR_PROXY, AUTHGEAR_SESSION, AUTHGEAR_ENCRYPT, AUTHGEAR_PROFILE; a confidential client's secret stands
in AUTHGEAR_CLIENT_SECRET and nowhere else.]],
}

local KEYS = { "endpoint", "client_id", "redirect_uri", "scope", "ca_file", "proxy", "session", "encrypt" }

local function show(context)
  local all, code = context:settings()
  if not all then
    return code
  end
  local screen, rows, value = context.screen, { { "profile", all.profile } }, { profile = all.profile }
  all.redirect_uri, all.encrypt = table.concat(all.redirect_uris, " "), all.encrypt and "yes" or "no"
  if all.proxy then
    all.proxy = all.proxy:gsub("//[^/@]*@", "//")
  end
  for _, key in ipairs(KEYS) do
    if all[key] then
      rows[#rows + 1] = { key, all[key] }
      value[key] = all[key]
    end
  end
  if screen.json then
    screen:value(value)
  else
    rows[#rows + 1] = { "file", settings.path() or "none" }
    screen:rows(rows)
  end
end

-- Asks for a value; an empty line keeps what was there.
local function ask(screen, what, was)
  screen.err:write(what, was and " [" .. was .. "]" or "", ": ")
  screen.err:flush()
  local line = screen:read()
  line = line and line:match "^%s*(.-)%s*$"
  return line ~= "" and line or was
end

-- What was given, asked for, or is there already.
local function complete(context, values, section)
  local screen = context.screen
  for _, one in ipairs { { "endpoint", "Endpoint (https://....authgear.cloud)" }, { "client_id", "Client id" } } do
    local key, words = one[1], one[2]
    if values[key] == nil and screen.is_input_terminal then
      values[key] = ask(screen, words, section[key])
    end
    if (values[key] or section[key] or "") == "" then
      return false
    end
  end
  return true
end

function M.run(context, options)
  if options.show then
    return show(context)
  end
  local all, code = context:settings()
  if not all then
    return code
  end
  local section, err = settings.section(all.profile)
  if not section then
    return context:fail(err)
  end
  local values = {}
  for _, key in ipairs(KEYS) do
    values[key] = options[key]
  end
  values.redirect_uri = options.redirect_uri and table.concat(options.redirect_uri, " ")
  if not complete(context, values, section) then
    return context:usage "configure needs --endpoint and --client-id"
  end
  local ok
  local endpoint = values.endpoint or section.endpoint
  ok, err = require("authgear").new { endpoint = endpoint, client_id = values.client_id or section.client_id }
  if not ok then
    return context:fail(err) -- an endpoint that no call would take is not kept
  end
  for key, value in pairs(values) do
    values[key] = value ~= "" and value
  end
  ok, err = settings.save(all.profile, values)
  if not ok then
    return context:fail(err)
  end
  context.screen:note("Saved in ", settings.path(), ". Next: authgear login", all.profile ~= "default" and " -p " .. all.profile or "")
end

return M
