/* authgear.file: the file store for Lua, as the storage the driver wants. Loading
 * it touches no file. Must never decide what a record means.
 *
 * What happens at run time is given back: nil, code, message, retryable. */
#include <string.h>

#include "core/alloc.h"
#include "core/err.h"
#include "io/data_dir.h"
#include "io/file_sealed.h"
#include "io/file_store.h"
#include "io/sys.h"
#include "lua/compat.h"
#ifdef AG_TEST
#include "lua/file_test.h"
#define FILE_SYS (&ag_sys_test)
#else
#define FILE_SYS (&ag_sys_real)
#endif

#define STORE "authgear.file.store"

typedef struct store_ud {
    ag_file_store store;
    ag_file_seal seal;
    ag_str got; /* what get brought, here so that an error of Lua's cannot leak it */
    bool open;
} store_ud;

static int push_err(lua_State *L, const ag_err *e)
{
    lua_pushnil(L);
    lua_pushstring(L, ag_err_name(e->code));
    lua_pushstring(L, e->message);
    lua_pushboolean(L, e->retryable);
    return 4;
}

static int push_done(lua_State *L, bool ok, const ag_err *e)
{
    if (!ok)
        return push_err(L, e);
    lua_pushboolean(L, 1);
    return 1;
}

/* The store at 1; NULL: it was closed, and e says so. */
static store_ud *check_open(lua_State *L, ag_err *e)
{
    store_ud *u = ag_lua_checkudata(L, 1, STORE);
    if (u->open)
        return u;
    (void)ag_fail(e, AG_E_CLOSED, "the file store is closed");
    return NULL;
}

/* Raises: what is wrong in the options at 1. */
static void wrong(lua_State *L, const char *key, const char *why)
{
    lua_pushfstring(L, "%s: %s", key, why);
    (void)luaL_argerror(L, 1, lua_tostring(L, -1));
}

/* A text field of the options at 1, or NULL when it is not there. It stays on the stack. */
static const char *option(lua_State *L, const char *key, size_t *n)
{
    lua_getfield(L, 1, key);
    if (lua_type(L, -1) == LUA_TSTRING)
        return lua_tolstring(L, -1, n);
    if (!lua_isnil(L, -1))
        wrong(L, key, "string expected");
    *n = 0;
    return NULL;
}

static bool is_option(const char *key)
{
    static const char *const known[] = { "dir", "name", "key", "sealed" };
    size_t i;
    for (i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(key, known[i]) == 0)
            return true;
    return false;
}

static void check_options(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_pushnil(L);
    while (lua_next(L, 1) != 0) {
        const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
        if (key == NULL || !is_option(key))
            wrong(L, key != NULL ? key : luaL_typename(L, 2), "unknown option");
        lua_pop(L, 1);
    }
}

/* key: 32 bytes that records are sealed with; sealed: such a key comes later, by use_key. */
static void read_seal(lua_State *L, ag_file_seal *seal)
{
    size_t n;
    const char *key = option(L, "key", &n);
    if (key != NULL && n != AG_SEAL_KEY)
        wrong(L, "key", "32 bytes expected");
    lua_getfield(L, 1, "sealed");
    seal->wanted = key != NULL || lua_toboolean(L, -1);
    seal->has_key = key != NULL;
    if (key != NULL)
        memcpy(seal->key, key, AG_SEAL_KEY);
    lua_pop(L, 2);
}

static int open_store(lua_State *L)
{
    ag_err e;
    size_t dir_n, name_n;
    const char *dir, *name;
    store_ud *u;
    check_options(L);
    dir = option(L, "dir", &dir_n);
    name = option(L, "name", &name_n);
    if (name == NULL)
        wrong(L, "name", "string expected");
    if (dir != NULL && (dir_n == 0 || strlen(dir) != dir_n))
        wrong(L, "dir", dir_n == 0 ? "is empty" : "has a zero byte in it");
    u = lua_newuserdata(L, sizeof *u);
    memset(u, 0, sizeof *u);
    luaL_setmetatable(L, STORE);
    read_seal(L, &u->seal);
    u->open = ag_file_store_init(&u->store, &ag_alloc_default, FILE_SYS, dir, (ag_view){ name, name_n }, &e);
    if (u->open)
        return 1;
    ag_wipe(&u->seal, sizeof u->seal);
    if (e.code == AG_E_INVALID_ARGUMENT)
        wrong(L, "name", e.message);
    return push_err(L, &e);
}

static int store_get(lua_State *L)
{
    ag_err e;
    store_ud *u = check_open(L, &e);
    if (u == NULL)
        return push_err(L, &e);
    ag_str_free(u->store.alloc, &u->got);
    if (!ag_file_sealed_get(&u->store, &u->seal, &u->got, &e))
        return push_err(L, &e);
    if (u->got.p == NULL)
        lua_pushnil(L);
    else
        lua_pushlstring(L, u->got.p, u->got.n);
    ag_str_free(u->store.alloc, &u->got);
    return 1;
}

static int store_set(lua_State *L)
{
    ag_err e;
    ag_view bytes;
    store_ud *u = check_open(L, &e);
    luaL_checktype(L, 2, LUA_TSTRING);
    bytes.p = lua_tolstring(L, 2, &bytes.n);
    if (u == NULL)
        return push_err(L, &e);
    return push_done(L, ag_file_sealed_set(&u->store, &u->seal, bytes, &e), &e);
}

