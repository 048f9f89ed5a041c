--- The exit codes of the command-line tool; docs/command-line.md and `authgear help exit-codes` list them. Must never change:
-- scripts depend on them.
local M = {
  OK = 0, FAILED = 1, USAGE = 2, NOT_LOGGED_IN = 3, HTTP = 4, TRY_LATER = 5, INTERRUPTED = 130, BROKEN_PIPE = 141,
}

--- In their order, with what they mean.
M.LIST = {
  { M.OK, "all went well" },
  { M.FAILED, "it failed" },
  { M.USAGE, "the command, an option or the configuration is wrong" },
  { M.NOT_LOGGED_IN, "nobody is logged in, or the server has ended the session" },
  { M.HTTP, "the server answered with a status of 400 or more (fetch --fail)" },
  { M.TRY_LATER, "no network, or the server has trouble: the same may go well later; the session is kept" },
  { M.INTERRUPTED, "interrupted (Ctrl-C)" },
  { M.BROKEN_PIPE, "whoever read the output has closed it" },
}

local BY_CODE = {
  no_session = M.NOT_LOGGED_IN, session_revoked = M.NOT_LOGGED_IN, insecure_url = M.USAGE, invalid_url = M.USAGE,
  invalid_argument = M.USAGE, usage = M.USAGE, http_status = M.HTTP,
}

--- The exit code for an error.
---@param err authgear.Error
---@return integer
function M.of(err)
  return BY_CODE[err.code] or (err.retryable and M.TRY_LATER) or M.FAILED
end

return M
