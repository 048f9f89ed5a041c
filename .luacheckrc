-- lua/ has to run unchanged on Lua 5.1 to 5.4 and LuaJIT: `min` is what they share.
std = "min"
max_line_length = 140
exclude_files = { "**/node_modules/**", "build/**", "lua_modules/**" }

-- What only some of the Luas have is looked for before it is used.
read_globals = {
    "jit", "newproxy", "unpack", "loadstring", "setfenv", "getfenv",
    table = { fields = { "unpack", "pack", "move" } },
    coroutine = { fields = { "isyieldable" } },
    math = { fields = { "type", "tointeger", "mininteger", "maxinteger" } },
    package = { fields = { "searchpath", "searchers", "loaders" } },
    string = { fields = { "pack", "unpack" } },
    "utf8", "rawlen", "warn",
}

files["lua/authgear/openresty"] = { globals = { "ngx" } }
files["lua/authgear/openresty.lua"] = { read_globals = { "ngx" } }
files["spec/support/cosocket_http.lua"] = { read_globals = { "ngx" } }
files["bench/nginx"] = { std = "luajit", globals = { "ngx" } }
files["examples/love"] = { std = "luajit+love" }
files["lua/authgear/types.lua"] = { ignore = { "authgear", "21.", "5.." } } -- nothing in it runs
files["spec"] = { std = "min+busted" }
files["scripts"] = { std = "lua54" }
files["scripts/busted.lua"] = { std = "min" }
files["scripts/busted_output.lua"] = { std = "min" }
files[".busted"] = { std = "min" }
files["rockspec"] = { std = "rockspec" }
