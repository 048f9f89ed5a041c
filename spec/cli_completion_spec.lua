-- What shells complete with the scripts of `authgear completion`: asked of the shells themselves. bash is always there; zsh and
-- fish are asked where they are.
-- takes: 2
-- runs-on: 5.1 5.4

local files = require "spec.support.files"
local tool = require "spec.support.tool"

local function has(shell)
  return pcall(files.sh, "command -v " .. shell)
end

describe("completion", function()
  local home

  before_each(function()
    home = tool.home()
  end)

  after_each(function()
    home:remove()
  end)

  local function script(shell)
    local status, out, err = home:run { "completion", shell }
    assert.equal(0, status, err)
    files.write(home.dir .. "/completion", out)
    return files.quote(home.dir .. "/completion")
  end

  local function set_of(text)
    local set = {}
    for word in text:gmatch "%S+" do
      set[word] = true
    end
    return set
  end

  describe("in bash", function()
    -- What is offered for the last of these words, from a directory of our own.
    local function offers(...)
      local words = {}
      for i = 1, select("#", ...) do
        words[i] = files.quote((select(i, ...)))
      end
      local line = ("source %s; COMP_WORDS=(authgear %s); COMP_CWORD=%d; "):format(script "bash", table.concat(words, " "), #words)
      return files.sh("cd " .. files.quote(home.dir) .. " && bash -c " .. files.quote(line
        .. '_authgear; printf "%s\\n" "${COMPREPLY[@]}"'))
    end

    it("offers commands, options and words", function()
      assert.equal("fetch", offers "fe")
      local all = set_of(offers "")
      for _, name in ipairs(require("authgear.cli.commands").NAMES) do
        assert.is_true(all[name], name)
      end
      assert.equal("--endpoint", offers "--e")
      assert.equal("--header", offers("fetch", "--header"))
      assert.equal("--header", offers("token", "--hea"))
      assert.same(set_of "--force", set_of(offers("logout", "--f")))
      assert.equal("bash", offers("completion", "b"))
      assert.same(set_of "yes no", set_of(offers("configure", "--encrypt", "")))
      assert.equal("exit-codes", offers("help", "ex"))
    end)

    it("knows that an option's value is not the command", function()
      assert.equal("fetch", offers("--profile", "work", "fe"))
      assert.equal("--check", offers("-p", "login", "status", "--che"))
      assert.equal("", offers("--profile", ""))
    end)

    it("offers files where files go", function()
      files.write(home.dir .. "/some-file", "")
      assert.equal("some-file", offers("fetch", "-o", "some-f"))
      assert.equal("some-file", offers("fetch", "--ca-file", "some-f"))
    end)

    it("is registered, and no error for the shell", function()
      assert.equal("complete -F _authgear authgear", files.sh("bash -euc 'source " .. script "bash" .. "; complete -p authgear'"))
    end)
  end)

  it("in zsh can be loaded", function()
    if not has "zsh" then
      pending "zsh is not installed"
      return
    end
    local path = script "zsh"
    assert.equal("", files.sh("zsh -fn " .. path))
    assert.equal("_authgear", files.sh("zsh -fc " .. files.quote("autoload -U compinit; compinit -D -u; source " .. path
      .. "; print $_comps[authgear]")))
  end)

  it("in fish offers commands, options and words", function()
    if not has "fish" then
      pending "fish is not installed"
      return
    end
    local path = script "fish"
    local function offers(line)
      return files.sh("HOME=" .. files.quote(home.dir) .. " fish --no-config -c " .. files.quote("source " .. path .. "; complete -C "
        .. files.quote(line)))
    end
    assert.matches("^fetch\t", offers "authgear fe")
    assert.matches("^%-%-check\t", offers "authgear status --che")
    assert.matches("^%-%-force\t", offers "authgear logout --f")
    assert.matches("^bash", offers "authgear completion b")
  end)
end)
