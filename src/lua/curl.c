/* curl: the module authgear.curl, transfers as Lua sees them. A pool is
 * `curl.pool(options)`, a transfer what its methods give. Must never be loaded
 * before the first request (libcurl is slow to load), nor call a Lua function.
 *
 *   pool:send(...)      the fields of a request one by one (FIELDS): status, headers,
 *                       body, version; or nil, code, message, retryable, sent; or a
 *                       transfer when it is not over after SLICE seconds. A table each
 *                       way would cost more than all the rest of this file.
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
#include <string.h>

#include "core/alloc.h"
#include "core/alloc_test.h"
#include "core/err.h"
#include "io/curl_global.h"
#include "io/transfer.h"
#include "lua/compat.h"

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

/* --- reading a request ------------------------------------------------- */

/* The arguments of send, in this order; start reads them from a table. */
enum { METHOD, URL, HEADERS, BODY, TIMEOUT, CONNECT_TIMEOUT, MAX_BODY, FRESH, SECRET, SOURCE, SOURCE_LENGTH, SINK, FIELDS };

static const char *const field_names[FIELDS] = {
    "method",   "url",   "headers", "body",   "timeout",       "connect_timeout",
    "max_body", "fresh", "secret",  "source", "source_length", "sink"
};

static int bad_field(lua_State *L, int arg, int field, const char *expected)
{
    return luaL_argerror(L, arg, lua_pushfstring(L, "field '%s' must be %s", field_names[field], expected));
}

static ag_view string_field(lua_State *L, int base, int field, bool required)
{
    ag_view v = { NULL, 0 };
    int i = base + field, type = lua_type(L, i);
    if (type == LUA_TSTRING)
        v.p = lua_tolstring(L, i, &v.n);
    else if (required || type > LUA_TNIL)
        (void)bad_field(L, base, field, "a string");
    return v;
}

static double number_field(lua_State *L, int base, int field, double missing)
{
    double v;
    int i = base + field, type = lua_type(L, i);
    if (type <= LUA_TNIL)
        return missing;
    if (type != LUA_TNUMBER)
        (void)bad_field(L, base, field, "a number");
    v = lua_tonumber(L, i);
    if (!(v >= 0))
        (void)bad_field(L, base, field, "a number, not negative");
    return v;
}

static int64_t size_field(lua_State *L, int base, int field)
{
    double v = number_field(L, base, field, -1);
    return v > 9007199254740992.0 ? INT64_MAX : (int64_t)v;
}

/* From the stack, where the strings stay. What is above the top was not said. */
static void read_request(lua_State *L, int base, ag_request *r)
{
    r->method = string_field(L, base, METHOD, true);
    r->url = string_field(L, base, URL, true);
    r->headers = string_field(L, base, HEADERS, false);
    r->body = string_field(L, base, BODY, false);
    r->timeout = number_field(L, base, TIMEOUT, 0);
    r->connect_timeout = number_field(L, base, CONNECT_TIMEOUT, 0);
    r->max_body = size_field(L, base, MAX_BODY);
    r->fresh = lua_toboolean(L, base + FRESH);
    r->secret = lua_toboolean(L, base + SECRET);
    r->has_source = lua_toboolean(L, base + SOURCE);
    r->source_length = r->has_source ? size_field(L, base, SOURCE_LENGTH) : -1;
    r->stream = lua_toboolean(L, base + SINK);
    if (r->has_source && r->body.p != NULL)
        (void)luaL_argerror(L, base, "a request has a body or a source, not both");
}

/* --- results ----------------------------------------------------------- */

static int push_failure(lua_State *L, const ag_err *e, bool sent)
{
    lua_pushnil(L);
    lua_pushstring(L, ag_err_name(e->code));
    lua_pushstring(L, e->message);
    lua_pushboolean(L, e->retryable);
    lua_pushboolean(L, sent);
    return 5;
}

/* status, headers, body, version */
static int push_answer(lua_State *L, const ag_transfer *t)
{
    ag_view v;
    lua_pushinteger(L, ag_transfer_status(t));
    v = ag_transfer_headers(t);
    lua_pushlstring(L, v.n > 0 ? v.p : "", v.n);
    if (ag_transfer_collected(t)) {
        v = ag_transfer_body(t);
        lua_pushlstring(L, v.n > 0 ? v.p : "", v.n);
    } else {
        lua_pushnil(L);
    }
    lua_pushstring(L, ag_transfer_http_version(t)); /* NULL pushes nil */
    return 4;
}

