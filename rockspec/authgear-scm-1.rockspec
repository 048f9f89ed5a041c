-- The rock of the Authgear SDK for Lua. `luarocks make rockspec/authgear-scm-1.rockspec`
-- in the source tree builds and installs it for LuaRocks' Lua.
rockspec_format = "3.0"
package = "authgear"
version = "scm-1"

source = {
    url = "git+https://github.com/authgear/authgear-sdk-lua.git",
}

description = {
    summary = "Authgear SDK: log in, stay logged in, call servers with a fresh access token",
    detailed = [[
        Logs a user in with an Authgear server (OAuth 2.0, OpenID Connect), keeps the
        session over restarts, gives every request a fresh access token and notices when
        the session is revoked. A C core on libcurl, OpenSSL 3 and cJSON.
    ]],
    homepage = "https://www.authgear.com",
    license = "MIT",
    labels = { "oauth2", "openid-connect", "authentication", "http" },
}

dependencies = {
    "lua >= 5.1, < 5.5",
}

external_dependencies = {
    OPENSSL = { header = "openssl/evp.h", library = "crypto" },
    -- No header: on Debian it is in the multiarch directory, where LuaRocks does not look.
    CURL = { library = "curl" },
    CJSON = { header = "cjson/cJSON.h", library = "cjson" },
}

build = {
    type = "make",
    build_target = "rock",
    install_target = "rock-install",
    -- The Makefile asks LUA_INCDIR's headers which Lua this is.
    build_variables = {
        CC = "$(CC)",
        CFLAGS = "$(CFLAGS)",
        LIBFLAG = "$(LIBFLAG)",
        LUA_INCDIR = "$(LUA_INCDIR)",
        OPENSSL_INCDIR = "$(OPENSSL_INCDIR)",
        OPENSSL_LIBDIR = "$(OPENSSL_LIBDIR)",
        CURL_INCDIR = "$(CURL_INCDIR)",
        CURL_LIBDIR = "$(CURL_LIBDIR)",
        CJSON_INCDIR = "$(CJSON_INCDIR)",
        CJSON_LIBDIR = "$(CJSON_LIBDIR)",
    },
    install_variables = {
        LUA_INCDIR = "$(LUA_INCDIR)",
        LUA_LMOD = "$(LUADIR)",
        LUA_CMOD = "$(LIBDIR)",
    },
    install = { bin = { "bin/authgear" } },
}
