/* libraries: a module that does nothing but be linked to libcrypto and cJSON: what loading those
 * costs by themselves, and what mallinfo2 knows. Must never do anything by being loaded. */
#include <lauxlib.h>
#include <lua.h>
#include <malloc.h>
#include <stdlib.h>

static size_t of_lua;   /* bytes that Lua got from malloc since count(), less what it gave back */

static size_t chunk(void *p)
{
    return p == NULL ? 0 : malloc_usable_size(p) + sizeof(size_t);
}

static void *counting(void *ud, void *p, size_t old, size_t n)
{
    void *q;
    (void)ud;
    (void)old;
    of_lua -= chunk(p);
    if (n == 0) {
        free(p);
        return NULL;
    }
    q = realloc(p, n);
    of_lua += chunk(q != NULL ? q : p);
    return q;
}

/* count(): from now on what Lua itself allocates is told apart. */
static int l_count(lua_State *L)
{
    lua_setallocf(L, counting, NULL);
    return 0;
}

/* bytes() -> bytes that others than Lua have got from malloc, as far as differences go */
static int l_bytes(lua_State *L)
{
    struct mallinfo2 m = mallinfo2();
    lua_pushnumber(L, (lua_Number)(m.uordblks + m.hblkhd) - (lua_Number)of_lua);
    return 1;
}

int luaopen_libraries(lua_State *L);

int luaopen_libraries(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, l_count);
    lua_setfield(L, -2, "count");
    lua_pushcfunction(L, l_bytes);
    lua_setfield(L, -2, "bytes");
    return 1;
}
