/* read_pages: a Lua module for the benches: reads one byte of each of n pages of memory. What that takes at its worst
 * is the machine's doing. read_pages(n), n at most 1024. */
#include <lauxlib.h>
#include <lua.h>

enum { PAGE = 4096, PAGES = 1024, LINE = 64 };

static char memory[PAGES * PAGE];

static int read_pages(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1), i;
    volatile char *page = memory;
    int sum = 0;
    luaL_argcheck(L, n >= 0 && n <= PAGES, 1, "too many pages");
    for (i = 0; i < n; i++, page += PAGE)
        sum += page[i % (PAGE / LINE) * LINE];
    lua_pushinteger(L, sum);
    return 1;
}

int luaopen_read_pages(lua_State *L)
{
    size_t i;
    for (i = 0; i < sizeof memory; i += LINE)
        ((volatile char *)memory)[i] = 1;       /* so that each page is there */
    lua_pushcfunction(L, read_pages);
    return 1;
}