static int push_table(lua_State *L, const ag_transfer *t)
{
    static const char *const fields[] = { "http_version", "body", "headers", "status" };
    int i, table;
    lua_createtable(L, 0, 4);
    table = lua_gettop(L);
    (void)push_answer(L, t);
    for (i = 0; i < 4; i++)
        lua_setfield(L, table, fields[i]);
    return 1;
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
    return luaL_checkudata(L, 1, TRANSFER);
}

/* Closed ones say so as an error of the run, not of the programmer: user code may close at any time. */
static void closed_error(ag_err *e)
{
    (void)ag_fail(e, AG_E_CLOSED, "the transfer is closed");
}

static int push_error_event(lua_State *L, const ag_err *e, bool sent)
{
    int n = push_failure(L, e, sent);
    lua_pushliteral(L, "error");
    lua_replace(L, -n - 1); /* for the nil */
    return n;
}

static int transfer_step(lua_State *L)
{
    lua_transfer *lt = check_transfer(L);
    double wait = luaL_checknumber(L, 2);
    ag_view v;
    if (lt->t == NULL) {
        ag_err e;
        closed_error(&e);
        return push_error_event(L, &e, true);
    }
    switch (ag_transfer_step(lt->t, wait > 0 ? wait : 0)) {
    case AG_STEP_HEADERS:
        lua_pushliteral(L, "headers");
        lua_pushinteger(L, ag_transfer_status(lt->t));
        v = ag_transfer_headers(lt->t);
        lua_pushlstring(L, v.n > 0 ? v.p : "", v.n);
        return 3;
    case AG_STEP_CHUNK:
        lua_pushliteral(L, "chunk");
        v = ag_transfer_body(lt->t);
        lua_pushlstring(L, v.p, v.n);
        ag_transfer_body_taken(lt->t);
        return 2;
    case AG_STEP_NEED:
        lua_pushliteral(L, "need");
        return 1;
    case AG_STEP_DONE:
        lua_pushliteral(L, "done");
        return 1;
    case AG_STEP_WAIT:
        lua_pushliteral(L, "wait");
        return 1;
    case AG_STEP_ERROR:
        break;
    }
    return push_error_event(L, ag_transfer_error(lt->t), ag_transfer_sent(lt->t));
}

static int transfer_accept(lua_State *L)
{
    static const char *const names[] = { "stream", "collect", "drop", NULL };
    static const ag_accept how[] = { AG_ACCEPT_STREAM, AG_ACCEPT_COLLECT, AG_ACCEPT_DROP };
    lua_transfer *lt = check_transfer(L);
    int i = luaL_checkoption(L, 2, NULL, names);
    if (lt->t != NULL)
        ag_transfer_accept(lt->t, how[i]);
    return 0;
}

static int transfer_feed(lua_State *L)
{
    lua_transfer *lt = check_transfer(L);
    ag_view v = { NULL, 0 };
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TSTRING);
        v.p = lua_tolstring(L, 2, &v.n);
    }
    if (lt->t != NULL)
        (void)ag_transfer_feed(lt->t, v); /* the next step says what went wrong */
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
    ag_err e;
    if (lt->t == NULL) {
        closed_error(&e);
        return push_failure(L, &e, true);
    }
    step = ag_transfer_outcome(lt->t);
    if (step != AG_STEP_DONE && step != AG_STEP_ERROR)
        return luaL_argerror(L, 1, "the transfer is not over");
    return step == AG_STEP_DONE ? push_table(L, lt->t)
                                : push_failure(L, ag_transfer_error(lt->t), ag_transfer_sent(lt->t));
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
    lua_pool *lp = luaL_checkudata(L, 1, POOL);
    if (lp->p == NULL)
        (void)luaL_argerror(L, 1, "the pool is gone");
    return lp->p;
}

