-- The face, its annotations and its documentation say the same: every public function is on the module and on
-- clients, is annotated, stands in the README and is called in an example; every option that is accepted is annotated,
-- and the other way round.
local authgear = require "authgear"
local clients = require "authgear.client"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

-- The face's source.
local function face()
  local list = assert(io.popen "ls lua/authgear/client*.lua")
  local texts = {}
  for path in list:lines() do
    texts[#texts + 1] = read(path)
  end
  list:close()
  return table.concat(texts)
end

local function public_functions()
  return clients.names()
end

-- The comment block right above a method.
local function annotations()
  local blocks, block = {}, {}
  for line in (face()):gmatch "([^\n]*)\n" do
    if line:find "^%-%-%-" then
      block[#block + 1] = line
    else
      local name = line:match "^function Client:([%w_]+)%("
      if name then
        blocks[name] = table.concat(block, "\n")
      end
      block = {}
    end
  end
  return blocks
end

local function parameters(fn_name)
  return (face()):match("function Client:" .. fn_name .. "%(([^)]*)%)")
end

-- The @field names of a class, its parents' included.
local function fields_of(class)
  local found = {}
  for _, path in ipairs { "types", "fetching", "login", "client_identity", "client_settings", "client_pages" } do
    local inside = false
    for line in (read("lua/authgear/" .. path .. ".lua")):gmatch "([^\n]*)\n" do
      local name, parent = line:match "^%-%-%-@class ([%w_.]+)%s*:?%s*([%w_.]*)"
      if name then
        inside = name == class
        if inside and parent ~= "" then
          for field in pairs(fields_of(parent)) do
            found[field] = true
          end
        end
      elseif not line:find "^%-%-%-" then
        inside = false
      elseif inside and line:match "^%-%-%-@field ([%w_]+)" then
        found[line:match "^%-%-%-@field ([%w_]+)"] = true
      end
    end
  end
  return found
end

-- Is this option known to the function? Asked of the function itself.
local function accepts(call, option)
  local ok, raised = pcall(call, { [option] = function() end })
  return ok or not tostring(raised):find("unknown option", 1, true)
end

describe("the face", function()
  it("has the functions of the design", function()
    local expected = {
      "access_token", "add_email", "add_phone", "add_username", "auth_time", "authenticate", "authenticate_anonymously",
      "authorization_header", "can_reauthenticate", "change_email", "change_password", "change_phone", "change_username",
      "clear_session_state", "client_credentials", "close", "configure", "delete_account", "dpop_proof", "end_session_url",
      "fetch", "fetch_user_info", "finish_authentication", "finish_promotion", "finish_reauthentication",
      "finish_settings_action", "handle_unauthorized", "id_token_hint", "link_oauth", "logout", "make_page_url",
      "make_pre_authenticated_url", "on_session_state_change", "open", "open_url", "promote_anonymous_user", "reauthenticate",
      "refresh_access_token", "refresh_access_token_if_needed", "refresh_id_token", "remove_session_state_listener", "resolve",
      "session_state", "start_authentication", "start_promotion", "start_reauthentication", "start_settings_action",
      "unlink_oauth", "verify", "wrap",
    }
    assert.are.same(expected, public_functions())
  end)

  it("has each of them on the module, too", function()
    for _, name in ipairs(public_functions()) do
      assert.is_function(authgear[name], name)
    end
  end)

  it("is read only as far as it is needed, and is what it was", function()
    local Client = clients.Client
    for _, name in ipairs(public_functions()) do
      assert.is_function(Client[name], name)
      assert.equal(Client[name], rawget(Client, name))
      assert.equal(authgear[name], rawget(authgear, name))
    end
    assert.is_nil(Client.nothing)
    assert.is_nil(Client._nothing)
    assert.is_nil(authgear.nothing)
    assert.is_nil(authgear.__index)
    assert.is_nil(authgear[1])
  end)

  it("annotates each: what it does, what it takes, what it gives", function()
    local blocks = annotations()
    for _, name in ipairs(public_functions()) do
      local block = blocks[name]
      assert.is_string(block, name)
      assert.matches("^%-%-%- [%u\"]", block, name)
      for parameter in (parameters(name) or ""):gmatch "[%w_]+" do
        assert.matches("@param " .. parameter .. " ", block, name)
      end
      local silent = name == "close" or name == "remove_session_state_listener"
      assert.is_true(silent or block:find "@return" ~= nil, name .. " says what it returns")
    end
  end)

  it("stands in the README", function()
    local readme = read "README.md"
    for _, name in ipairs(public_functions()) do
      if name ~= "close" and name ~= "remove_session_state_listener" then
        assert.is_truthy(readme:find(name .. "(", 1, true) or readme:find("`" .. name .. "`", 1, true), name)
      end
    end
  end)

  it("is called in the examples, every function of it", function()
    local called = {}
    local list = assert(io.popen "find examples -type f")
    for path in list:lines() do
      for line in (read(path) .. "\n"):gmatch "([^\n]*)\n" do
        -- What a comment names is not called, nor is io.open a client's open.
        for object, name in line:gsub("%-%-.*", ""):gmatch "([%w_]+)[.:]([%w_]+)%s*[%({\"]" do
          called[name] = called[name] or _G[object] == nil
        end
      end
    end
    list:close()
    for _, name in ipairs(public_functions()) do
      if name ~= "close" and name ~= "remove_session_state_listener" then
        assert.is_true(called[name], name .. " is called in an example")
      end
    end
  end)

  it("annotates the options of configure, and no others", function()
    local known = require("authgear.runtime").KNOWN
    local fields = fields_of "authgear.Options"
    for name in pairs(known) do
      assert.is_true(fields[name], name)
    end
    for name in pairs(fields) do
      assert.is_truthy(known[name], name)
    end
  end)

  it("accepts the annotated options of fetch and authenticate", function()
    local client = assert(authgear.new { endpoint = "https://face.example.com", client_id = "face" })
    for name in pairs(fields_of "authgear.FetchInit") do
      assert.is_true(accepts(function(init)
        return client:fetch("https://face.invalid/", init)
      end, name), name)
    end
    for name in pairs(fields_of "authgear.AuthenticateOptions") do
      assert.is_true(accepts(function(options)
        options.redirect_uri = options.redirect_uri or 1
        return client:authenticate(options)
      end, name), name)
    end
    for class, call in pairs {
      ReauthenticateOptions = function(options) return client:reauthenticate(options) end,
      ReauthenticationOptions = function(options) return client:start_reauthentication(options) end,
      SettingsOptions = function(options)
        return client[options.oauth_provider_alias and "link_oauth" or "change_email"](client, options)
      end,
      SettingsActionOptions = function(options)
        return client:start_settings_action(options.oauth_provider_alias and "link_oauth" or "change_email", options)
      end,
      OpenOptions = function(options) return client:open("settings", options) end,
      EndSessionOptions = function(options) return client:end_session_url(options) end,
      PreAuthenticatedOptions = function(options)
        options.web_application_client_id = options.web_application_client_id or "x"
        options.web_application_uri = options.web_application_uri or "x"
        return client:make_pre_authenticated_url(options)
      end,
      PageOptions = function(options) return client:make_page_url("settings", options) end,
    } do
      local fields = fields_of("authgear." .. class)
      assert.is_truthy(next(fields), class)
      for name in pairs(fields) do
        assert.is_true(accepts(call, name), class .. "." .. name)
      end
      assert.is_false(accepts(call, "nonsense"), class)
    end
    assert.is_false(accepts(function(init)
      return client:fetch("https://face.invalid/", init)
    end, "nonsense"))
  end)
end)
