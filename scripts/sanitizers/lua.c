/* lua: a small interpreter to be linked with ASan's runtime, so that the modules find it
 * there and what a spec starts besides (shells, servers) is left alone. Does of the real
 * one's command line what specs use: -e CODE, SCRIPT ARGUMENTS, Ctrl-C. Must never be
 * installed. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#if LUA_VERSION_NUM < 502
#define LUA_OK 0
#endif

/* A module that is gone has no names in a stack trace. */
int dlclose(void *handle);
int dlclose(void *handle)
{
    (void)handle;
    return 0;
}

static lua_State *running;

static void stop_hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    lua_sethook(L, NULL, 0, 0);
    luaL_error(L, "interrupted!");
}

static void on_interrupt(int number)
{
    (void)signal(number, SIG_DFL);
    lua_sethook(running, stop_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

static int traceback(lua_State *L)
{
    lua_getglobal(L, "debug");
    lua_getfield(L, -1, "traceback");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

/* The loaded function and its n arguments are on top. */
static int docall(lua_State *L, int n)
{
    int base = lua_gettop(L) - n;
    int status;
    lua_pushcfunction(L, traceback);
    lua_insert(L, base);
    (void)signal(SIGINT, on_interrupt);
    status = lua_pcall(L, n, 0, base);
    (void)signal(SIGINT, SIG_DFL);
    if (status != LUA_OK)
        fprintf(stderr, "lua: %s\n", lua_tostring(L, -1));
    lua_settop(L, base - 1);
    return status;
}

static int load(lua_State *L, int status, int arguments, char **argv)
{
    int i;
    if (status != LUA_OK) {
        fprintf(stderr, "lua: %s\n", lua_tostring(L, -1));
        lua_pop(L, 1);
        return status;
    }
    luaL_checkstack(L, arguments + 3, "too many arguments");
    for (i = 0; i < arguments; i++)
        lua_pushstring(L, argv[i]);
    return docall(L, arguments);
}

static void push_arg(lua_State *L, int argc, char **argv, int script)
{
    int i;
    lua_newtable(L);
    for (i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - script);
    }
    lua_setglobal(L, "arg");
}

int main(int argc, char **argv)
{
    lua_State *L = luaL_newstate();
    int i = 1, status = LUA_OK, script = 1;
    if (L == NULL)
        return 1;
    running = L;
    luaL_openlibs(L);
    while (script + 1 < argc && strcmp(argv[script], "-e") == 0)
        script += 2;
    push_arg(L, argc, argv, script < argc ? script : 0);
    for (; i < script && status == LUA_OK; i += 2)
        status = load(L, luaL_loadbuffer(L, argv[i + 1], strlen(argv[i + 1]), "=(command line)"), 0, NULL);
    if (script < argc && status == LUA_OK)
        status = load(L, luaL_loadfile(L, strcmp(argv[script], "-") == 0 ? NULL : argv[script]),
            argc - script - 1, argv + script + 1);
    else if (script == 1)
        status = load(L, luaL_loadfile(L, NULL), 0, NULL);
    lua_close(L);
    return status == LUA_OK ? 0 : 1;
}
