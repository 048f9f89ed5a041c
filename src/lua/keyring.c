/* authgear.keyring: the system's secret store for Lua. Loading it asks nobody. Must never be loaded but for
 * authgear.storage.system_key.
 *
 *   keyring.call(what, service, account) -> call | nil, code, message, retryable
 *       what: "get"; "make", which keeps a new random key in place of any other; "del". It begins at once, on a
 *       thread of its own.
 *   call:done()     is it over? Never waits.
 *   call:result()   afterwards: the key, or nil when there is none; or nil, code, message, retryable
 *   call:close()    ends it, over or not, and wipes the key */
#include <string.h>

#include "core/crypto.h"
#include "core/err.h"
#include "io/keyring.h"
#include "lua/compat.h"

#define CALL "authgear.keyring.call"

static int push_err(lua_State *L, const ag_err *e)
{
    lua_pushnil(L);
    lua_pushstring(L, ag_err_name(e->code));
    lua_pushstring(L, e->message);
    lua_pushboolean(L, e->retryable);
    return 4;
}

/* Copies the text at i, which must be short and without zeros. */
static void check_name(lua_State *L, int i, char out[AG_KEYRING_NAME])
{
    size_t n;
    const char *text = luaL_checklstring(L, i, &n);
    luaL_argcheck(L, n > 0 && n < AG_KEYRING_NAME && strlen(text) == n, i, "a text of 1 to 255 bytes expected");
    memcpy(out, text, n + 1);
}

static int l_call(lua_State *L)
{
    static const char *const words[] = { "get", "make", "del", NULL };
    ag_keyring_what what = (ag_keyring_what)luaL_checkoption(L, 1, NULL, words);
    ag_keyring *k;
    ag_err e;
    k = lua_newuserdata(L, sizeof *k);
    memset(k, 0, sizeof *k);
    luaL_getmetatable(L, CALL);
    (void)lua_setmetatable(L, -2);
    k->what = what;
    check_name(L, 2, k->service);
    check_name(L, 3, k->account);
    if (what == AG_KEYRING_SET && !ag_crypto_random(NULL, k->key, AG_KEYRING_KEY)) {
        (void)ag_fail(&e, AG_E_RANDOM, "no randomness for a key");
        return push_err(L, &e);
    }
    return ag_keyring_start(k, &e) ? 1 : push_err(L, &e);
}

static ag_keyring *check_call(lua_State *L)
{
    return luaL_checkudata(L, 1, CALL);
}

static int call_done(lua_State *L)
{
    lua_pushboolean(L, ag_keyring_is_done(check_call(L)));
    return 1;
}

static int call_result(lua_State *L)
{
    ag_keyring *k = check_call(L);
    if (!ag_keyring_is_done(k))
        return luaL_argerror(L, 1, "the call is not over");
    if (!k->ok)
        return push_err(L, &k->err);
    if (k->found || k->what == AG_KEYRING_SET)
        lua_pushlstring(L, (const char *)k->key, AG_KEYRING_KEY);
    else
        lua_pushnil(L);
    return 1;
}

static int call_close(lua_State *L)
{
    ag_keyring_end(check_call(L));
    return 0;
}

AG_EXPORT int luaopen_authgear_keyring(lua_State *L);

int luaopen_authgear_keyring(lua_State *L)
{
    static const luaL_Reg call[] = { { "done", call_done },     { "result", call_result }, { "close", call_close },
                                     { "__close", call_close }, { "__gc", call_close },    { NULL, NULL } };
    static const luaL_Reg module[] = { { "call", l_call }, { NULL, NULL } };
    ag_lua_newclass(L, CALL, call);
    lua_pop(L, 1);
    luaL_newlib(L, module);
    return 1;
}
