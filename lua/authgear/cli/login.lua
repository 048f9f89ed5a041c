--- authgear login. Must never print what was pasted.
local clean = require("authgear.cli.screen").clean

local M = {
  summary = "log in, with the browser or, where there is none, by pasting",
  usage = "[OPTIONS]",
  options = {
    { name = "console", short = "c", help = "print the address instead of opening a browser, and read the answer's" },
    { name = "browser", short = "b", help = "open a browser, though none seems to be there" },
    { name = "redirect-uri", value = "URI", many = true, help = "as registered, to the letter" },
    { name = "prompt", value = "WORD", help = "login, consent, select_account or none" },
    { name = "login-hint", value = "TEXT", help = "who is logging in" },
    { name = "ui-locales", value = "TAGS", help = "languages of the page, e.g. 'fr-CA en'" },
    { name = "wait", value = "SECONDS", help = "for the person in the browser (300)" },
  },
  text = [[
The redirect URI must be registered with the server, to the letter; if none is configured it is
http://127.0.0.1:8989/callback. Over SSH and without a screen the address is printed: open it in a browser elsewhere, log in, and
paste the address that the browser ends at.]],
}

-- The console's user interface, on this program's streams.
local function console(screen)
  return function(request)
    local attempt, code, message = require("authgear.ui.console").prepare {
      redirect_uris = { request.redirect_uri }, input = screen, output = screen.err,
    }
    local url
    if attempt then
      url, code, message = attempt:run(request)
    end
    return url, not url and { code = code, message = message } or nil
  end
end

local function ui_of(context, options)
  if options.console or not (options.browser or require("authgear.loopback").has_browser()) then
    return console(context.screen)
  end
  context.screen:note "A browser opens for you to log in. Ctrl-C gives up."
  return "browser"
end

function M.run(context, options)
  local wait = options.wait and tonumber(options.wait)
  if options.wait and not (wait and wait > 0) then
    return context:usage "--wait is a number of seconds"
  end
  local client, settings = context:client()
  if not client then
    return settings
  end
  local user, err = client:authenticate {
    redirect_uris = settings.redirect_uris, ui = ui_of(context, options), timeout = wait, prompt = options.prompt,
    login_hint = options.login_hint, ui_locales = options.ui_locales,
  }
  if not user then
    local hint = err.code == "listener" and "Register another redirect URI and give it with --redirect-uri, or use --console."
    return context:fail(err, hint or nil)
  elseif context.screen.json then
    context.screen:value(user.raw)
  else
    local name = user.preferred_username or user.email or user.name
    context.screen:line(clean("Logged in as " .. (name and name .. " (" .. user.sub .. ")" or user.sub) .. "."))
  end
end

return M
