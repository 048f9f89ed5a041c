-- authgear.whole: after it nothing is loaded any more.

local files = require "spec.support.files"

-- Parts that need what is not ours, or are no part of the library.
local OTHERS = { "^cli%.", "^cli$", "^openresty", "^host%.luv$", "^host%.cqueues$", "^host%.copas$", "^types$", "^whole$",
  "^storage%.system_key$" }

local function is_others(name)
  for _, pattern in ipairs(OTHERS) do
    if name:find(pattern) then
      return true
    end
  end
end

describe("authgear.whole", function()
  it("loads every file and module, and runs none", function()
    local lines = files.sh(("%s -e %s"):format(files.quote(files.interpreter()), files.quote(([[
      package.path, package.cpath = %q, %q
      assert(require "authgear.whole" == require "authgear")
      for name in pairs(package.loaded) do
        print(name)
      end
    ]]):format(package.path, package.cpath))))
    local loaded, missing = {}, {}
    for name in lines:gmatch "[^\n]+" do
      loaded[name] = true
    end
    for path in files.sh("find lua/authgear -name '*.lua'"):gmatch "lua/authgear/([^\n]+)%.lua" do
      local name = path:gsub("/init$", ""):gsub("/", ".")
      if not is_others(name) and not loaded["authgear." .. name] then
        missing[#missing + 1] = name
      end
    end
    for _, name in ipairs { "core", "file", "curl", "loopback" } do
      if not loaded["authgear." .. name] then
        missing[#missing + 1] = name
      end
    end
    assert.same({}, missing)
  end)

  it("leaves nothing to be read: a login and a fetch without a module path", function()
    local said = files.sh(("%s -e %s"):format(files.quote(files.interpreter()), files.quote(([[
      package.path, package.cpath = %q, %q
      local authgear = require "authgear.whole"
      package.path, package.cpath = "", ""
      local client = assert(authgear.new { endpoint = "http://127.0.0.1:1", client_id = "x", storage = "file", retry = false })
      for _, ask in ipairs { function() return client:fetch "http://127.0.0.1:1/" end,
        function() return client:authenticate { redirect_uris = { "http://127.0.0.1:8989/callback" } } end,
        function() return client:authenticate_anonymously() end, function() return client:reauthenticate { redirect_uri = "x:y" } end,
        function() return client:change_password { redirect_uri = "x:y" } end, function() return client:open "settings" end,
        function() return client:client_credentials {} end, function() return client:verify("x.y.z") end,
        function() return client:resolve "x" end, function() return client:logout() end } do
        for _, run in ipairs { pcall, function(fn) return true, authgear.async(fn):wait() end } do
          local raised_not, _, err = run(ask)
          io.stdout:write(tostring(raised_not), " ", type(err) == "table" and err.code or tostring(err), "\n")
        end
      end
      authgear.doctor { endpoint = "http://127.0.0.1:1", client_id = "x" }
    ]]):format(package.path, package.cpath))))
    assert.falsy(said:find("module", 1, true), said)
    assert.equal(20, select(2, said:gsub("true [%w_]+", "")), said)
  end)
end)
