/* curl_engine: the engine as Lua sees it: transfers that go on while Lua does other things.
 * There is one for each Lua state; its thread starts with the first job. Must never wait but in
 * engine:wait, nor call a Lua function.
 *
 *   curl.settings{proxy=, no_proxy=, ca_file=}   what differs between clients
 *   curl.engine()            the state's engine
 *   engine:submit(settings, tag|nil, ...)   the fields of a request one by one (curl_private.h), `source` and `sink`
 *                            being true or not: a job, or nil, code, message, retryable, sent
 *   engine:ready()           the number of a job that has something new to say, and its tag, if it has one; nil: none has
 *   engine:wait(seconds)     is something ready? Waits at most so long, and never longer than SLICE
 *   engine:descriptor()      readable while something is ready; or nil, code, message, retryable
 *   engine:listen()          for a host that waits for sockets alone: the path to connect to; or as descriptor
 *   engine:accept()          it has connected, and reads: bytes are news; or as descriptor
 *   engine:rest()            before it waits: is there really nothing? Only then are bytes sent
 *   engine:poke()            bytes without news
 *   engine:patient(bool)     may what is asked for from now on begin some milliseconds later?
 *   engine:running()         how many jobs are not over, or have not been given by ready since
 *   engine:limits(total, per_host)   connections there may be at a time
 *   job:step()               what is next, as a transfer's; "wait": nothing for now
 *   job:accept(how), job:feed(bytes|nil), job:result(), job:close()   as a transfer's
 *   job:answer()             status, headers, body, version, or nil, code, message, retryable, sent
 *   job:take()               the same, and the job is closed; "wait": it is not over. For jobs without source and sink
 *   job:id()                 its number
 *   job:tag(n)               what `ready` gives with it from now on */
#include <lauxlib.h>
#include <lua.h>

#include "io/engine.h"
#include "lua/compat.h"
#include "lua/curl_private.h"

#define ENGINE "authgear.curl.engine"
#define SETTINGS "authgear.curl.settings"
#define JOB "authgear.curl.job"
#define THE_ENGINE "authgear.curl.engine of this state"
#define SLICE 0.1 /* a C function that takes longer makes Ctrl-C wait */

typedef struct lua_engine {
    ag_engine *g;       /* a reference; NULL after __gc */
} lua_engine;

typedef struct lua_settings {
    ag_settings *s;     /* a reference; NULL: none yet */
} lua_settings;

typedef struct lua_job {
    ag_job *j;          /* owned; NULL once closed */
    uint64_t id;
} lua_job;

/* --- settings ---------------------------------------------------------- */

int ag_lua_curl_settings(lua_State *L)
{
    lua_settings *ls;
    ag_err e;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    ls = lua_newuserdata(L, sizeof *ls);
    ls->s = NULL;
    luaL_getmetatable(L, SETTINGS);
    (void)lua_setmetatable(L, -2);
    ls->s = ag_lua_curl_new_settings(L, 1, &e);
    if (ls->s == NULL)
        return ag_lua_curl_failure(L, &e, false);
    lua_pushvalue(L, 2);
    return 1;
}

static int settings_gc(lua_State *L)
{
    lua_settings *ls = luaL_checkudata(L, 1, SETTINGS);
    ag_settings_unref(ls->s);
    ls->s = NULL;
    return 0;
}

/* --- jobs -------------------------------------------------------------- */

static lua_job *check_job(lua_State *L)
{
    return ag_lua_checkudata(L, 1, JOB);
}

static void close_job(lua_job *lj)
{
    ag_job *j = lj->j;
    lj->j = NULL;
    if (j != NULL)
        ag_job_close(j);
}

static int push_failure(lua_State *L, const ag_job *j)
{
    ag_err e;
    ag_job_error(j, &e);
    return ag_lua_curl_failure(L, &e, ag_job_sent(j));
}

static int job_step(lua_State *L)
{
    static const ag_view nothing = { NULL, 0 };
    lua_job *lj = check_job(L);
    ag_step step;
    int n;
    if (lj->j == NULL)
        return ag_lua_curl_error_event(L, ag_lua_curl_closed(L));
    step = ag_job_step(lj->j);
    if (step == AG_STEP_ERROR)
        return ag_lua_curl_error_event(L, push_failure(L, lj->j));
    if (step == AG_STEP_HEADERS)
        return ag_lua_curl_event(L, step, ag_job_status(lj->j), ag_job_headers(lj->j));
    if (step != AG_STEP_CHUNK)
        return ag_lua_curl_event(L, step, 0, nothing);
    n = ag_lua_curl_event(L, step, 0, ag_job_body(lj->j));
    ag_job_body_taken(lj->j);
    return n;
}

