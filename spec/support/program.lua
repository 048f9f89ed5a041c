-- Runs a piece of Lua as a program of its own, with an environment of its own, and says what it printed.
-- Must never be used for what has to be talked to: that is files.child.

local files = require "spec.support.files"

local program = {}

--- The path of the Lua that runs this.
function program.interpreter()
  return files.sh("command -v " .. files.quote(files.interpreter()))
end

--- Runs `code`; the varargs in it are `options.args`. Its standard output and error output, as they come.
---@param options { env: table<string, string>|nil, unset: string[]|nil, args: string[]|nil, shell: string|nil, before: string|nil }
--- shell: redirections put behind the command. before: a command it is started by.
function program.run(code, options)
  options = options or {}
  local script = os.tmpname()
  files.write(script, ("package.path, package.cpath = %q, %q\n"):format(package.path, package.cpath) .. code)
  local words = { "env" }
  for _, name in ipairs { "DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY",
    "WSL_DISTRO_NAME", "WSL_INTEROP" } do
    words[#words + 1] = "-u " .. name
  end
  for name, value in pairs(options.env or {}) do
    words[#words + 1] = files.quote(name .. "=" .. value)
  end
  words[#words + 1] = options.before
  words[#words + 1] = files.quote(program.interpreter())
  words[#words + 1] = files.quote(script)
  for _, arg in ipairs(options.args or {}) do
    words[#words + 1] = files.quote(tostring(arg))
  end
  local command = table.concat(words, " ") .. " " .. (options.shell or "2>&1 </dev/null")
  local pipe = assert(io.popen(command, "r"))
  local out = pipe:read "*a"
  pipe:close()
  os.remove(script)
  return out
end

return program
