/* core: the Lua module authgear.core, the protocol as Lua sees it. Small functions and
 * the shared helpers are here; clients, flows, JSON, tokens and the rest have a file each.
 * Must never keep state outside userdata, and never touch the network or a file. */
#include "core/crypto.h"
#include "core/http.h"
#include "core/url.h"
#include "io/platform.h"
#include "io/sleep.h"
#include "lua/core_private.h"

/* ---- shared helpers ---- */

ag_view ag_lua_check_view(lua_State *L, int i)
{
    ag_view v;
    luaL_checktype(L, i, LUA_TSTRING);
    v.p = lua_tolstring(L, i, &v.n);
    return v;
}

ag_view ag_lua_opt_view(lua_State *L, int i)
{
    if (lua_isnoneornil(L, i))
        return (ag_view){ NULL, 0 };
    return ag_lua_check_view(L, i);
}

void ag_lua_push_view(lua_State *L, ag_view v)
{
    if (v.p == NULL)
        lua_pushnil(L);
    else
        lua_pushlstring(L, v.p, v.n);
}

int ag_lua_push_error(lua_State *L, const ag_err *e)
{
    lua_pushnil(L);
    lua_pushstring(L, ag_err_name(e->code));
    lua_pushstring(L, e->message);
    lua_pushboolean(L, e->retryable);
    return 4;
}

/* ---- time ---- */

static int l_now(lua_State *L)
{
    int64_t boot = 0, wall = 0;
    (void)ag_platform_now(&boot, &wall);
    lua_pushnumber(L, (lua_Number)boot / 1000);
    lua_pushnumber(L, (lua_Number)wall / 1000);
    return 2;
}

static int l_sleep(lua_State *L)
{
    ag_sleep((double)luaL_checknumber(L, 1));
    return 0;
}

/* clock() -> seconds for short spans, finer than now() */
static int l_clock(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)ag_clock());
    return 1;
}

/* ---- text ---- */

/* header_line(name, value) -> "Name: value\r\n" | nil, message */
static int l_header_line(lua_State *L)
{
    ag_view name = ag_lua_check_view(L, 1), value = ag_lua_check_view(L, 2);
    ag_err e;
    if (!ag_http_check_header(name, value, &e)) {
        lua_pushnil(L);
        lua_pushstring(L, e.message);
        return 2;
    }
    lua_pushvalue(L, 1);
    lua_pushliteral(L, ": ");
    lua_pushvalue(L, 2);
    lua_pushliteral(L, "\r\n");
    lua_concat(L, 4);
    return 1;
}

static void push_lower(lua_State *L, ag_view v)
{
    char small[64];
    size_t i;
    if (v.n > sizeof small) {
        ag_lua_push_view(L, v);
        return;
    }
    for (i = 0; i < v.n; i++)
        small[i] = v.p[i] >= 'A' && v.p[i] <= 'Z' ? (char)(v.p[i] + 32) : v.p[i];
    lua_pushlstring(L, small, v.n);
}

/* headers(block) -> table: lower-case name -> value; repeated headers joined by ", " (RFC 9110 section 5.3),
 * Set-Cookie, which must not be joined, by a line feed. */
static int l_headers(lua_State *L)
{
    ag_view block = ag_lua_check_view(L, 1), name, value;
    size_t pos = 0;
    lua_newtable(L);
    while (ag_http_next_header(block, &pos, &name, &value)) {
        push_lower(L, name);
        lua_pushvalue(L, -1);
        lua_rawget(L, -3);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            ag_lua_push_view(L, value);
        } else {
            lua_pushstring(L, ag_view_eq_nocase(name, AG_LIT("set-cookie")) ? "\n" : ", ");
            ag_lua_push_view(L, value);
            lua_concat(L, 3);
        }
        lua_rawset(L, -3);
    }
    return 1;
}

