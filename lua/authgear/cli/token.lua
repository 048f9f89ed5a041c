--- authgear token: the one command that prints a secret, for it is asked to. Must never print it to standard
-- error, nor an old one.
local M = {
  summary = "print a fresh access token, for other programs",
  usage = "[--header]",
  options = {
    { name = "header", help = "as an HTTP header: Authorization: Bearer ..." },
    { name = "refresh", help = "ask the server for a new one, though the old one is good" },
  },
  text = [[
Whoever has the token can act as you until it expires. Give it to a program directly, and keep it out of files and histories:
  curl -H @<(authgear token --header) https://api.example.com/]],
}

function M.run(context, options)
  local client, code = context:session()
  if not client then
    return code
  end
  local ok, err
  if options.refresh then
    ok, err = client:refresh_access_token()
  else
    ok, err = client:refresh_access_token_if_needed()
  end
  if not ok then
    return context:fail(err)
  end
  local token = client:access_token()
  if not token then
    return context:fail { code = "session_revoked", message = "the server has ended the session" }
  elseif context.screen.json then
    context.screen:value { access_token = token }
  elseif options.header then
    context.screen:line("Authorization: ", client:authorization_header())
  else
    context.screen:line(token)
  end
end

return M
