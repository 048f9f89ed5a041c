/* preload: authgear_preload, for hosts that link everything in. Must never load a module
 * before it is required, and never use anything but the two tables of preload.h. */
#include "lua/preload.h"

#include "authgear.h"
#include "lua/compat.h"

/* Compiles the file whose number is the upvalue and runs it with require's arguments. */
static int load_file(lua_State *L)
{
    size_t i = (size_t)lua_tointeger(L, lua_upvalueindex(1));
    int given = lua_gettop(L), status;
    const ag_embedded_file *f;
    if (i >= ag_embedded_file_count) /* debug.setupvalue reaches it */
        return luaL_error(L, "no such module in this program");
    f = &ag_embedded_files[i];
    luaL_checkstack(L, 2, "too many arguments");
#if LUA_VERSION_NUM >= 502
    status = luaL_loadbufferx(L, (const char *)f->text, f->size, f->chunk, "t");
#else
    status = luaL_loadbuffer(L, (const char *)f->text, f->size, f->chunk);
#endif
    if (status != 0)
        return lua_error(L);
    lua_insert(L, 1);
    lua_call(L, given, 1);
    return 1;
}

/* Pushes the field of the table on top of the stack in its place. Raises nothing but memory errors: no metamethod. */
static void field(lua_State *L, const char *key)
{
    if (lua_istable(L, -1)) {
        lua_pushstring(L, key);
        lua_rawget(L, -2);
    } else {
        lua_pushnil(L);
    }
    lua_remove(L, -2);
}

/* Pushes the table that require looks into first, or what is in its place. 5.2 and later keep it in the registry,
 * whatever becomes of the global `package`; before that it is a field of the package table. */
static void push_preload(lua_State *L)
{
#if LUA_VERSION_NUM >= 502
    (void)luaL_getsubtable(L, LUA_REGISTRYINDEX, "_PRELOAD");
#else
    lua_pushvalue(L, LUA_REGISTRYINDEX);
    field(L, "_LOADED");
    field(L, "package");
    field(L, "preload");
#endif
}

/* preload[name] = open, with the number as upvalue if there is one, unless something is there. */
static void fill(lua_State *L, const char *name, lua_CFunction open, const size_t *number)
{
    lua_pushvalue(L, -1);
    field(L, name);
    if (lua_isnil(L, -1)) {
        lua_pushstring(L, name);
        if (number != NULL)
            lua_pushinteger(L, (lua_Integer)*number);
        lua_pushcclosure(L, open, number != NULL);
        lua_rawset(L, -4);
    }
    lua_pop(L, 1);
}

int authgear_preload(lua_State *L)
{
    size_t i;
    luaL_checkstack(L, 6, "no room for authgear");
    push_preload(L);
    if (lua_istable(L, -1)) { /* else there is no require either */
        for (i = 0; i < ag_embedded_module_count; i++)
            fill(L, ag_embedded_modules[i].name, ag_embedded_modules[i].open, NULL);
        for (i = 0; i < ag_embedded_file_count; i++)
            fill(L, ag_embedded_files[i].name, load_file, &i);
    }
    lua_pop(L, 1);
    return 0;
}
