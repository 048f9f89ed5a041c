/* core_test: what test builds (-DAG_TEST) add to authgear.core: the switches that make an allocation fail, our own or
 * Lua's. Must be nothing in other builds. */
#include "lua/core_private.h"

#ifdef AG_TEST
#include "core/alloc_test.h"
#include "lua/test_alloc.h"

/* Lua's allocator while one of its allocations is to fail: twice, since newer Luas collect garbage and try again. */
static struct {
    lua_Alloc fn;
    void *ud;
    long left;
    int fails;
} lua_memory;

static void *failing(void *ud, void *p, size_t old, size_t n)
{
    (void)ud;
    if (n > 0 && (p == NULL || n > old)) {
        if (lua_memory.left > 0 && --lua_memory.left == 0)
            lua_memory.fails = 2;
        if (lua_memory.fails > 0) {
            lua_memory.fails--;
            return NULL;
        }
    }
    return lua_memory.fn(lua_memory.ud, p, old, n);
}

/* test_lua_alloc(n): the n-th allocation of Lua itself from now fails (0: none) -> how many were still to come before
 * the one that was asked for last (0: it has failed) */
static int l_test_lua_alloc(lua_State *L)
{
    long left = lua_memory.left;
    lua_memory.left = (long)luaL_optinteger(L, 1, 0);
    lua_memory.fails = 0;
    if (lua_memory.left > 0 && lua_memory.fn == NULL) {
        lua_memory.fn = lua_getallocf(L, &lua_memory.ud);
        lua_setallocf(L, failing, NULL);
    } else if (lua_memory.left == 0 && lua_memory.fn != NULL) {
        lua_setallocf(L, lua_memory.fn, lua_memory.ud);
        lua_memory.fn = NULL;
    }
    lua_pushinteger(L, (lua_Integer)left);
    return 1;
}

/* test_full(on): from now on there is no more memory than is in use */
static int l_test_full(lua_State *L)
{
    ag_alloc_test_full(lua_toboolean(L, 1) != 0);
    return 0;
}

void ag_lua_core_test(lua_State *L)
{
    lua_pushcfunction(L, l_test_full);
    lua_setfield(L, -2, "test_full");
    lua_pushcfunction(L, ag_lua_test_alloc);
    lua_setfield(L, -2, "test_alloc");
    lua_pushcfunction(L, l_test_lua_alloc);
    lua_setfield(L, -2, "test_lua_alloc");
}
#else
void ag_lua_core_test(lua_State *L)
{
    (void)L;
}
#endif