static int pool_send(lua_State *L)
{
    ag_pool *p = check_pool(L);
    ag_transfer *t;
    ag_request r;
    ag_step step;
    ag_err e;
    int n;
    lua_settop(L, 2 + SECRET);
    read_request(L, 2, &r);
    t = ag_transfer_start(p, &r, &e);
    if (t == NULL)
        return push_failure(L, &e, false);
    ag_pool_set_loose(p, t); /* what follows may raise for want of memory */
    step = ag_transfer_step(t, SLICE);
    if (step == AG_STEP_WAIT) {
        new_transfer(L, p, 2 + BODY)->t = t;
        ag_pool_set_loose(p, NULL);
        return 1;
    }
    if (step == AG_STEP_DONE)
        n = push_answer(L, t);
    else
        n = push_failure(L, ag_transfer_error(t), ag_transfer_sent(t));
    ag_transfer_end(t);
    return n;
}

static int pool_start(lua_State *L)
{
    ag_pool *p = check_pool(L);
    lua_transfer *lt;
    ag_request r;
    ag_err e;
    int i;
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    luaL_checkstack(L, FIELDS + LUA_MINSTACK, NULL);
    for (i = 0; i < FIELDS; i++)
        lua_getfield(L, 2, field_names[i]);
    read_request(L, 3, &r);
    lt = new_transfer(L, p, 3 + BODY);
    lt->by_steps = r.has_source || r.stream;
    lt->t = ag_transfer_start(p, &r, &e);
    return lt->t == NULL ? push_failure(L, &e, false) : 1;
}

static int pool_close(lua_State *L)
{
    lua_pool *lp = luaL_checkudata(L, 1, POOL);
    if (lp->p != NULL)
        ag_pool_close(lp->p);
    return 0;
}

static int pool_gc(lua_State *L)
{
    lua_pool *lp = luaL_checkudata(L, 1, POOL);
    ag_pool *p = lp->p;
    lp->p = NULL;
    if (p != NULL) {
        ag_pool_close(p);
        ag_pool_unref(p);
    }
    return 0;
}

/* NULL: not said. The value stays on the stack, which keeps it alive. */
static const char *option(lua_State *L, const char *name)
{
    size_t n;
    const char *p;
    lua_getfield(L, 1, name);
    if (lua_isnil(L, -1))
        return NULL;
    p = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &n) : NULL;
    if (p == NULL || strlen(p) != n)
        (void)luaL_argerror(L, 1, lua_pushfstring(L, "option '%s' must be a string without zero bytes", name));
    return p;
}

static long count_option(lua_State *L, const char *name)
{
    double v;
    lua_getfield(L, 1, name);
    if (lua_isnil(L, -1))
        return 0;
    v = lua_tonumber(L, -1);
    if (!(v >= 1 && v <= 10000))
        (void)luaL_argerror(L, 1, lua_pushfstring(L, "option '%s' must be a number from 1 to 10000", name));
    return (long)v;
}

static int module_pool(lua_State *L)
{
    ag_pool_options o = { 0 };
    lua_pool *lp;
    ag_err e;
    luaL_checktype(L, 1, LUA_TTABLE);
    o.proxy = option(L, "proxy");
    o.no_proxy = option(L, "no_proxy");
    o.ca_file = option(L, "ca_file");
    o.max_connections = count_option(L, "max_connections");
    lp = lua_newuserdata(L, sizeof *lp);
    lp->p = NULL;
    luaL_getmetatable(L, POOL);
    (void)lua_setmetatable(L, -2);
    lp->p = ag_pool_new(&ag_alloc_default, &o, &e);
    return lp->p == NULL ? push_failure(L, &e, false) : 1;
}

static int module_version(lua_State *L)
{
    lua_pushstring(L, ag_curl_version());
    return 1;
}

#ifdef AG_TEST
/* test_alloc(n): the n-th allocation from now fails (0: none) -> allocations since the last call */
static int module_test_alloc(lua_State *L)
{
    long count = ag_alloc_test_count();
    ag_alloc_test_set((long)luaL_optinteger(L, 1, 0));
    lua_pushinteger(L, (lua_Integer)count);
    return 1;
}
#endif

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
                                       { "version", module_version },
#ifdef AG_TEST
                                       { "test_alloc", module_test_alloc },
#endif
                                       { NULL, NULL } };
    ag_lua_newclass(L, POOL, pool);
    ag_lua_newclass(L, TRANSFER, transfer);
    lua_pop(L, 2);
    lua_newtable(L);
    ag_lua_setfuncs(L, module);
    return 1;
}
