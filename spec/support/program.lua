-- Runs a piece of Lua as a program of its own, with an environment of its own, and says what it printed.
-- Must never be used for what has to be talked to: that is files.child.

local files = require "spec.support.files"

local program = {}

--- The path of the Lua that runs this.
function program.interpreter()
  return files.sh("command -v " .. files.quote(files.interpreter()))
end

-- What a desktop, a proxy or a set-up of whoever runs the specs may say.
local UNSET = { "DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "WSL_DISTRO_NAME", "WSL_INTEROP",
  "CURL_CA_BUNDLE", "SSL_CERT_FILE", "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY" }

--- The beginning of a command line, for a shell: `env` with these variables, and without what would change an answer.
---@param set table<string, string>|nil
---@param unset string[]|nil more that shall not be there
function program.environment(set, unset)
  local words = { "env" }
  for _, list in ipairs { UNSET, unset or {} } do
    for _, name in ipairs(list) do
      words[#words + 1] = "-u " .. name
    end
  end
  for name, value in pairs(set or {}) do
    words[#words + 1] = files.quote(name .. "=" .. value)
  end
  return table.concat(words, " ")
end

--- Runs `code`; the varargs in it are `options.args`. Its standard output and error output, as they come.
---@param options { env: table<string, string>|nil, args: string[]|nil, shell: string|nil, before: string|nil, lua: string|nil }
--- shell: redirections put behind the command. before: a command it is started by. lua: another interpreter than this one.
function program.run(code, options)
  options = options or {}
  local script = os.tmpname()
  files.write(script, ("package.path, package.cpath = %q, %q\n"):format(package.path, package.cpath) .. code)
  local words = { program.environment(options.env) }
  words[#words + 1] = options.before
  words[#words + 1] = files.quote(options.lua or program.interpreter())
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
