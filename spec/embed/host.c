/* host: programs with a Lua and the SDK inside, for spec/embed_spec.lua; C and C++. Scripts in them have no module path
 * and no dynamic loading. Prints "not ok ..." and ends with 1 when something is wrong.
 *
 *   host run TEXT ...       two states, open at once; the texts run in them by turns
 *   host threads N TEXT     N threads, each with a state of its own that runs the text
 *   host preload            authgear_preload by itself: stack, memory errors, odd states */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
#include <lua.hpp>
#else
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#endif

#include <authgear.h>

#ifdef __cplusplus
extern "C" {
#endif
/* Names that the SDK has inside: it must not take the host's. */
int luaopen_authgear_core(lua_State *L);
void ag_str_free(void);
extern const size_t ag_embedded_file_count;
#ifdef __cplusplus
}
#endif

int luaopen_authgear_core(lua_State *L)
{
    return luaL_error(L, "the host's own luaopen_authgear_core");
}

void ag_str_free(void)
{
    abort();
}

const size_t ag_embedded_file_count = 0;

static int bad(const char *what)
{
    printf("not ok %s\n", what);
    return 1;
}

/* luaL_openlibs and nothing to load from. */
static lua_State *bare_state(void)
{
    lua_State *L = luaL_newstate();
    if (L == NULL)
        exit(bad("luaL_newstate"));
    luaL_openlibs(L);
    if (luaL_loadstring(L, "package.path, package.cpath, package.loadlib = '', '', nil") != 0
            || lua_pcall(L, 0, 0, 0) != 0)
        exit(bad(lua_tostring(L, -1)));
    return L;
}

static int run_text(lua_State *L, const char *text)
{
    int result = 0;
    if (luaL_loadbuffer(L, text, strlen(text), "=text") != 0 || lua_pcall(L, 0, 0, 0) != 0)
        result = bad(lua_tostring(L, -1));
    lua_settop(L, 0);
    return result;
}

static int run(int count, char **texts)
{
    lua_State *states[2];
    int i, result = 0;
    for (i = 0; i < 2; i++) {
        states[i] = bare_state();
        (void)authgear_preload(states[i]);
    }
    for (i = 0; i < count; i++)
        result |= run_text(states[i % 2], texts[i]);
    lua_close(states[0]);
    lua_close(states[1]);
    return result;
}

/* ---- threads ---- */

static void *thread(void *text)
{
    lua_State *L = bare_state();
    int result;
    (void)authgear_preload(L);
    result = run_text(L, (const char *)text);
    lua_close(L);
    return result == 0 ? text : NULL;
}

static int threads(int count, char *text)
{
    pthread_t ids[64];
    void *returned;
    int i, result = 0;
    if (count < 1 || count > 64)
        return bad("1 to 64 threads");
    for (i = 0; i < count; i++)
        if (pthread_create(&ids[i], NULL, thread, text) != 0)
            exit(bad("pthread_create"));
    for (i = 0; i < count; i++)
        if (pthread_join(ids[i], &returned) != 0 || returned == NULL)
            result = bad("a thread");
    return result;
}

/* ---- authgear_preload by itself ---- */

static long until_failure; /* allocations; negative: none fails */
static lua_Alloc real_alloc;

static void *failing_alloc(void *ud, void *p, size_t old, size_t size)
{
    if (size > 0 && (p == NULL || size > old) && until_failure >= 0 && until_failure-- == 0) {
        until_failure = 0; /* and so on, until told otherwise */
        return NULL;
    }
    return real_alloc(ud, p, old, size);
}

/* pcall of fn (without arguments), the n-th allocation failing. */
static int call_failing(lua_State *L, lua_CFunction fn, long n)
{
    void *ud;
    int status;
    lua_pushcfunction(L, fn);
    real_alloc = lua_getallocf(L, &ud);
    until_failure = n;
    lua_setallocf(L, failing_alloc, ud);
    status = lua_pcall(L, 0, 0, 0);
    until_failure = -1;
    lua_setallocf(L, real_alloc, ud);
    return status;
}

static int require_authgear(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "authgear");
    lua_call(L, 1, 1);
    if (!lua_istable(L, -1))
        return luaL_error(L, "require gave no table");
    return 0;
}

/* fn fails with every `step`-th allocation as the first that fails, and works the next time. Prints how often. */
static int memory(const char *name, lua_CFunction fn, int preloaded, long step)
{
    long n = 0, failed = 0;
    int status = 1;
    for (n = 0; status != 0; n += step) {
        lua_State *L = bare_state();
        if (preloaded)
            (void)authgear_preload(L);
        status = call_failing(L, fn, n);
        failed += status != 0;
        /* Without memory not even the message is sure. */
        lua_settop(L, 0);
        if (!preloaded)
            (void)authgear_preload(L);
        /* Lua 5.1 calls a require that failed a loop from then on, wherever the module is from. */
        if (run_text(L, "for k in pairs(package.loaded) do if k:find '^authgear' then package.loaded[k] = nil end end"))
            return 1;
        lua_pushcfunction(L, require_authgear);
        if (lua_pcall(L, 0, 0, 0) != 0)
            return bad(lua_tostring(L, -1));
        lua_close(L);
    }
    printf("%s: %ld times without memory\n", name, failed);
    return failed == 0 ? bad("no allocation failed") : 0;
}

static int stack(void)
{
    lua_State *L = bare_state();
    int i, result = 0;
    for (i = 0; i < LUA_MINSTACK; i++) /* all that a C program may push without asking */
        lua_pushinteger(L, i);
    for (i = 0; i < 3; i++) {
        if (authgear_preload(L) != 0)
            result = bad("the result is not 0");
        if (lua_gettop(L) != LUA_MINSTACK)
            result = bad("the stack has changed");
    }
    lua_settop(L, 0);
    result |= run_text(L, "local n = 0 for k in pairs(package.preload) do if k:find '^authgear' then n = n + 1 end end\n"
                          "assert(n > 4 and not package.loaded['authgear'])");
    lua_close(L);
    return result;
}

/* States where there is less than usual, or something in the way. */
static int odd_states(void)
{
    static const char *const texts[] = {
        "package = nil",
        "package = setmetatable({}, { __index = error, __newindex = error })",
        "setmetatable(package.preload, { __index = error, __newindex = error })",
        "local mine = { mine = true } package.preload['authgear.errors'] = function() return mine end\n"
        "function check() assert(require 'authgear.errors' == mine) end",
        "_G.check = function() require 'authgear.client' end",
    };
    size_t i;
    int result = 0;
    lua_State *L = luaL_newstate(); /* no library at all, so no require */
    (void)authgear_preload(L);
    if (lua_gettop(L) != 0)
        result = bad("without libraries the stack has changed");
    lua_close(L);
    for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        L = bare_state();
        result |= run_text(L, texts[i]);
        (void)authgear_preload(L);
        result |= run_text(L, "if check then check() else require 'authgear' end");
        lua_close(L);
    }
    return result;
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "run") == 0)
        return run(argc - 2, argv + 2);
    if (argc == 4 && strcmp(argv[1], "threads") == 0)
        return threads(atoi(argv[2]), argv[3]);
    if (argc == 2 && strcmp(argv[1], "preload") == 0)
        return stack() | odd_states() | memory("preload", authgear_preload, 0, 1)
               | memory("require", require_authgear, 1, 61);
    return bad("usage: host run TEXT ... | threads N TEXT | preload");
}
