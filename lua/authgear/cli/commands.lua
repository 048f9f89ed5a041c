--- The commands there are, in the order help shows them. Each stands in a file of its own, which is read when it is called.
-- Must never know what one does.
local M = {}

M.NAMES = {
  "configure", "login", "logout", "status", "userinfo", "token", "fetch", "doctor", "help", "completion", "version",
}

--- What every command takes; they may stand before the command as well.
---@type authgear.cli.Option[]
M.COMMON = {
  { name = "json", help = "print results, and errors, as JSON" },
  { name = "profile", short = "p", value = "NAME", help = "use another section of the configuration (default)" },
  { name = "endpoint", value = "URL", help = "the Authgear endpoint" },
  { name = "client-id", value = "ID", help = "the client's id" },
  { name = "ca-file", value = "FILE", help = "trust the certificates in this PEM file" },
  { name = "proxy", value = "URL", help = "go through this proxy" },
  { name = "timeout", value = "SECONDS", help = "for each call to the server (60)" },
  { name = "verbose", short = "v", help = "say what happens, on standard error; never a token" },
  { name = "help", short = "h", help = "show the command's help" },
}

---@class authgear.cli.Command
---@field summary string one line
---@field usage string what stands behind its name
---@field text string|nil more about it
---@field options authgear.cli.Option[]|nil
---@field words string[]|nil what its argument can be, for completion
---@field arguments integer|nil how many it takes at most (0)
---@field run fun(context: table, options: table, arguments: string[]): integer|nil exit code (0)

--- A command; nil: there is none of that name.
---@return authgear.cli.Command|nil
function M.get(name)
  for _, known in ipairs(M.NAMES) do
    if known == name then
      return require("authgear.cli." .. name)
    end
  end
end

return M
