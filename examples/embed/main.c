/* A game engine in one page: it brings its own Lua and runs one script, which returns a function: that is
 * called once per frame, with the seconds that have passed, until it returns false. Scripts can load nothing from the
 * disk, neither Lua nor C: the SDK is inside this program. */
#include <stdio.h>
#include <time.h>

#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>

#include <authgear.h>

#define FRAMES_PER_SECOND 60

/* What can go wrong in here is for lua_pcall: takes the script's name, returns the script's function. */
static int ready(lua_State *L)
{
    const char *script = luaL_checkstring(L, 1);
    luaL_openlibs(L);

    /* No module path, no dynamic loading. */
    lua_getglobal(L, "package");
    lua_pushliteral(L, "");
    lua_setfield(L, -2, "path");
    lua_pushliteral(L, "");
    lua_setfield(L, -2, "cpath");
    lua_pushnil(L);
    lua_setfield(L, -2, "loadlib");
    lua_pop(L, 1);

    (void)authgear_preload(L); /* from here on scripts can require "authgear" */

    if (luaL_loadfile(L, script) != 0)
        return lua_error(L);
    lua_call(L, 0, 1);
    luaL_argcheck(L, lua_isfunction(L, -1), 1, "the script does not return a function");
    return 1;
}

/* One call of the function on top of the stack, which stays there. 1: go on, 0: the game is over, -1: an error message is on
 * the stack. */
static int frame(lua_State *L)
{
    int go_on;
    lua_pushvalue(L, -1);
    lua_pushnumber(L, (lua_Number)1 / FRAMES_PER_SECOND);
    if (lua_pcall(L, 1, 1, 0) != 0)
        return -1;
    go_on = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return go_on;
}

int main(int argc, char **argv)
{
    const struct timespec pause = { 0, 1000000000L / FRAMES_PER_SECOND };
    lua_State *L = luaL_newstate();
    int state;
    if (L == NULL || argc != 2) {
        fprintf(stderr, "Usage: %s SCRIPT\n", argv[0]);
        return 2;
    }
    lua_pushcfunction(L, ready);
    lua_pushstring(L, argv[1]);
    state = lua_pcall(L, 1, 1, 0) != 0 ? -1 : 1;
    while (state == 1) {
        state = frame(L);
        (void)nanosleep(&pause, NULL); /* a game would draw here, and wait for the screen */
    }
    if (state < 0)
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_close(L);
    return state < 0;
}
