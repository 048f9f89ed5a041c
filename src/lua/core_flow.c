/* core_flow: the userdata of a flow: making one, what it wants, and handing in results.
 * Must never call back into Lua while a flow is being stepped. */
#include <string.h>

#include "core/flow_fetch.h"
#include "core/flow_jwks.h"
#include "core/flow_userinfo.h"
#include "lua/core_private.h"

ag_flow *ag_lua_check_flow(lua_State *L, int i)
{
    ag_lua_flow *u = ag_lua_checkudata(L, i, AG_LUA_FLOW);
    if (u->f == NULL)
        luaL_argerror(L, i, "the flow is closed");
    ag_lua_touch_clock(u->f->client);
    return u->f;
}

static int l_gc(lua_State *L)
{
    ag_lua_flow *u = luaL_checkudata(L, 1, AG_LUA_FLOW);
    ag_flow *f = u->f;
    u->f = NULL;
    ag_flow_free(f);
    return 0;
}

/* ---- making flows: first the userdata, then what it owns ---- */

ag_lua_flow *ag_lua_new_flow(lua_State *L)
{
    ag_lua_flow *u = lua_newuserdata(L, sizeof *u);
    u->f = NULL;
    luaL_setmetatable(L, AG_LUA_FLOW);
    return u;
}

int ag_lua_own_flow(lua_State *L, ag_lua_flow *u, ag_flow *f)
{
    ag_err e;
    u->f = f;
    if (f != NULL)
        return 1;
    (void)ag_fail(&e, AG_E_MEMORY, "no memory for a flow");
    return ag_lua_push_error(L, &e);
}

static int l_open_flow(lua_State *L)
{
    ag_client *c = ag_lua_check_client(L, 1);
    ag_lua_flow *u = ag_lua_new_flow(L);
    return ag_lua_own_flow(L, u, ag_open_flow(c));
}

/* refresh_flow(client [, refused access token [, demanded]]) */
static int l_refresh_flow(lua_State *L)
{
    ag_client *c = ag_lua_check_client(L, 1);
    ag_view refused = ag_lua_opt_view(L, 2);
    bool demanded = lua_toboolean(L, 3);
    ag_lua_flow *u = ag_lua_new_flow(L);
    return ag_lua_own_flow(L, u, ag_refresh_flow(c, refused, demanded));
}

/* end_flow(client, revoke, force [, only when this is the access token]) */
static int l_end_flow(lua_State *L)
{
    ag_client *c = ag_lua_check_client(L, 1);
    bool revoke = lua_toboolean(L, 2), force = lua_toboolean(L, 3);
    ag_view only = ag_lua_opt_view(L, 4);
    ag_lua_flow *u = ag_lua_new_flow(L);
    return ag_lua_own_flow(L, u, ag_end_flow(c, revoke, force, only));
}

static int l_userinfo_flow(lua_State *L)
{
    ag_client *c = ag_lua_check_client(L, 1);
    ag_lua_flow *u = ag_lua_new_flow(L);
    return ag_lua_own_flow(L, u, ag_userinfo_flow(c));
}

static int l_jwks_flow(lua_State *L)
{
    ag_client *c = ag_lua_check_client(L, 1);
    ag_lua_flow *u = ag_lua_new_flow(L);
    return ag_lua_own_flow(L, u, ag_jwks_flow(c));
}

/* fetch_flow(client, method, url, headers, has_body, replayable, authorize, keep_user_agent, policy,
 *            max_redirects, max_body, sent [, retry]) -> flow | nil, code, message, retryable */
static int l_fetch_flow(lua_State *L)
{
    ag_client *c = ag_lua_check_client(L, 1);
    ag_retry_options retry = c->retry;
    ag_fetch_options o;
    ag_lua_flow *u;
    ag_err e;
    o.method = ag_lua_check_view(L, 2);
    o.url = ag_lua_check_view(L, 3);
    o.headers = ag_lua_check_view(L, 4);
    o.has_body = lua_toboolean(L, 5);
    o.replayable = lua_toboolean(L, 6);
    o.authorize = lua_toboolean(L, 7);
    o.keep_user_agent = lua_toboolean(L, 8);
    o.policy = (ag_policy)luaL_checkinteger(L, 9);
    o.max_redirects = (unsigned)luaL_checkinteger(L, 10);
    o.max_body = (size_t)luaL_checknumber(L, 11);
    o.sent = lua_toboolean(L, 12);
    o.retry = &retry;
    ag_lua_read_retry(L, 13, &retry);
    u = ag_lua_new_flow(L);
    u->f = ag_fetch_flow(c, &o, &e);
    return u->f != NULL ? 1 : ag_lua_push_error(L, &e);
}

/* fetch_at_once(client, url) -> when it can be sent without a flow (see core/flow_fetch.h) and no event is due: the
 * session's version, and the time as now() gives it; else nothing */
