--- authgear version. Must never load more than it takes to know it.
local M = { summary = "print the version", usage = "" }

function M.run(context)
  local version = require("authgear")._VERSION
  if context.screen.json then
    context.screen:value { version = version }
  else
    context.screen:line("authgear ", version)
  end
end

return M
