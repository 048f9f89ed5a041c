/* curl: the module authgear.curl, transfers as Lua sees them. A pool is
 * `curl.pool(options)`, a transfer what its methods give. Must never be loaded
 * before the first request (libcurl is slow to load), nor call a Lua function.
 *
 *   pool:send(...)      the fields of a request one by one (curl_private.h): status, headers,
 *                       body, version; or nil, code, message, retryable, sent; or false
 *                       and a transfer when it is not over after SLICE seconds. A table
 *                       each way would cost more than all the rest of this file.
 *   pool:start(req)     a transfer, or nil, code, message, retryable, sent
 *   t:step(seconds)     what is next: "headers", status, block | "chunk", bytes |
 *                       "need" | "wait" | "done" | "error", code, message, retryable, sent
 *   t:accept(how)       after "headers": "stream", "collect" or "drop"
 *   t:feed(bytes|nil)   after "need"; nil ends the body
 *   t:perform()         to the very end, in one call
 *   t:result()          the result or the error, as often as wanted
 *   t:close()           ends it, and wipes what it holds */
#include <lauxlib.h>
#include <lua.h>

#include "core/alloc.h"
#include "core/err.h"
#include "io/curl_global.h"
#include "io/transfer.h"
#include "lua/compat.h"
#include "lua/curl_private.h"
#include "lua/test_alloc.h"

#define POOL "authgear.curl.pool"
#define TRANSFER "authgear.curl.transfer"
#define SLICE 0.1 /* a C function that takes longer makes Ctrl-C wait */

typedef struct lua_pool {
    ag_pool *p;         /* a reference; NULL after __gc */
} lua_pool;

typedef struct lua_transfer {
    ag_transfer *t;     /* owned; NULL once closed */
    ag_pool *p;         /* a reference */
    bool by_steps;      /* has a source or a sink: perform can't do it */
} lua_transfer;

static int push_answer(lua_State *L, const ag_transfer *t)
{
    const ag_view body = ag_transfer_body(t);
    return ag_lua_curl_answer(L, ag_transfer_status(t), ag_transfer_headers(t), ag_transfer_collected(t) ? &body : NULL,
                              ag_transfer_http_version(t));
}

/* --- transfers --------------------------------------------------------- */

/* An empty transfer object that keeps the pool (at 1) and the request's body (at body) alive. */
static lua_transfer *new_transfer(lua_State *L, ag_pool *p, int body)
{
    lua_transfer *lt = lua_newuserdata(L, sizeof *lt);
    *lt = (lua_transfer){ 0 };
    luaL_getmetatable(L, TRANSFER);
    (void)lua_setmetatable(L, -2);
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, body);
    lua_rawseti(L, -2, 2);
    ag_lua_anchor(L, -2);
    ag_pool_ref(p);
    lt->p = p;
    return lt;
}

static lua_transfer *check_transfer(lua_State *L)
{
    return ag_lua_checkudata(L, 1, TRANSFER);
}

static int push_failure(lua_State *L, const ag_transfer *t)
{
    return ag_lua_curl_failure(L, ag_transfer_error(t), ag_transfer_sent(t));
}

static int transfer_step(lua_State *L)
{
    static const ag_view nothing = { NULL, 0 };
    lua_transfer *lt = check_transfer(L);
    double wait = luaL_checknumber(L, 2);
    ag_step step;
    int n;
    if (lt->t == NULL)
        return ag_lua_curl_error_event(L, ag_lua_curl_closed(L));
    step = ag_transfer_step(lt->t, wait > 0 ? wait : 0);
    if (step == AG_STEP_ERROR)
        return ag_lua_curl_error_event(L, push_failure(L, lt->t));
    if (step == AG_STEP_HEADERS)
        return ag_lua_curl_event(L, step, ag_transfer_status(lt->t), ag_transfer_headers(lt->t));
    if (step != AG_STEP_CHUNK)
        return ag_lua_curl_event(L, step, 0, nothing);
    n = ag_lua_curl_event(L, step, 0, ag_transfer_body(lt->t));
    ag_transfer_body_taken(lt->t);
    return n;
}

static int transfer_accept(lua_State *L)
{
    lua_transfer *lt = check_transfer(L);
    ag_accept how = ag_lua_curl_accept(L, 2);
    if (lt->t != NULL)
        ag_transfer_accept(lt->t, how);
    return 0;
}

static int transfer_feed(lua_State *L)
{
    lua_transfer *lt = check_transfer(L);
    ag_view piece = ag_lua_curl_piece(L, 2);
    if (lt->t != NULL)
        (void)ag_transfer_feed(lt->t, piece); /* the next step says what went wrong */
    return 0;
}

static int transfer_perform(lua_State *L)
{
    lua_transfer *lt = check_transfer(L);
    if (lt->by_steps)
        return luaL_argerror(L, 1, "a request with a source or a sink goes by steps");
    if (lt->t != NULL)
        (void)ag_transfer_step(lt->t, -1);
    lua_pushboolean(L, 1);
    return 1;
}

static int transfer_result(lua_State *L)
{
    lua_transfer *lt = check_transfer(L);
    ag_step step;
    if (lt->t == NULL)
        return ag_lua_curl_closed(L);
    step = ag_transfer_outcome(lt->t);
    if (step != AG_STEP_DONE && step != AG_STEP_ERROR)
        return luaL_argerror(L, 1, "the transfer is not over");
    if (step == AG_STEP_ERROR)
        return push_failure(L, lt->t);
    (void)push_answer(L, lt->t);
    return ag_lua_curl_answer_table(L);
}

