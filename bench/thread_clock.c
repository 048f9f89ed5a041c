/* thread_clock: a Lua module for the benches: the CPU time of the calling thread, without that of
 * others in the process. thread_clock() -> seconds. */
#include <lauxlib.h>
#include <lua.h>
#include <time.h>

static int thread_clock(lua_State *L)
{
    struct timespec t = { 0, 0 };
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
    return 1;
}

int luaopen_thread_clock(lua_State *L)
{
    lua_pushcfunction(L, thread_clock);
    return 1;
}
