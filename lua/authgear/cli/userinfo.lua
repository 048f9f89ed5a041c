--- authgear userinfo. Must never show claims that the server has not just sent.
local core = require "authgear.core"

local M = { summary = "print who is logged in, as the server says", usage = "" }

function M.run(context)
  local client, code = context:session()
  if not client then
    return code
  end
  local user, err = client:fetch_user_info()
  if not user then
    return context:fail(err)
  elseif context.screen.json then
    context.screen:value(user.raw)
    return
  end
  local rows = {}
  user.raw = nil
  for name, value in pairs(user) do
    local text = type(value) == "string" and not value:find "%c" and value or core.json_encode(value)
    rows[#rows + 1] = { name, text }
  end
  table.sort(rows, function(a, b)
    return a[1] < b[1]
  end)
  context.screen:rows(rows)
end

return M
