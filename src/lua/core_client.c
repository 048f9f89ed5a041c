/* core_client: the userdata of a client. Must never be closed under a flow: flows hold
 * references of their own. */
#include <math.h>

#include "core/crypto.h"
#include "io/platform.h"
#include "lua/core_private.h"

void ag_lua_touch_clock(ag_client *c)
{
    if (!c->manual_clock)
        (void)ag_platform_now(&c->env.boot_ms, &c->env.wall_ms);
}

/* For what does not depend on the time. */
static ag_client *check_client(lua_State *L, int i)
{
    ag_lua_client *u = ag_lua_checkudata(L, i, AG_LUA_CLIENT);
    if (u->c == NULL)
        luaL_argerror(L, i, "the client is closed");
    return u->c;
}

ag_client *ag_lua_check_client(lua_State *L, int i)
{
    ag_client *c = check_client(L, i);
    ag_lua_touch_clock(c);
    return c;
}

static int l_gc(lua_State *L)
{
    ag_lua_client *u = luaL_checkudata(L, 1, AG_LUA_CLIENT);
    if (u->c != NULL)
        ag_client_unref(u->c);
    u->c = NULL;
    return 0;
}

/* Field key of the options table (index 1) as text kept in *out. */
static bool text_option(lua_State *L, ag_client *c, const char *key, ag_str *out, ag_err *e)
{
    bool ok;
    lua_getfield(L, 1, key);
    ok = lua_type(L, -1) != LUA_TSTRING || ag_str_set_view(&c->env.alloc, out, ag_lua_check_view(L, -1));
    lua_pop(L, 1);
    return ok || ag_fail(e, AG_E_MEMORY, "no memory for a client");
}

static bool flag_option(lua_State *L, const char *key)
{
    bool on;
    lua_getfield(L, 1, key);
    on = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return on;
}

static bool origins_option(lua_State *L, ag_client *c, ag_err *e)
{
    bool ok = true;
    int i;
    lua_getfield(L, 1, "allowed_origins");
    for (i = 1; ok && lua_istable(L, -1); i++) {
        lua_rawgeti(L, -1, i);
        if (lua_type(L, -1) != LUA_TSTRING) {
            lua_pop(L, 1);
            break;
        }
        ok = ag_client_allow_origin(c, ag_lua_check_view(L, -1), e);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return ok;
}

/* A file of the system's: read when a record or a token is there to which it says something. */
void ag_lua_know_boot(ag_client *c)
{
    if (c->env.boot_id[0] == '\0')
        (void)ag_platform_boot_id(c->env.boot_id);
}

static double number_in(lua_State *L, int table, const char *key, double missing)
{
    double v;
    lua_pushstring(L, key);
    lua_rawget(L, table);
    v = lua_isnumber(L, -1) ? lua_tonumber(L, -1) : missing;
    lua_pop(L, 1);
    return v;
}

void ag_lua_read_retry(lua_State *L, int i, ag_retry_options *o)
{
    const ag_retry_options usual = AG_RETRY_DEFAULT;
    if (lua_type(L, i) == LUA_TBOOLEAN)
        o->retries = 0;
    if (lua_type(L, i) != LUA_TTABLE)
        return;
    o->retries = (unsigned)number_in(L, i, "retries", usual.retries);
    o->base_s = number_in(L, i, "base", usual.base_s);
    o->max_s = number_in(L, i, "max", usual.max_s);
}

static void retry_option(lua_State *L, ag_client *c)
{
    lua_getfield(L, 1, "retry");
    ag_lua_read_retry(L, lua_gettop(L), &c->retry);
    lua_pop(L, 1);
}

static void seconds_option(lua_State *L, const char *key, int64_t *ms)
{
    lua_getfield(L, 1, key);
    if (lua_isnumber(L, -1))
        *ms = (int64_t)(lua_tonumber(L, -1) * 1000);
    lua_pop(L, 1);
}

/* How the secret goes to the token endpoint: as the metadata say, unless the user does. */
static void auth_option(lua_State *L, ag_client *c)
{
    ag_view method;
    lua_getfield(L, 1, "token_endpoint_auth_method");
    method = ag_lua_opt_view(L, -1);
    c->basic_auth = ag_view_eq(method, AG_LIT("client_secret_basic"));
    c->post_auth = ag_view_eq(method, AG_LIT("client_secret_post"));
    lua_pop(L, 1);
}

static bool read_options(lua_State *L, ag_client *c, ag_err *e)
{
    bool ok;
    c->allow_http = flag_option(L, "allow_insecure_http");
    c->sso_enabled = flag_option(L, "sso_enabled");
    c->pre_authenticated_url_enabled = flag_option(L, "pre_authenticated_url_enabled");
    c->use_dpop = flag_option(L, "dpop");
    c->verify_id_token = flag_option(L, "verify_id_token");
    c->has_look = flag_option(L, "has_look");
    c->keeps_logins = flag_option(L, "keeps_logins");
    c->manual_clock = flag_option(L, "manual_clock");
    auth_option(L, c);
    seconds_option(L, "lock_timeout", &c->lock_timeout_ms);
    seconds_option(L, "refresh_timeout", &c->refresh_timeout_ms);
    retry_option(L, c);
    lua_getfield(L, 1, "endpoint");
    ok = ag_client_set_endpoint(c, ag_lua_check_view(L, -1), e);
    lua_pop(L, 1);
    return ok && text_option(L, c, "client_id", &c->client_id, e)
        && text_option(L, c, "client_secret", &c->client_secret, e)
        && text_option(L, c, "scopes", &c->scopes, e)
        && text_option(L, c, "user_agent", &c->user_agent, e)
        && origins_option(L, c, e);
}

ag_lua_client *ag_lua_new_client(lua_State *L)
{
    ag_lua_client *u = lua_newuserdata(L, sizeof *u);
    u->c = NULL;
    luaL_setmetatable(L, AG_LUA_CLIENT);
    return u;
}

/* client(options) -> client | nil, code, message, retryable. The face has checked the types. */
static int l_client(lua_State *L)
{
    ag_env env = { .alloc = ag_alloc_default, .random = ag_crypto_random };
    ag_lua_client *u;
    ag_err e;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    u = ag_lua_new_client(L);
    u->c = ag_client_new(&env);
    if (u->c == NULL) {
        (void)ag_fail(&e, AG_E_MEMORY, "no memory for a client");
        return ag_lua_push_error(L, &e);
    }
    if (!read_options(L, u->c, &e))
        return ag_lua_push_error(L, &e);
    ag_lua_touch_clock(u->c);
    return 1;
}

/* fresh(client) -> is there nothing to refresh and nothing to look at? */
static int l_fresh(lua_State *L)
{
    lua_pushboolean(L, ag_client_is_fresh(ag_lua_check_client(L, 1)));
    return 1;
}

static int l_state(lua_State *L)
{
    lua_pushstring(L, ag_state_name(check_client(L, 1)->session.state));
    return 1;
}

/* version(client) -> a number that changes whenever the session's record does */
static int l_version(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)check_client(L, 1)->session.version);
    return 1;
}