static int job_accept(lua_State *L)
{
    lua_job *lj = check_job(L);
    ag_accept how = ag_lua_curl_accept(L, 2);
    if (lj->j != NULL)
        ag_job_accept(lj->j, how);
    return 0;
}

static int job_feed(lua_State *L)
{
    lua_job *lj = check_job(L);
    ag_view piece = ag_lua_curl_piece(L, 2);
    if (lj->j != NULL)
        (void)ag_job_feed(lj->j, piece); /* the next step says what went wrong */
    return 0;
}

/* nil, code, message, retryable, sent; 0: there is an answer */
static int push_failure_of(lua_State *L, const lua_job *lj)
{
    ag_step step;
    if (lj->j == NULL)
        return ag_lua_curl_closed(L);
    step = ag_job_step(lj->j);
    if (step == AG_STEP_ERROR)
        return push_failure(L, lj->j);
    return step == AG_STEP_DONE ? 0 : luaL_argerror(L, 1, "the transfer is not over");
}

static int push_answer(lua_State *L, const ag_job *j)
{
    const ag_view body = ag_job_body(j);
    return ag_lua_curl_answer(L, ag_job_status(j), ag_job_headers(j), ag_job_collected(j) ? &body : NULL,
                              ag_job_http_version(j));
}

static int job_answer(lua_State *L)
{
    lua_job *lj = check_job(L);
    int n = push_failure_of(L, lj);
    return n > 0 ? n : push_answer(L, lj->j);
}

/* Closed at the end: what raises for want of memory leaves it to __gc. */
static int job_take(lua_State *L)
{
    static const ag_view nothing = { NULL, 0 };
    lua_job *lj = check_job(L);
    ag_step step;
    int n;
    if (lj->j == NULL)
        return ag_lua_curl_closed(L);
    step = ag_job_step(lj->j);
    if (step != AG_STEP_DONE && step != AG_STEP_ERROR)
        return ag_lua_curl_event(L, AG_STEP_WAIT, 0, nothing);
    n = step == AG_STEP_DONE ? push_answer(L, lj->j) : push_failure(L, lj->j);
    close_job(lj);
    return n;
}

static int job_result(lua_State *L)
{
    lua_job *lj = check_job(L);
    int n = push_failure_of(L, lj);
    if (n > 0)
        return n;
    (void)push_answer(L, lj->j);
    return ag_lua_curl_answer_table(L);
}

static void push_id(lua_State *L, uint64_t id)
{
#if LUA_VERSION_NUM >= 503
    lua_pushinteger(L, (lua_Integer)id);
#else
    lua_pushnumber(L, (lua_Number)id);
#endif
}

static int job_id(lua_State *L)
{
    push_id(L, check_job(L)->id);
    return 1;
}

static size_t check_tag(lua_State *L, int arg)
{
    lua_Number n = luaL_checknumber(L, arg);
    return n >= 1 ? (size_t)n : 0;
}

static int job_tag(lua_State *L)
{
    lua_job *lj = check_job(L);
    size_t tag = check_tag(L, 2);
    if (lj->j != NULL)
        ag_job_set_tag(lj->j, tag);
    return 0;
}

static int job_close(lua_State *L)
{
    close_job(check_job(L));
    return 0;
}

/* --- the engine -------------------------------------------------------- */

static ag_engine *check_engine(lua_State *L)
{
    lua_engine *le = ag_lua_checkudata(L, 1, ENGINE);
    if (le->g == NULL)
        (void)luaL_argerror(L, 1, "the engine is gone");
    return le->g;
}

/* Its upvalues are the classes of engines, settings and jobs, found sooner than by their names. */
static int engine_submit(lua_State *L)
{
    ag_engine *g = check_engine(L);
    lua_settings *ls = ag_lua_checkudata_at(L, 2, 2, SETTINGS);
    size_t tag = lua_isnoneornil(L, 3) ? 0 : check_tag(L, 3);
    ag_transfer_request r = { 0 };
    lua_job *lj;
    ag_err e;
    if (ls->s == NULL)
        return luaL_argerror(L, 2, "the settings are gone");
    lua_settop(L, 4 + AG_FIELD_SINK);
    ag_lua_curl_read(L, 4, &r);
    r.settings = ls->s;
    lj = lua_newuserdata(L, sizeof *lj);
    *lj = (lua_job){ 0 };
    lua_pushvalue(L, lua_upvalueindex(3));
    (void)lua_setmetatable(L, -2);
    lj->j = ag_engine_submit(g, &r, &e);
    if (lj->j == NULL)
        return ag_lua_curl_failure(L, &e, false);
    lj->id = ag_job_id(lj->j);
    ag_job_set_tag(lj->j, tag);
    return 1;
}

