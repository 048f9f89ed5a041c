--- authgear help. Must never know a command: what it shows stands in the commands themselves.
local commands = require "authgear.cli.commands"
local exit = require "authgear.cli.exit"

local M = {
  summary = "explain a command",
  usage = "[COMMAND | exit-codes]",
  arguments = 1,
  words = { "exit-codes" },
}
for _, name in ipairs(commands.NAMES) do
  table.insert(M.words, name)
end

local function option_rows(options)
  local rows = {}
  for i, option in ipairs(options) do
    rows[i] = { "  " .. (option.short and "-" .. option.short .. ", " or "    ") .. "--" .. option.name
      .. (option.value and " " .. option.value or ""),
      option.help .. (option.many and " (any number of times)" or "")
      .. (option.words and ": " .. table.concat(option.words, ", ") or "") }
  end
  return rows
end

local function overview(screen)
  screen:line "authgear: log in with an Authgear server, stay logged in, call your servers with a fresh token"
  screen:line()
  screen:line "Usage: authgear COMMAND [OPTIONS] [ARGUMENTS]"
  screen:line()
  local rows = {}
  for i, name in ipairs(commands.NAMES) do
    rows[i] = { "  " .. name, commands.get(name).summary }
  end
  screen:rows(rows)
  screen:line()
  screen:line "To begin with:"
  screen:line "  authgear configure --endpoint https://myapp.authgear.cloud --client-id my-client-id"
  screen:line "  authgear login"
  screen:line "  authgear fetch https://api.example.com/"
  screen:line()
  screen:line "With every command:"
  screen:rows(option_rows(commands.COMMON))
  screen:line()
  screen:line "'authgear help COMMAND' says more about one."
end

local function exit_codes(screen)
  local rows = {}
  for i, one in ipairs(exit.LIST) do
    rows[i] = { ("%5d"):format(one[1]), one[2] }
  end
  screen:rows(rows)
end

local function one_command(screen, name, command)
  screen:line("authgear ", name, ": ", command.summary)
  screen:line()
  screen:line("Usage: authgear ", name, command.usage ~= "" and " " or "", command.usage)
  if command.options then
    screen:line()
    screen:rows(option_rows(command.options))
  end
  if command.text then
    screen:line()
    screen:line(command.text)
  end
end

function M.run(context, _, arguments)
  local name = arguments[1]
  if not name then
    overview(context.screen)
  elseif name == "exit-codes" then
    exit_codes(context.screen)
  else
    local command = commands.get(name)
    if not command then
      return context:usage("there is no command '" .. name:sub(1, 40) .. "'")
    end
    one_command(context.screen, name, command)
  end
end

return M
