/* test_alloc: see the header. Must be nothing in other builds. */
#include "lua/test_alloc.h"

#ifdef AG_TEST
#include <lauxlib.h>

#include "core/alloc_test.h"

int ag_lua_test_alloc(lua_State *L)
{
    long count = ag_alloc_test_count();
    ag_alloc_test_set((long)luaL_optinteger(L, 1, 0));
    lua_pushinteger(L, (lua_Integer)count);
    lua_pushinteger(L, (lua_Integer)ag_alloc_test_blocks());
    lua_pushinteger(L, (lua_Integer)ag_alloc_test_bytes());
    return 3;
}
#else
typedef int ag_lua_test_alloc_unused; /* ISO C wants something in every file */
#endif
