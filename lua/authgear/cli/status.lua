--- authgear status: what is known here; with --check the server is asked. Must never ask it otherwise.
local exit = require "authgear.cli.exit"

local M = {
  summary = "say whether somebody is logged in",
  usage = "[--check]",
  options = { { name = "check", help = "ask the server whether the session still lives" } },
  text = "The exit code is 0 if somebody is logged in, and 3 if not.",
}

function M.run(context, options)
  local client, settings = context:client()
  if not client then
    return settings
  end
  local user, err
  if options.check and client:session_state() == "AUTHENTICATED" then
    user, err = client:fetch_user_info()
    if not user and client:session_state() == "AUTHENTICATED" then
      return context:fail(err)
    end
  end
  local is_in = client:session_state() == "AUTHENTICATED"
  local screen = context.screen
  if screen.json then
    screen:value { logged_in = is_in, checked = options.check or false, endpoint = settings.endpoint,
      client_id = settings.client_id, profile = settings.profile, session = settings.session, sub = user and user.sub }
  else
    screen:rows {
      { "state", screen:coloured(is_in and "ok" or "warn", is_in and "logged in" or "not logged in")
        .. (options.check and ", says the server" or "") },
      { "endpoint", settings.endpoint }, { "client id", settings.client_id }, { "profile", settings.profile },
      user and { "user", user.sub } or nil,
    }
  end
  return is_in and exit.OK or exit.NOT_LOGGED_IN
end

return M
