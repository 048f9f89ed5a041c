/* compat: the one place where Lua 5.1, 5.2, 5.3, 5.4 and LuaJIT differ for us.
 * Must never hold anything but such differences. */
#ifndef AG_LUA_COMPAT_H
#define AG_LUA_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <stddef.h>

#ifdef _WIN32
#define AG_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define AG_EXPORT __attribute__((visibility("default")))
#else
#define AG_EXPORT
#endif

#if LUA_VERSION_NUM < 502
/* LuaJIT 2.1 has these, PUC Lua 5.1 has not: one way for both. */
#undef luaL_newlib
#undef luaL_newlibtable
#define luaL_newlibtable(L, l) lua_createtable((L), 0, (int)(sizeof(l) / sizeof((l)[0]) - 1))
#define luaL_newlib(L, l) (luaL_newlibtable(L, l), luaL_register((L), NULL, (l)))
#define luaL_setfuncs(L, l, nup) ag_compat_setfuncs((L), (l), (nup))
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
#endif

/* The userdata at idx if its metatable is that upvalue of the running function, which is found sooner than one by its
 * name; anything else as luaL_checkudata, which raises, naming the class. */
static inline void *ag_lua_checkudata_at(lua_State *L, int idx, int upvalue, const char *name)
{
    void *p = lua_touserdata(L, idx);
    if (p != NULL && lua_getmetatable(L, idx)) {
        int same = lua_rawequal(L, -1, lua_upvalueindex(upvalue));
        lua_pop(L, 1);
        if (same)
            return p;
    }
    return luaL_checkudata(L, idx, name);
}

/* With the first upvalue: see ag_lua_setfuncs_of. */
static inline void *ag_lua_checkudata(lua_State *L, int idx, const char *name)
{
    return ag_lua_checkudata_at(L, idx, 1, name);
}

/* Fills the table on top of the stack with functions whose upvalue is the named metatable. */
static inline void ag_lua_setfuncs_of(lua_State *L, const luaL_Reg *l, const char *name)
{
    for (; l->name != NULL; l++) {
        luaL_getmetatable(L, name);
        lua_pushcclosure(L, l->func, 1);
        lua_setfield(L, -2, l->name);
    }
}

/* Makes the named metatable, with itself as __index; it is left on the stack. */
static inline void ag_lua_newclass(lua_State *L, const char *name, const luaL_Reg *methods)
{
    (void)luaL_newmetatable(L, name);
    ag_lua_setfuncs_of(L, methods, name);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "protected");
    lua_setfield(L, -2, "__metatable");
}

/* The table on top of the stack (popped) lives as long as the userdata at idx. */
static inline void ag_lua_anchor(lua_State *L, int idx)
{
#if LUA_VERSION_NUM >= 504
    (void)lua_setiuservalue(L, idx, 1);
#elif LUA_VERSION_NUM >= 502
    lua_setuservalue(L, idx);
#else
    (void)lua_setfenv(L, idx);
#endif
}

/* Pushes that table. */
static inline void ag_lua_push_anchored(lua_State *L, int idx)
{
#if LUA_VERSION_NUM >= 504
    (void)lua_getiuservalue(L, idx, 1);
#elif LUA_VERSION_NUM >= 502
    lua_getuservalue(L, idx);
#else
    lua_getfenv(L, idx);
#endif
}

static inline size_t ag_lua_rawlen(lua_State *L, int idx)
{
#if LUA_VERSION_NUM >= 502
    return (size_t)lua_rawlen(L, idx);
#else
    return lua_objlen(L, idx);
#endif
}

#endif
