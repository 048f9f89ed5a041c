/* compat: what Lua 5.1 and LuaJIT lack of the newer Luas' C API, under the newer
 * names, so that the binding is written once. Must never hold anything but such
 * differences. */
#ifndef AG_LUA_COMPAT_H
#define AG_LUA_COMPAT_H

#include <lauxlib.h>
#include <lua.h>

#if LUA_VERSION_NUM < 502
#define lua_rawlen(L, i) lua_objlen((L), (i))

/* LuaJIT 2.1 has these, PUC Lua 5.1 has not: one way for both. */
#undef luaL_newlib
#undef luaL_newlibtable
#define luaL_newlibtable(L, l) lua_createtable((L), 0, (int)(sizeof(l) / sizeof((l)[0]) - 1))
#define luaL_newlib(L, l) (luaL_newlibtable(L, l), luaL_register((L), NULL, (l)))
#define luaL_setfuncs(L, l, nup) ag_compat_setfuncs((L), (l), (nup))
#define luaL_testudata(L, i, name) ag_compat_testudata((L), (i), (name))
#define luaL_setmetatable(L, name) (luaL_getmetatable((L), (name)), (void)lua_setmetatable((L), -2))
#define luaL_checkversion(L) ((void)(L))

static inline void ag_compat_setfuncs(lua_State *L, const luaL_Reg *l, int nup)
{
    luaL_checkstack(L, nup, "too many upvalues");
    for (; l->name != NULL; l++) {
        int i;
        for (i = 0; i < nup; i++)
            lua_pushvalue(L, -nup);
        lua_pushcclosure(L, l->func, nup);
        lua_setfield(L, -(nup + 2), l->name);
    }
    lua_pop(L, nup);
}

static inline void *ag_compat_testudata(lua_State *L, int i, const char *name)
{
    void *p = lua_touserdata(L, i);
    int same;
    if (p == NULL || !lua_getmetatable(L, i))
        return NULL;
    luaL_getmetatable(L, name);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same ? p : NULL;
}
#endif

#endif
