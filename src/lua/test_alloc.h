/* test_alloc: a module's own allocations, as test builds (-DAG_TEST) let specs count them and make them fail.
 * Must be nothing in other builds. */
#ifndef AG_LUA_TEST_ALLOC_H
#define AG_LUA_TEST_ALLOC_H

#include <lua.h>

/* test_alloc(n): the n-th allocation from now fails (0: none, -n: all after it too) -> allocations since the
 * last call, blocks and bytes in use now */
int ag_lua_test_alloc(lua_State *L);

#endif