static int l_fetch_at_once(lua_State *L)
{
    ag_client *c = ag_lua_check_client(L, 1);
    ag_view url;
    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    url.p = lua_tolstring(L, 2, &url.n);
    if (c->manual_clock || c->session.n_events > 0 || !ag_fetch_goes_at_once(c, url))
        return 0;
    lua_pushnumber(L, (lua_Number)c->session.version);
    lua_pushnumber(L, (lua_Number)c->env.boot_ms / 1000);
    return 2;
}

/* ---- what it wants ---- */

/* A request with a proof goes out once at most: the transport must not repeat it by itself. */
static int push_send(lua_State *L, const ag_flow *f, bool sends_body)
{
    lua_pushstring(L, f->request.method);
    ag_lua_push_view(L, ag_str_view(&f->request.url));
    ag_lua_push_view(L, ag_str_view(&f->request.headers));
    if (f->request.proof) {
        lua_pushstring(L, f->request.dpop.p);
        lua_concat(L, 2);       /* such a request has headers of its own */
    }
    ag_lua_push_view(L, ag_str_view(&f->request.body));
    lua_pushnumber(L, (lua_Number)f->request.max_body);
    if (f->request.proof && !f->request.fresh)
        lua_pushliteral(L, "once");
    else
        lua_pushboolean(L, f->request.fresh);
    lua_pushboolean(L, f->request.secret);
    lua_pushboolean(L, f->request.keep_going);
    lua_pushboolean(L, sends_body);
    lua_pushboolean(L, f->again);
    return 11;
}

/* Pushes the number of the effect that f, the root or a child of it, wants, and its arguments. */
static int push_want(lua_State *L, const ag_flow *root, const ag_flow *f)
{
    lua_pushinteger(L, (lua_Integer)f->fx);
    switch (f->fx) {
    case AG_FX_SEND:
        return push_send(L, f, f == root);
    case AG_FX_STORE:
    case AG_FX_REFRESH:
    case AG_FX_END:
        ag_lua_push_view(L, ag_str_view(&f->text));
        return 2;
    case AG_FX_KEEP:
        ag_lua_push_view(L, f->name);
        ag_lua_push_view(L, ag_str_view(&f->text));
        lua_pushnumber(L, f->seconds);
        return 4;
    case AG_FX_TAKE:
        ag_lua_push_view(L, f->name);
        return 2;
    case AG_FX_SLEEP:
        lua_pushnumber(L, f->seconds);
        return 2;
    default:
        return 1;
    }
}

static int l_want(lua_State *L)
{
    ag_flow *f = ag_lua_check_flow(L, 1);
    return push_want(L, f, ag_flow_wanting_anew(f));
}

/* ---- handing in results; each returns what is wanted next ---- */

static int step(lua_State *L, ag_flow *f, const ag_input *in)
{
    ag_flow_step(f, in);
    return push_want(L, f, ag_flow_wanting(f));
}

/* feed(flow [, flag or number]) */
static int l_feed(lua_State *L)
{
    ag_flow *f = ag_lua_check_flow(L, 1);
    ag_input in;
    memset(&in, 0, sizeof in);
    in.ok = true;
    in.flag = lua_toboolean(L, 2);
    if (lua_type(L, 2) == LUA_TNUMBER)
        in.number = (int)lua_tointeger(L, 2);
    return step(L, f, &in);
}

/* feed_text(flow, text or nil) */
static int l_feed_text(lua_State *L)
{
    ag_flow *f = ag_lua_check_flow(L, 1);
    ag_input in;
    memset(&in, 0, sizeof in);
    in.ok = true;
    in.text = ag_lua_opt_view(L, 2);
    if (in.text.p != NULL)
        ag_lua_know_boot(f->client);
    return step(L, f, &in);
}

/* feed_answer(flow, status, headers, body or nil) */
static int l_feed_answer(lua_State *L)
{
    ag_flow *f = ag_lua_check_flow(L, 1);
    ag_input in;
    memset(&in, 0, sizeof in);
    in.ok = true;
    in.answer.status = (int)luaL_checkinteger(L, 2);
    in.answer.headers = ag_lua_check_view(L, 3);
    in.answer.body = ag_lua_opt_view(L, 4);
    ag_lua_know_boot(f->client);
    return step(L, f, &in);
}

/* feed_error(flow, code, message, retryable, sent): sent false: the request surely did not reach the server */
static int l_feed_error(lua_State *L)
{
    ag_flow *f = ag_lua_check_flow(L, 1);
    ag_err_code code = ag_err_from_name(luaL_optstring(L, 2, "host"));
    ag_err e;
    ag_input in;
    (void)ag_fail(&e, code == AG_E_COUNT ? AG_E_HOST : code, "%s", luaL_optstring(L, 3, ""));
    if (!lua_isnoneornil(L, 4))
        e.retryable = lua_toboolean(L, 4);
    e.unsent = lua_type(L, 5) == LUA_TBOOLEAN && !lua_toboolean(L, 5);
    memset(&in, 0, sizeof in);
    in.err = &e;
    return step(L, f, &in);
}