static int engine_ready(lua_State *L)
{
    ag_job *j = ag_engine_ready(check_engine(L));
    if (j == NULL)
        return 0;
    push_id(L, ag_job_id(j));
    if (ag_job_tag(j) == 0)
        return 1;
    lua_pushinteger(L, (lua_Integer)ag_job_tag(j));
    return 2;
}

static int engine_wait(lua_State *L)
{
    ag_engine *g = check_engine(L);
    double seconds = luaL_checknumber(L, 2);
    lua_pushboolean(L, ag_engine_wait(g, seconds < SLICE ? seconds : SLICE));
    return 1;
}

static int engine_descriptor(lua_State *L)
{
    ag_engine *g = check_engine(L);
    ag_sock fd;
    ag_err e;
    if (!ag_engine_descriptor(g, &fd, &e))
        return ag_lua_curl_failure(L, &e, false);
    lua_pushinteger(L, (lua_Integer)fd);
    return 1;
}

static int engine_listen(lua_State *L)
{
    ag_err e;
    const char *path = ag_engine_listen(check_engine(L), &e);
    if (path == NULL)
        return ag_lua_curl_failure(L, &e, false);
    lua_pushstring(L, path);
    return 1;
}

static int engine_accept(lua_State *L)
{
    ag_err e;
    if (!ag_engine_accept(check_engine(L), &e))
        return ag_lua_curl_failure(L, &e, false);
    lua_pushboolean(L, 1);
    return 1;
}

static int engine_rest(lua_State *L)
{
    lua_pushboolean(L, ag_engine_rest(check_engine(L)));
    return 1;
}

static int engine_poke(lua_State *L)
{
    ag_engine_poke(check_engine(L));
    return 0;
}

static int engine_patient(lua_State *L)
{
    ag_engine *g = check_engine(L);
    luaL_checktype(L, 2, LUA_TBOOLEAN);
    ag_engine_patient(g, lua_toboolean(L, 2));
    return 0;
}

static int engine_running(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)ag_engine_running(check_engine(L)));
    return 1;
}

static long check_limit(lua_State *L, int arg)
{
    lua_Number n = luaL_checknumber(L, arg);
    luaL_argcheck(L, n >= 1 && n <= 10000, arg, "must be a number from 1 to 10000");
    return (long)n;
}

static int engine_limits(lua_State *L)
{
    ag_engine *g = check_engine(L);
    long total = check_limit(L, 2), per_host = check_limit(L, 3);
    ag_engine_limits(g, total, per_host);
    return 0;
}

static int engine_gc(lua_State *L)
{
    lua_engine *le = ag_lua_checkudata(L, 1, ENGINE);
    ag_engine *g = le->g;
    le->g = NULL;
    if (g != NULL) {
        ag_engine_stop(g);
        ag_engine_unref(g);
    }
    return 0;
}

int ag_lua_curl_engine(lua_State *L)
{
    lua_engine *le;
    ag_err e;
    lua_getfield(L, LUA_REGISTRYINDEX, THE_ENGINE);
    if (!lua_isnil(L, -1))
        return 1;
    lua_pop(L, 1);
    le = lua_newuserdata(L, sizeof *le);
    le->g = NULL;
    luaL_getmetatable(L, ENGINE);
    (void)lua_setmetatable(L, -2);
    le->g = ag_engine_new(&ag_alloc_default, &e);
    if (le->g == NULL)
        return ag_lua_curl_failure(L, &e, false);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, THE_ENGINE);
    return 1;
}

void ag_lua_curl_engine_classes(lua_State *L)
{
    static const luaL_Reg settings[] = { { "__gc", settings_gc }, { NULL, NULL } };
    static const luaL_Reg engine[] = { { "ready", engine_ready },           { "wait", engine_wait },
                                       { "descriptor", engine_descriptor }, { "listen", engine_listen },
                                       { "accept", engine_accept },         { "rest", engine_rest },
                                       { "poke", engine_poke },             { "running", engine_running },
                                       { "limits", engine_limits },         { "patient", engine_patient },
                                       { "__gc", engine_gc },               { NULL, NULL } };
    static const luaL_Reg job[] = { { "step", job_step },     { "accept", job_accept },   { "feed", job_feed },
                                    { "result", job_result }, { "answer", job_answer },   { "take", job_take },
                                    { "id", job_id },         { "tag", job_tag },
                                    { "close", job_close },   { "__close", job_close },   { "__gc", job_close },
                                    { NULL, NULL } };
    ag_lua_newclass(L, ENGINE, engine);
    ag_lua_newclass(L, SETTINGS, settings);
    ag_lua_newclass(L, JOB, job);
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    lua_pushcclosure(L, engine_submit, 3);
    lua_setfield(L, -4, "submit");
    lua_pop(L, 3);
}