/* percent_encode(text) -> text with everything but unreserved characters escaped */
static int l_percent_encode(lua_State *L)
{
    static const char hex[] = "0123456789ABCDEF";
    ag_view v = ag_lua_check_view(L, 1);
    luaL_Buffer b;
    size_t i;
    luaL_buffinit(L, &b);
    for (i = 0; i < v.n; i++) {
        unsigned char c = (unsigned char)v.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
                || c == '-' || c == '.' || c == '_' || c == '~') {
            luaL_addchar(&b, (char)c);
        } else {
            luaL_addchar(&b, '%');
            luaL_addchar(&b, hex[c >> 4]);
            luaL_addchar(&b, hex[c & 15]);
        }
    }
    luaL_pushresult(&b);
    return 1;
}

/* url(text) -> scheme, host, port, path, is_loopback | nil, code, message, retryable */
static int l_url(lua_State *L)
{
    ag_url u;
    ag_err e;
    if (!ag_url_parse(ag_lua_check_view(L, 1), &u, &e))
        return ag_lua_push_error(L, &e);
    push_lower(L, u.scheme);
    ag_lua_push_view(L, u.host);
    lua_pushinteger(L, (lua_Integer)u.port);
    ag_lua_push_view(L, u.path);
    lua_pushboolean(L, ag_url_is_loopback(&u));
    return 5;
}

/* retryable(code) -> is it so by default? nil: no such code */
static int l_retryable(lua_State *L)
{
    ag_err_code code = ag_err_from_name(luaL_checkstring(L, 1));
    if (code == AG_E_COUNT)
        lua_pushnil(L);
    else
        lua_pushboolean(L, ag_err_default_retryable(code));
    return 1;
}

/* codes() -> list of all error codes, for the documentation's spec */
static int l_codes(lua_State *L)
{
    int i;
    lua_createtable(L, AG_E_COUNT, 0);
    for (i = 1; i < AG_E_COUNT; i++) {
        lua_pushstring(L, ag_err_name((ag_err_code)i));
        lua_rawseti(L, -2, i);
    }
    return 1;
}

/* libraries() -> OpenSSL's version, cJSON's */
static int l_libraries(lua_State *L)
{
    lua_pushstring(L, ag_crypto_version());
    lua_pushstring(L, ag_json_version());
    return 2;
}

/* http_date(text) -> seconds since 1970 | nil */
static int l_http_date(lua_State *L)
{
    int64_t seconds;
    if (!ag_http_date(ag_lua_check_view(L, 1), &seconds))
        return 0;
    lua_pushnumber(L, (lua_Number)seconds);
    return 1;
}

static int l_pending_text(lua_State *L)
{
    lua_pushliteral(L, "authgear.pending");
    return 1;
}

/* What a task yields when it waits: a value like no other. */
static void push_pending(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_pending_text);
    lua_setfield(L, -2, "__tostring");
    (void)lua_setmetatable(L, -2);
}

static const luaL_Reg functions[] = {
    { "now", l_now },
    { "sleep", l_sleep },
    { "clock", l_clock },
    { "header_line", l_header_line },
    { "headers", l_headers },
    { "percent_encode", l_percent_encode },
    { "url", l_url },
    { "retryable", l_retryable },
    { "codes", l_codes },
    { "libraries", l_libraries },
    { "http_date", l_http_date },
    { NULL, NULL }
};

int luaopen_authgear_core(lua_State *L);

int luaopen_authgear_core(lua_State *L)
{
    luaL_checkversion(L);
    luaL_newlib(L, functions);
    ag_lua_core_client(L);
    ag_lua_core_flow(L);
    ag_lua_core_login(L);
    ag_lua_core_json(L);
    ag_lua_core_jwt(L);
    ag_lua_core_claims(L);
    ag_lua_core_resolver(L);
    ag_lua_core_machine(L);
    ag_lua_core_dpop(L);
    ag_lua_core_anonymous(L);
    ag_lua_core_test(L);
    push_pending(L);
    lua_setfield(L, -2, "pending");
    return 1;
}