static int transfer_close(lua_State *L)
{
    lua_transfer *lt = check_transfer(L);
    ag_transfer *t = lt->t;
    ag_pool *p = lt->p;
    lt->t = NULL;
    lt->p = NULL;
    if (t != NULL)
        ag_transfer_end(t);
    if (p != NULL)
        ag_pool_unref(p);
    return 0;
}

/* --- pools ------------------------------------------------------------- */

static ag_pool *check_pool(lua_State *L)
{
    lua_pool *lp = ag_lua_checkudata(L, 1, POOL);
    if (lp->p == NULL)
        (void)luaL_argerror(L, 1, "the pool is gone");
    return lp->p;
}

static int pool_send(lua_State *L)
{
    ag_pool *p = check_pool(L);
    ag_transfer *t;
    ag_transfer_request r = { 0 };
    ag_step step;
    ag_err e;
    int n;
    lua_settop(L, 2 + AG_FIELD_SECRET);
    ag_lua_curl_read(L, 2, &r);
    t = ag_transfer_start(p, &r, &e);
    if (t == NULL)
        return ag_lua_curl_failure(L, &e, false);
    ag_pool_set_loose(p, t); /* what follows may raise for want of memory */
    step = ag_transfer_step(t, SLICE);
    if (step == AG_STEP_WAIT) {
        lua_pushboolean(L, 0);
        new_transfer(L, p, 2 + AG_FIELD_BODY)->t = t;
        ag_pool_set_loose(p, NULL);
        return 2;
    }
    if (step == AG_STEP_DONE)
        n = push_answer(L, t);
    else
        n = push_failure(L, t);
    ag_transfer_end(t);
    return n;
}

static int pool_start(lua_State *L)
{
    ag_pool *p = check_pool(L);
    lua_transfer *lt;
    ag_transfer_request r = { 0 };
    ag_err e;
    int i;
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    luaL_checkstack(L, AG_FIELD_COUNT + LUA_MINSTACK, NULL);
    for (i = 0; i < AG_FIELD_COUNT; i++)
        lua_getfield(L, 2, ag_lua_curl_fields[i]);
    ag_lua_curl_read(L, 3, &r);
    lt = new_transfer(L, p, 3 + AG_FIELD_BODY);
    lt->by_steps = r.has_source || r.stream;
    lt->t = ag_transfer_start(p, &r, &e);
    return lt->t == NULL ? ag_lua_curl_failure(L, &e, false) : 1;
}

static int pool_close(lua_State *L)
{
    lua_pool *lp = ag_lua_checkudata(L, 1, POOL);
    if (lp->p != NULL)
        ag_pool_close(lp->p);
    return 0;
}

static int pool_gc(lua_State *L)
{
    lua_pool *lp = ag_lua_checkudata(L, 1, POOL);
    ag_pool *p = lp->p;
    lp->p = NULL;
    if (p != NULL) {
        ag_pool_close(p);
        ag_pool_unref(p);
    }
    return 0;
}

static int module_pool(lua_State *L)
{
    long connections;
    lua_pool *lp;
    ag_settings *s;
    ag_err e;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    connections = ag_lua_curl_count(L, 1, "max_connections", 10000);
    lua_settop(L, 1);
    lp = lua_newuserdata(L, sizeof *lp);
    lp->p = NULL;
    luaL_getmetatable(L, POOL);
    (void)lua_setmetatable(L, -2);
    s = ag_lua_curl_new_settings(L, 1, &e);
    if (s == NULL)
        return ag_lua_curl_failure(L, &e, false);
    lp->p = ag_pool_new(&ag_alloc_default, s, connections, &e);
    ag_settings_unref(s);
    if (lp->p == NULL)
        return ag_lua_curl_failure(L, &e, false);
    lua_settop(L, 2);
    return 1;
}

static int module_version(lua_State *L)
{
    lua_pushstring(L, ag_curl_version());
    return 1;
}

AG_EXPORT int luaopen_authgear_curl(lua_State *L);

int luaopen_authgear_curl(lua_State *L)
{
    static const luaL_Reg pool[] = { { "send", pool_send },   { "start", pool_start }, { "close", pool_close },
                                     { "__close", pool_close }, { "__gc", pool_gc },     { NULL, NULL } };
    static const luaL_Reg transfer[] = { { "step", transfer_step },     { "accept", transfer_accept },
                                         { "feed", transfer_feed },     { "perform", transfer_perform },
                                         { "result", transfer_result }, { "close", transfer_close },
                                         { "__close", transfer_close }, { "__gc", transfer_close },
                                         { NULL, NULL } };
    static const luaL_Reg module[] = { { "pool", module_pool },
                                       { "settings", ag_lua_curl_settings },
                                       { "engine", ag_lua_curl_engine },
                                       { "version", module_version },
#ifdef AG_TEST
                                       { "test_alloc", ag_lua_test_alloc },
#endif
                                       { NULL, NULL } };
    ag_lua_newclass(L, POOL, pool);
    ag_lua_newclass(L, TRANSFER, transfer);
    lua_pop(L, 2);
    ag_lua_curl_engine_classes(L);
    luaL_newlib(L, module);
    return 1;
}
