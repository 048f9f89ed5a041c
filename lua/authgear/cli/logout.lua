--- authgear logout. Must never forget a session that the server still has, unless it was told to.
local M = {
  summary = "end the session, here and at the server",
  usage = "[--local | --force]",
  options = {
    { name = "local", help = "forget it here; the server is not told" },
    { name = "force", short = "f", help = "also when the server cannot be reached, or what is stored is damaged" },
  },
}

function M.run(context, options)
  local settings, code = context:settings()
  if not settings then
    return code
  end
  local given, err = require("authgear.cli.settings").client_options(settings, context.log)
  if not given then
    return context:fail(err)
  end
  local client = require("authgear.client").new()
  local ok
  ok, err = client:configure(given)
  if not ok and not options.force then
    return context:fail(err, "'authgear logout --force' removes what is stored.")
  end
  local was = client:session_state() == "AUTHENTICATED" or not ok
  local finish = options["local"] and client.clear_session_state or client.logout
  ok, err = finish(client, { force = options.force or false })
  if not ok then
    return context:fail(err, err.retryable and "'--force' forgets the session here all the same." or nil)
  elseif context.screen.json then
    context.screen:value { logged_out = was }
  else
    context.screen:line(was and "Logged out." or "Nobody was logged in.")
  end
end

return M
