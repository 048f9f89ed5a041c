--- authgear doctor: what authgear.doctor finds, on a screen. Must never look for anything by itself.
local core = require "authgear.core"
local exit = require "authgear.cli.exit"

local M = {
  summary = "look for what is wrong, and say what to do",
  usage = "",
  text = "The exit code is 0 if nothing failed, else 1. What is looked at stands in docs/doctor.md.",
}

local function print_findings(screen, findings, well)
  local widest = 0
  for _, finding in ipairs(findings) do
    widest = math.max(widest, #finding.check)
  end
  for _, finding in ipairs(findings) do
    local status = screen:coloured(finding.status, ("%-4s"):format(finding.status))
    screen:line(status, "  ", finding.check, (" "):rep(widest - #finding.check + 2), finding.message)
    if finding.advice then
      screen:line((" "):rep(widest + 8), finding.advice)
    end
  end
  screen:line()
  screen:line(well and "Nothing is wrong." or "Something is wrong: see what failed.")
end

function M.run(context)
  local settings, code = context:settings()
  if not settings then
    return code
  end
  local options, err = require("authgear.cli.settings").client_options(settings, context.log)
  if not options then
    return context:fail(err)
  end
  options.redirect_uris = settings.redirect_uris
  local findings, well = require("authgear").doctor(options)
  if context.screen.json then
    context.screen:value { well = well, findings = core.array(findings) }
  else
    print_findings(context.screen, findings, well)
  end
  return well and exit.OK or exit.FAILED
end

return M