static int store_del(lua_State *L)
{
    ag_err e;
    store_ud *u = check_open(L, &e);
    if (u == NULL)
        return push_err(L, &e);
    return push_done(L, ag_file_store_del(&u->store, &e), &e);
}

static int store_changed(lua_State *L)
{
    ag_err e;
    store_ud *u = check_open(L, &e);
    lua_pushboolean(L, u == NULL || ag_file_store_changed(&u->store));
    return 1;
}

static int store_try_lock(lua_State *L)
{
    ag_err e;
    ag_file_lock_got got;
    store_ud *u = check_open(L, &e);
    if (u == NULL)
        return push_err(L, &e);
    got = ag_file_store_try_lock(&u->store, &e);
    if (got == AG_FILE_LOCK_FAILED)
        return push_err(L, &e);
    lua_pushboolean(L, got == AG_FILE_LOCK_TAKEN);
    return 1;
}

static int store_unlock(lua_State *L)
{
    store_ud *u = ag_lua_checkudata(L, 1, STORE);
    if (u->open)
        ag_file_store_unlock(&u->store);
    lua_pushboolean(L, 1);
    return 1;
}

/* Also __gc and __close; any number of times. */
static int store_close(lua_State *L)
{
    store_ud *u = ag_lua_checkudata(L, 1, STORE);
    if (u->open) {
        u->open = false;
        ag_str_free(u->store.alloc, &u->got);
        ag_wipe(&u->seal, sizeof u->seal);
        ag_file_store_free(&u->store);
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* use_key(bytes): the key of a store that was opened with `sealed` -> true */
static int store_use_key(lua_State *L)
{
    ag_err e;
    size_t n;
    store_ud *u = check_open(L, &e);
    const char *key = luaL_checklstring(L, 2, &n);
    luaL_argcheck(L, n == AG_SEAL_KEY, 2, "32 bytes expected");
    if (u == NULL)
        return push_err(L, &e);
    luaL_argcheck(L, u->seal.wanted, 1, "a store that was opened with 'sealed' expected");
    memcpy(u->seal.key, key, AG_SEAL_KEY);
    u->seal.has_key = true;
    lua_pushboolean(L, 1);
    return 1;
}

static int store_path(lua_State *L)
{
    ag_err e;
    store_ud *u = check_open(L, &e);
    if (u == NULL)
        return push_err(L, &e);
    lua_pushlstring(L, u->store.path.p, u->store.path.n);
    return 1;
}

/* look() -> { directory = "private" or "readable", record = the same }, each only if it is there */
static int store_look(lua_State *L)
{
    ag_err e;
    ag_file_look look;
    store_ud *u = check_open(L, &e);
    if (u == NULL || !ag_file_store_look(&u->store, &look, &e))
        return push_err(L, &e);
    lua_createtable(L, 0, 2);
    if (look.dir_there) {
        lua_pushstring(L, look.dir_read ? "readable" : "private");
        lua_setfield(L, -2, "directory");
    }
    if (look.record_there) {
        lua_pushstring(L, look.record_read ? "readable" : "private");
        lua_setfield(L, -2, "record");
    }
    return 1;
}

static int store_tostring(lua_State *L)
{
    store_ud *u = ag_lua_checkudata(L, 1, STORE);
    lua_pushfstring(L, "authgear file store (%s)", u->open ? u->store.path.p : "closed");
    return 1;
}

static int data_dir(lua_State *L)
{
    char path[AG_DATA_DIR_MAX];
    ag_err e;
    if (!ag_data_dir_default(path, &e))
        return push_err(L, &e);
    lua_pushstring(L, path);
    return 1;
}

static const luaL_Reg methods[] = {
    { "get", store_get },           { "set", store_set },       { "del", store_del },
    { "changed", store_changed },   { "try_lock", store_try_lock }, { "unlock", store_unlock },
    { "close", store_close },       { "path", store_path },     { "use_key", store_use_key },
    { "look", store_look },         { NULL, NULL },
};

static const luaL_Reg metamethods[] = {
    { "__gc", store_close }, { "__close", store_close }, { "__tostring", store_tostring }, { NULL, NULL },
};

static const luaL_Reg functions[] = {
    { "open", open_store }, { "data_dir", data_dir }, { NULL, NULL },
};

int luaopen_authgear_file(lua_State *L);
int luaopen_authgear_file(lua_State *L)
{
    luaL_checkversion(L);
    if (luaL_newmetatable(L, STORE)) {
        luaL_setfuncs(L, metamethods, 0);
        lua_newtable(L);
        ag_lua_setfuncs_of(L, methods, STORE);
        lua_pushliteral(L, "file");
        lua_setfield(L, -2, "kind");
        lua_setfield(L, -2, "__index");
        lua_pushliteral(L, STORE);
        lua_setfield(L, -2, "__metatable");
    }
    lua_pop(L, 1);
    luaL_newlib(L, functions);
#ifdef AG_TEST
    ag_file_test_push(L);
    lua_setfield(L, -2, "test");
#endif
    return 1;
}