static int l_access_token(lua_State *L)
{
    ag_lua_push_view(L, ag_str_view(&check_client(L, 1)->session.record.access_token));
    return 1;
}

/* take_event(client) -> state, reason | nil */
static int l_take_event(lua_State *L)
{
    ag_event ev;
    if (!ag_session_take_event(&check_client(L, 1)->session, &ev))
        return 0;
    lua_pushstring(L, ag_state_name((ag_state)ev.state));
    lua_pushstring(L, ag_reason_name((ag_reason)ev.reason));
    return 2;
}

/* Seconds that a clock of the user's gave, in milliseconds. */
static int64_t check_ms(lua_State *L, int i, const char *clock)
{
    double s = lua_type(L, i) == LUA_TNUMBER ? (double)lua_tonumber(L, i) : HUGE_VAL;
    if (!(fabs(s) <= 1e12))
        luaL_error(L, "the clock's function '%s' gave no number of seconds", clock);
    return (int64_t)(s * 1000);
}

/* set_time(client, boot, wall): seconds; for a client made with manual_clock */
static int l_set_time(lua_State *L)
{
    ag_client *c = check_client(L, 1);
    int64_t boot = check_ms(L, 2, "monotonic"), wall = check_ms(L, 3, "wall");
    c->env.boot_ms = boot;
    c->env.wall_ms = wall;
    return 0;
}

/* withhold(client, text) -> the text, at most 159 bytes of it, or words in its place if it holds a secret */
static int l_withhold(lua_State *L)
{
    const ag_client *c = check_client(L, 1);
    ag_err e;
    (void)ag_fail(&e, AG_E_HOST, "%s", luaL_checkstring(L, 2));
    ag_client_withhold(c, &e);
    lua_pushstring(L, e.message);
    return 1;
}

static const luaL_Reg functions[] = {
    { "client", l_client },
    { "fresh", l_fresh },
    { "state", l_state },
    { "version", l_version },
    { "access_token", l_access_token },
    { "take_event", l_take_event },
    { "set_time", l_set_time },
    { "withhold", l_withhold },
    { NULL, NULL }
};

void ag_lua_core_client(lua_State *L)
{
    luaL_newmetatable(L, AG_LUA_CLIENT);
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    ag_lua_setfuncs_of(L, functions, AG_LUA_CLIENT);
}
