/* core_login: the flows that go through the browser, made and asked for what came of them.
 * Must never show a verifier or a nonce to Lua. */
#include "core/end_session.h"
#include "core/flow_id_token.h"
#include "core/flow_login.h"
#include "core/flow_pre_authenticated.h"
#include "core/id_token.h"
#include "lua/core_private.h"

static ag_authz_kind check_kind(lua_State *L, int i)
{
    static const char *const names[] = { "login", "promotion", "reauthentication", "settings", "page", NULL };
    return (ag_authz_kind)luaL_checkoption(L, i, NULL, names);
}

static ag_view option(lua_State *L, const char *key)
{
    ag_view v;
    lua_getfield(L, 3, key);    /* stays on the stack: the view borrows from it */
    v = ag_lua_opt_view(L, -1);
    return v;
}

/* login_start_flow(client, kind, options): options by their names in core/authz.h, redirect_uri, max_age (seconds) and
 * stays */
static int l_login_start_flow(lua_State *L)
{
    ag_client *c = ag_lua_check_client(L, 1);
    ag_authz_options o;
    ag_lua_flow *u;
    int i;
    o.kind = check_kind(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    luaL_checkstack(L, AG_PARAM_COUNT + 8, "too many options");
    o.redirect_uri = option(L, "redirect_uri");
    for (i = 0; i < AG_PARAM_COUNT; i++)
        o.params[i] = option(L, ag_authz_option_name((ag_authz_param)i));
    lua_getfield(L, 3, "max_age");
    o.max_age_s = (double)luaL_optnumber(L, -1, AG_ANY_AGE);
    o.sso_enabled = c->sso_enabled;
    lua_getfield(L, 3, "stays");
    o.stays = lua_toboolean(L, -1);
    u = ag_lua_new_flow(L);
    return ag_lua_own_flow(L, u, ag_login_start_flow(c, &o));
}

/* login_finish_flow(client, kind, callback url) */
static int l_login_finish_flow(lua_State *L)
{
    ag_client *c = ag_lua_check_client(L, 1);
    ag_authz_kind kind = check_kind(L, 2);
    ag_view url = ag_lua_check_view(L, 3);
    ag_lua_flow *u = ag_lua_new_flow(L);
    return ag_lua_own_flow(L, u, ag_login_finish_flow(c, url, kind));
}

static int l_id_token_flow(lua_State *L)
{
    ag_client *c = ag_lua_check_client(L, 1);
    ag_lua_flow *u = ag_lua_new_flow(L);
    return ag_lua_own_flow(L, u, ag_id_token_flow(c));
}

/* id_token_facts(client) -> can_reauthenticate, auth_time (seconds since 1970 or nil), as the session's ID token has them */
static int l_id_token_facts(lua_State *L)
{
    const ag_client *c = ag_lua_check_client(L, 1);
    ag_json *claims;
    ag_err ignored;
    bool able = false;
    double auth_time = 0;
    claims = ag_id_token_payload(&c->env.alloc, ag_str_view(&c->session.record.id_token), &ignored);
    if (claims == NULL || !ag_json_bool(claims, AG_CLAIM_CAN_REAUTHENTICATE, &able))
        able = false;
    if (claims == NULL || !ag_json_number(claims, "auth_time", &auth_time))
        auth_time = 0;
    ag_json_free(claims);
    lua_pushboolean(L, able);
    if (auth_time > 0)
        lua_pushnumber(L, (lua_Number)auth_time);
    else
        lua_pushnil(L);
    return 2;
}

/* id_token(client) -> the session's ID token as it stands | nil */
static int l_id_token(lua_State *L)
{
    ag_lua_push_view(L, ag_str_view(&ag_lua_check_client(L, 1)->session.record.id_token));
    return 1;
}

/* pre_authenticated_flow(client, the other application's client_id, its redirect URI, state or nil) */
static int l_pre_authenticated_flow(lua_State *L)
{
    ag_client *c = ag_lua_check_client(L, 1);
    ag_view client_id = ag_lua_check_view(L, 2), uri = ag_lua_check_view(L, 3), state = ag_lua_opt_view(L, 4);
    ag_lua_flow *u = ag_lua_new_flow(L);
    return ag_lua_own_flow(L, u, ag_pre_authenticated_flow(c, client_id, uri, state));
}

static int l_pre_authenticated_url(lua_State *L)
{
    ag_lua_push_view(L, ag_pre_authenticated_url(ag_lua_check_flow(L, 1)));
    return 1;
}

/* end_session_flow(client, post_logout_redirect_uri or nil, state or nil) */
static int l_end_session_flow(lua_State *L)
{
    ag_client *c = ag_lua_check_client(L, 1);
    ag_view uri = ag_lua_opt_view(L, 2), state = ag_lua_opt_view(L, 3);
    ag_lua_flow *u = ag_lua_new_flow(L);
    return ag_lua_own_flow(L, u, ag_end_session_flow(c, uri, state));
}

static int l_end_session_url(lua_State *L)
{
    ag_lua_push_view(L, ag_end_session_flow_url(ag_lua_check_flow(L, 1)));
    return 1;
}

/* login_claims(flow) -> claims, partial */
static int l_login_claims(lua_State *L)
{
    bool partial;
    ag_lua_push_json(L, ag_login_claims(ag_lua_check_flow(L, 1), &partial));
    lua_pushboolean(L, partial);
    return 2;
}

/* login_url(flow) -> url, state */
static int l_login_url(lua_State *L)
{
    const ag_flow *f = ag_lua_check_flow(L, 1);
    ag_lua_push_view(L, ag_login_url(f));
    ag_lua_push_view(L, ag_login_state(f));
    return 2;
}

static int l_login_cancel(lua_State *L)
{
    ag_login_cancel(ag_lua_check_client(L, 1), ag_lua_check_view(L, 2));
    return 0;
}

static const luaL_Reg functions[] = {
    { "login_start_flow", l_login_start_flow },
    { "login_finish_flow", l_login_finish_flow },
    { "id_token_flow", l_id_token_flow },
    { "id_token", l_id_token },
    { "id_token_facts", l_id_token_facts },
    { "pre_authenticated_flow", l_pre_authenticated_flow },
    { "pre_authenticated_url", l_pre_authenticated_url },
    { "end_session_flow", l_end_session_flow },
    { "end_session_url", l_end_session_url },
    { "login_claims", l_login_claims },
    { "login_url", l_login_url },
    { "login_cancel", l_login_cancel },
    { NULL, NULL }
};

void ag_lua_core_login(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
}
