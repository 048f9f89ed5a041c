--- authgear completion: scripts that complete commands, options and words in bash, zsh and fish, made from the commands
-- themselves. Must never need the tool to be started for each key that is pressed.
local commands = require "authgear.cli.commands"

local M = {
  summary = "print a script that completes command lines",
  usage = "bash|zsh|fish",
  arguments = 1,
  words = { "bash", "zsh", "fish" },
  text = [[
bash:  authgear completion bash > ~/.local/share/bash-completion/completions/authgear
zsh:   authgear completion zsh > "${fpath[1]}/_authgear"
fish:  authgear completion fish > ~/.config/fish/completions/authgear.fish]],
}

local function options_of(command)
  local all = {}
  for _, list in ipairs { command.options or {}, commands.COMMON } do
    for _, option in ipairs(list) do
      all[#all + 1] = option
    end
  end
  return all
end

local function names_of(options)
  local names = {}
  for _, option in ipairs(options) do
    names[#names + 1] = "--" .. option.name
    names[#names + 1] = option.short and "-" .. option.short or nil
  end
  return names
end

-- Options by what comes after them: a file, one of some words, anything.
local function patterns(want)
  local found, seen = {}, {}
  for _, name in ipairs(commands.NAMES) do
    for _, option in ipairs(options_of(commands.get(name))) do
      if want(option) then
        for _, text in ipairs(names_of { option }) do
          found[#found + 1] = not seen[text] and text or nil
          seen[text] = true
        end
      end
    end
  end
  return table.concat(found, "|")
end

local function is_file(option)
  return option.value == "FILE"
end

local function is_other(option)
  return option.value and not is_file(option) and not option.words
end

-- A case for each option that has words.
local function bash_words()
  local cases = {}
  for _, name in ipairs(commands.NAMES) do
    for _, option in ipairs(commands.get(name).options or {}) do
      if option.words then
        cases[#cases + 1] = ('    %s) COMPREPLY=($(compgen -W "%s" -- "$word")); return ;;\n'):format(
          table.concat(names_of { option }, "|"), table.concat(option.words, " "))
      end
    end
  end
  return table.concat(cases)
end

local function bash()
  local lines = {
    "# bash completion for authgear; made by: authgear completion bash", "_authgear() {",
    "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= i", "    COMPREPLY=()",
    "    for ((i = 1; i < COMP_CWORD; i++)); do", "        case ${COMP_WORDS[i]} in",
    "        " .. patterns(function(option) return option.value end) .. ") ((i++)) ;;", "        -*) ;;",
    "        *) command=${COMP_WORDS[i]}; break ;;", "        esac", "    done", "    case $before in",
    "    " .. patterns(is_file) .. ') COMPREPLY=($(compgen -f -- "$word")); return ;;',
    bash_words() .. "    " .. patterns(is_other) .. ") return ;;", "    esac", "    case $command in",
    ('    "") COMPREPLY=($(compgen -W "%s %s" -- "$word")) ;;'):format(table.concat(commands.NAMES, " "),
      table.concat(names_of(commands.COMMON), " ")),
  }
  for _, name in ipairs(commands.NAMES) do
    local command = commands.get(name)
    lines[#lines + 1] = ('    %s) COMPREPLY=($(compgen -W "%s" -- "$word")) ;;'):format(name,
      table.concat(command.words or {}, " ") .. " " .. table.concat(names_of(options_of(command)), " "))
  end
  lines[#lines + 1] = "    esac\n}\ncomplete -F _authgear authgear"
  return table.concat(lines, "\n")
end

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- 'name[what it is]:value:what can come there' for _arguments.
local function zsh_option(option)
  local help = option.help:gsub("[%[%]:]", "")
  local value = option.value and (":" .. option.value:gsub(":", "") .. ":"
    .. (is_file(option) and "_files" or option.words and "(" .. table.concat(option.words, " ") .. ")" or "")) or ""
  local many = option.many and "*" or ""
  local text = quoted(many .. "--" .. option.name .. "[" .. help .. "]" .. value)
  if option.short then
    text = text .. " " .. quoted(many .. "-" .. option.short .. "[" .. help .. "]" .. value)
  end
  return text
end

local function zsh()
  local lines = { "#compdef authgear", "# zsh completion for authgear; made by: authgear completion zsh", "_authgear() {",
    "    local -a commands", "    commands=(" }
  for _, name in ipairs(commands.NAMES) do
    lines[#lines + 1] = "        " .. quoted(name .. ":" .. commands.get(name).summary:gsub(":", ""))
  end
  lines[#lines + 1] = "    )\n    if ((CURRENT == 2)); then\n        _describe command commands\n        return\n    fi"
  lines[#lines + 1] = "    local command=${words[2]}\n    shift words\n    ((CURRENT--))\n    case $command in"
  for _, name in ipairs(commands.NAMES) do
    local command, parts = commands.get(name), {}
    for i, option in ipairs(options_of(command)) do
      parts[i] = zsh_option(option)
    end
    if command.words then
      parts[#parts + 1] = quoted("1:word:(" .. table.concat(command.words, " ") .. ")")
    end
    lines[#lines + 1] = ("    %s) _arguments %s ;;"):format(name, table.concat(parts, " "))
  end
  lines[#lines + 1] = '    esac\n}\nif [ "$funcstack[1]" = _authgear ]; then _authgear "$@"; else compdef _authgear authgear; fi'
  return table.concat(lines, "\n")
end

local function fish_option(condition, option)
  return ("complete -c authgear %s -l %s%s%s -d %s"):format(condition, option.name, option.short and " -s " .. option.short or "",
    option.value and (is_file(option) and " -r -F" or " -x" .. (option.words and " -a " .. quoted(table.concat(option.words, " ")) or ""))
    or "", quoted(option.help))
end

local function fish()
  local lines = { "# fish completion for authgear; made by: authgear completion fish", "complete -c authgear -f" }
  for _, option in ipairs(commands.COMMON) do
    lines[#lines + 1] = fish_option("", option)
  end
  for _, name in ipairs(commands.NAMES) do
    local command = commands.get(name)
    local within = "-n '__fish_seen_subcommand_from " .. name .. "'"
    lines[#lines + 1] = ("complete -c authgear -n __fish_use_subcommand -a %s -d %s"):format(name, quoted(command.summary))
    for _, option in ipairs(command.options or {}) do
      lines[#lines + 1] = fish_option(within, option)
    end
    if command.words then
      lines[#lines + 1] = ("complete -c authgear %s -a %s"):format(within, quoted(table.concat(command.words, " ")))
    end
  end
  return table.concat(lines, "\n")
end

local SHELLS = { bash = bash, zsh = zsh, fish = fish }

function M.run(context, _, arguments)
  local make = SHELLS[arguments[1] or ""]
  if not make then
    return context:usage "completion is for bash, zsh or fish"
  end
  context.screen:line(make())
end

return M
