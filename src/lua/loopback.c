/* authgear.loopback: the listener for the redirect, and the browser, for Lua. Loading
 * it opens nothing. Must never be used but for a login by the user who runs this program.
 *
 * What happens at run time is given back: nil, code, message, retryable. */
#include <string.h>

#include "core/alloc.h"
#include "core/err.h"
#include "io/browser.h"
#include "io/listener.h"
#include "lua/compat.h"
#include "lua/test_alloc.h"

#define LISTENER "authgear.loopback.listener"
#define MAX_WAIT 3600.0     /* seconds */
#define MAX_STATE 4096      /* bytes */

static int push_err(lua_State *L, const ag_err *e)
{
    lua_pushnil(L);
    lua_pushstring(L, ag_err_name(e->code));
    lua_pushstring(L, e->message);
    lua_pushboolean(L, e->retryable);
    return 4;
}

/* ---- listen ---- */

/* Raises: what is wrong in the options at 1. */
static void wrong(lua_State *L, const char *key, const char *why)
{
    lua_pushfstring(L, "%s: %s", key, why);
    (void)luaL_argerror(L, 1, lua_tostring(L, -1));
}

static void check_options(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_pushnil(L);
    while (lua_next(L, 1) != 0) {
        const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
        if (key == NULL || (strcmp(key, "host") != 0 && strcmp(key, "port") != 0 && strcmp(key, "path") != 0))
            wrong(L, key != NULL ? key : luaL_typename(L, 2), "unknown option");
        lua_pop(L, 1);
    }
}

static ag_listener_host option_host(lua_State *L)
{
    static const char *const names[] = { "127.0.0.1", "::1", "localhost" };
    static const ag_listener_host hosts[] = { AG_LISTENER_V4, AG_LISTENER_V6, AG_LISTENER_BOTH };
    const char *host;
    size_t i;
    lua_getfield(L, 1, "host");
    if (lua_isnil(L, -1))
        return AG_LISTENER_V4;
    host = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    for (i = 0; i < 3; i++)
        if (strcmp(host, names[i]) == 0)
            return hosts[i];
    wrong(L, "host", "127.0.0.1, ::1 or localhost expected");
    return AG_LISTENER_V4;
}

static unsigned short option_port(lua_State *L)
{
    lua_Number port;
    lua_getfield(L, 1, "port");
    if (lua_isnil(L, -1))
        return 0;
    port = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
    if (!(port >= 0 && port <= 65535) || (lua_Number)(int)port != port)
        wrong(L, "port", "an integer from 0 to 65535 expected");
    return (unsigned short)port;
}

/* It stays on the stack. */
static ag_view option_path(lua_State *L)
{
    ag_view path;
    size_t i;
    lua_getfield(L, 1, "path");
    if (lua_isnil(L, -1))
        return AG_LIT("/");
    if (lua_type(L, -1) != LUA_TSTRING)
        wrong(L, "path", "string expected");
    path.p = lua_tolstring(L, -1, &path.n);
    if (path.n == 0)
        return AG_LIT("/");
    for (i = 0; i < path.n; i++)
        if (path.p[0] != '/' || path.p[i] <= ' ' || path.p[i] > '~' || path.p[i] == '?' || path.p[i] == '#')
            wrong(L, "path", "the path of a URL expected");
    return path;
}

/* listen{ host=, port=, path= } -> listener | nil, code, message, retryable */
static int l_listen(lua_State *L)
{
    ag_listener_host host;
    unsigned short port;
    ag_view path;
    ag_listener *l;
    ag_err e;
    check_options(L);
    host = option_host(L);
    port = option_port(L);
    path = option_path(L);
    l = lua_newuserdata(L, sizeof *l);
    memset(l, 0, sizeof *l);
    luaL_setmetatable(L, LISTENER);
    if (ag_listener_open(l, &ag_alloc_default, host, port, path, &e))
        return 1;
    return push_err(L, &e);
}

/* ---- the listener ---- */

static int l_port(lua_State *L)
{
    ag_listener *l = luaL_checkudata(L, 1, LISTENER);
    lua_pushinteger(L, (lua_Integer)l->port);
    return 1;
}