/* feed_flow(flow, other): the result of another, finished flow that was waited for */
static int l_feed_flow(lua_State *L)
{
    ag_flow *f = ag_lua_check_flow(L, 1), *other = ag_lua_check_flow(L, 2);
    ag_input in;
    ag_err e;
    memset(&in, 0, sizeof in);
    in.ok = other->fx == AG_FX_DONE;
    e = other->err;
    in.err = &e;
    return step(L, f, &in);
}

/* ---- results ---- */

/* error(flow) -> code, message, retryable, status, oauth_error, oauth_error_description, retry_after */
static int l_error(lua_State *L)
{
    const ag_err *e = &ag_lua_check_flow(L, 1)->err;
    lua_pushstring(L, ag_err_name(e->code));
    lua_pushstring(L, e->message);
    lua_pushboolean(L, e->retryable);
    if (e->status != 0)
        lua_pushinteger(L, e->status);
    else
        lua_pushnil(L);
    lua_pushstring(L, e->oauth_error[0] != '\0' ? e->oauth_error : NULL);
    lua_pushstring(L, e->oauth_error_description[0] != '\0' ? e->oauth_error_description : NULL);
    if (e->retry_after > 0)
        lua_pushnumber(L, e->retry_after);
    else
        lua_pushnil(L);
    return 7;
}

static int l_userinfo_claims(lua_State *L)
{
    ag_lua_push_json(L, ag_userinfo_claims(ag_lua_check_flow(L, 1)));
    return 1;
}

/* jwks_of(finished flow) -> key set (once; then nil), how many keys, how many of them usable, the issuer */
static int l_jwks_of(lua_State *L)
{
    ag_flow *f = ag_lua_check_flow(L, 1);
    ag_lua_push_jwks(L, ag_jwks_flow_take, f);
    ag_lua_push_view(L, ag_str_view(&f->client->metadata.issuer));
    return 4;
}

/* jwks_text(finished flow) -> the key set as it came */
static int l_jwks_text(lua_State *L)
{
    ag_lua_push_view(L, ag_jwks_flow_text(ag_lua_check_flow(L, 1)));
    return 1;
}

/* fetch_accepts(flow, status, headers) -> may this answer's body be streamed to the caller? */
static int l_fetch_accepts(lua_State *L)
{
    ag_flow *f = ag_lua_check_flow(L, 1);
    const ag_answer head = { .status = (int)luaL_checkinteger(L, 2), .headers = ag_lua_check_view(L, 3) };
    lua_pushboolean(L, ag_fetch_accepts(f, &head));
    return 1;
}

static int l_fetch_body_used(lua_State *L)
{
    ag_fetch_body_used(ag_lua_check_flow(L, 1));
    return 0;
}

/* fetch_sends_body(flow) -> does the wanted SEND carry the caller's body? */
static int l_fetch_sends_body(lua_State *L)
{
    lua_pushboolean(L, ag_fetch_sends_body(ag_lua_check_flow(L, 1)));
    return 1;
}

/* Of a client. */
static const luaL_Reg makers[] = {
    { "open_flow", l_open_flow },
    { "refresh_flow", l_refresh_flow },
    { "end_flow", l_end_flow },
    { "userinfo_flow", l_userinfo_flow },
    { "jwks_flow", l_jwks_flow },
    { "fetch_flow", l_fetch_flow },
    { "fetch_at_once", l_fetch_at_once },
    { NULL, NULL }
};

static const luaL_Reg functions[] = {
    { "jwks_of", l_jwks_of },
    { "jwks_text", l_jwks_text },
    { "want", l_want },
    { "feed", l_feed },
    { "feed_text", l_feed_text },
    { "feed_answer", l_feed_answer },
    { "feed_error", l_feed_error },
    { "feed_flow", l_feed_flow },
    { "error", l_error },
    { "userinfo_claims", l_userinfo_claims },
    { "fetch_accepts", l_fetch_accepts },
    { "fetch_body_used", l_fetch_body_used },
    { "fetch_sends_body", l_fetch_sends_body },
    { NULL, NULL }
};

static int push_effects(lua_State *L)
{
    static const char *const names[] = {
        "DONE", "FAIL", "LOOK", "LOAD", "STORE", "DELETE", "LOCK", "UNLOCK", "SEND", "SLEEP", "REFRESH", "ASK", "KEEP",
        "TAKE", "END"
    };
    int i;
    lua_newtable(L);
    for (i = 0; i < (int)(sizeof names / sizeof names[0]); i++) {
        lua_pushinteger(L, i);
        lua_setfield(L, -2, names[i]);
    }
    return 1;
}

void ag_lua_core_flow(lua_State *L)
{
    luaL_newmetatable(L, AG_LUA_FLOW);
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    ag_lua_setfuncs_of(L, makers, AG_LUA_CLIENT);
    ag_lua_setfuncs_of(L, functions, AG_LUA_FLOW);
    (void)push_effects(L);
    lua_setfield(L, -2, "fx");
}
