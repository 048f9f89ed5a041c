--- The command-line tool: finds the command, runs it, and makes an exit code of what came of it. bin/authgear calls main.
-- Must never end the process itself, nor show a traceback that holds more than places in the code.
local commands = require "authgear.cli.commands"
local exit = require "authgear.cli.exit"
local options = require "authgear.cli.options"
local screens = require "authgear.cli.screen"

local M = {}

local HINTS = {
  [exit.NOT_LOGGED_IN] = "Log in with: authgear login%s", -- the profile
  [exit.TRY_LATER] = "The session is kept. 'authgear doctor' looks for the reason.",
}

-- What a command works with.
local Context = {}
Context.__index = Context

--- Says what went wrong and gives the exit code.
---@param hint string|nil instead of the usual one
function Context:fail(err, hint)
  local code, profile = exit.of(err), self.options.profile
  self.screen:problem(err, hint or HINTS[code] and HINTS[code]:format(profile and " -p " .. profile or ""))
  return code
end

--- Wrong use of the command line.
function Context:usage(message)
  local about = self.command and self.command ~= "help" and " " .. self.command or ""
  return self:fail({ code = "usage", message = message }, "'authgear help" .. about .. "' says more.")
end

--- The settings; nil and an exit code when they are wrong.
function Context:settings()
  local settings, err = require("authgear.cli.settings").read(self.options)
  if not settings then
    return nil, self:fail(err)
  end
  return settings
end

--- A configured client; nil and an exit code when that did not work.
---@return authgear.Client|nil
---@return integer|table code_or_settings
function Context:client()
  local settings, code = self:settings()
  if not settings then
    return nil, code
  end
  local given, err = require("authgear.cli.settings").client_options(settings, self.log)
  if not given then
    return nil, self:fail(err)
  end
  local client
  client, err = require("authgear").new(given)
  if not client then
    return nil, self:fail(err, "'authgear doctor' says more.")
  end
  return client, settings
end

--- A client with a session; nil and an exit code when nobody is logged in.
function Context:session()
  local client, code = self:client()
  if client and client:session_state() ~= "AUTHENTICATED" then
    return nil, self:fail { code = "no_session", message = "nobody is logged in" }
  end
  return client, code
end

-- Reads the command's own part of the line: the command, its options and arguments; or nil and an exit code.
local function parse(context, args)
  local before, first_word, next = options.read(commands.COMMON, args, 1, true)
  if not before then
    return nil, context:usage(first_word)
  end
  context.screen.json = before.json
  local name = args[next]
  if not name then
    return commands.get "help", before, {}
  end
  local command = commands.get(name)
  if not command then
    return nil, context:usage("there is no command '" .. name:sub(1, 40) .. "'")
  end
  context.command = name
  local known = {}
  for _, list in ipairs { command.options or {}, commands.COMMON } do
    for _, option in ipairs(list) do
      known[#known + 1] = option
    end
  end
  local found, arguments = options.read(known, args, next + 1)
  if not found then
    return nil, context:usage(arguments)
  end
  for key, value in pairs(before) do
    found[key] = found[key] == nil and value or found[key]
  end
  context.screen.json = found.json
  if #arguments > (command.arguments or 0) then
    return nil, context:usage("'" .. name .. "' takes " .. (command.arguments and "no more arguments" or "no arguments"))
  elseif found.help then
    return commands.get "help", found, { name }
  end
  return command, found, arguments
end

local function run(context, args)
  if args[1] == "--version" then
    args = { "version" }
  end
  local command, found, arguments = parse(context, args)
  if not command then
    return found
  end
  context.options = found
  if found.verbose then
    context.log = function(level, message)
      context.screen:note("  ", level, ": ", message)
    end
  end
  return command.run(context, found, arguments) or exit.OK
end

-- The exit code for something that was raised.
local function raised(context, what, verbose)
  if getmetatable(what) == screens.WriteError then
    if what.broken_pipe then
      return exit.BROKEN_PIPE
    end
    what = { code = "output", message = what.message }
  elseif type(what) == "string" and what:find("interrupted!", 1, true) then
    return exit.INTERRUPTED
  elseif type(what) == "string" and what:find "bad argument #%d+ to '" then
    what = { code = "usage", message = what:match "%(([^\n]*)%)" or "wrong use" }
  elseif type(what) == "table" and what.code then -- raised as an error of ours
    what = { code = what.code, message = what.message }
  else
    what = { code = "internal", message = verbose and tostring(what) or tostring(what):match "^[^\n]*" }
  end
  local ok, code = pcall(context.fail, context, what)
  return ok and code or exit.FAILED
end

--- Runs the tool.
---@param args string[]
---@param streams { input: file*, out: file*, err: file* }
---@return integer status for the process
function M.main(args, streams)
  local context = setmetatable({ screen = screens.new(streams), options = {} }, Context)
  local ok, code = xpcall(function()
    return run(context, args)
  end, function(what)
    if type(what) == "string" and context.log then
      return debug.traceback(what, 2)
    end
    return what
  end)
  if ok then
    return code
  end
  return raised(context, code, context.log ~= nil)
end

return M