/* listener:expect(state) -> true | nil, code, message, retryable */
static int l_expect(lua_State *L)
{
    ag_listener *l = luaL_checkudata(L, 1, LISTENER);
    ag_view state;
    ag_err e;
    luaL_checktype(L, 2, LUA_TSTRING);
    state.p = lua_tolstring(L, 2, &state.n);
    luaL_argcheck(L, state.n > 0 && state.n <= MAX_STATE, 2, "a state of 1 to 4096 bytes expected");
    if (!l->open) {
        (void)ag_fail(&e, AG_E_LISTENER, "the listener is closed");
        return push_err(L, &e);
    }
    if (!ag_listener_expect(l, state)) {
        (void)ag_fail(&e, AG_E_MEMORY, "no memory for the listener");
        return push_err(L, &e);
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* listener:poll(seconds) -> target | nil | nil, code, message, retryable */
static int l_poll(lua_State *L)
{
    ag_listener *l = luaL_checkudata(L, 1, LISTENER);
    lua_Number seconds = luaL_optnumber(L, 2, 0);
    ag_err e;
    if (!(seconds > 0))
        seconds = 0;
    if (seconds > MAX_WAIT)
        seconds = MAX_WAIT;
    switch (ag_listener_poll(l, (int64_t)(seconds * 1000 + 0.999), &e)) {
    case AG_LISTENER_FAILED:
        return push_err(L, &e);
    case AG_LISTENER_TAKEN:
        lua_pushlstring(L, l->target.p, l->target.n); /* raises without memory: then it is there the next time */
        ag_listener_forget(l);
        return 1;
    case AG_LISTENER_NOTHING:
        break;
    }
    lua_pushnil(L);
    return 1;
}

/* Also __gc and __close; any number of times. */
static int l_close(lua_State *L)
{
    ag_listener_free(luaL_checkudata(L, 1, LISTENER));
    lua_pushboolean(L, 1);
    return 1;
}

static int l_tostring(lua_State *L)
{
    ag_listener *l = luaL_checkudata(L, 1, LISTENER);
    if (l->open)
        lua_pushfstring(L, "authgear listener (port %d)", (int)l->port);
    else
        lua_pushliteral(L, "authgear listener (closed)");
    return 1;
}

#ifdef AG_TEST
/* listener:test_pass(seconds): that much time has passed */
static int l_test_pass(lua_State *L)
{
    ag_listener *l = luaL_checkudata(L, 1, LISTENER);
    l->shift_ms += (int64_t)(luaL_checknumber(L, 2) * 1000);
    return 0;
}

/* listener:test_connections() -> how many are held */
static int l_test_connections(lua_State *L)
{
    ag_listener *l = luaL_checkudata(L, 1, LISTENER);
    int i, n = 0;
    for (i = 0; i < AG_LISTENER_CONNS; i++)
        n += l->conns[i].stage != AG_CONN_FREE;
    lua_pushinteger(L, n);
    return 1;
}
#endif

/* ---- the browser ---- */

/* open_browser(url) -> true | nil, code, message, retryable */
static int l_open_browser(lua_State *L)
{
    ag_view url;
    ag_err e;
    luaL_checktype(L, 1, LUA_TSTRING);
    url.p = lua_tolstring(L, 1, &url.n);
    if (!ag_browser_open(url, &e))
        return push_err(L, &e);
    lua_pushboolean(L, 1);
    return 1;
}

static int l_has_browser(lua_State *L)
{
    lua_pushboolean(L, ag_browser_available());
    return 1;
}

static const luaL_Reg methods[] = {
    { "port", l_port },
    { "expect", l_expect },
    { "poll", l_poll },
    { "close", l_close },
    { "__gc", l_close },
    { "__close", l_close },
    { "__tostring", l_tostring },
#ifdef AG_TEST
    { "test_pass", l_test_pass },
    { "test_connections", l_test_connections },
#endif
    { NULL, NULL }
};

static const luaL_Reg functions[] = {
    { "listen", l_listen },
    { "open_browser", l_open_browser },
    { "has_browser", l_has_browser },
#ifdef AG_TEST
    { "test_alloc", ag_lua_test_alloc },
#endif
    { NULL, NULL }
};

int luaopen_authgear_loopback(lua_State *L);
int luaopen_authgear_loopback(lua_State *L)
{
    luaL_checkversion(L);
    ag_lua_newclass(L, LISTENER, methods);
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
