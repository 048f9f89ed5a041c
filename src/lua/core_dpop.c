/* core_dpop: proofs of possession for whoever sends requests with another HTTP library. Must never show a key. */
#include <string.h>

#include "core/dpop.h"
#include "core/flow_dpop.h"
#include "core/http.h"
#include "lua/core_private.h"

/* token_type(client) -> "Bearer" or "DPoP": the scheme of the access token */
static int l_token_type(lua_State *L)
{
    const ag_client *c = ag_lua_check_client(L, 1);
    lua_pushstring(L, c->session.record.token_type.p != NULL ? "DPoP" : "Bearer");
    return 1;
}

/* A request with the session's token, as it would go out now. */
static bool prove(ag_client *c, ag_view method, ag_view url, ag_request *r, ag_err *e)
{
    ag_url u;
    char name[sizeof r->method] = "";
    if (!ag_http_check_method(method, e) || !ag_url_parse(url, &u, e))
        return false;
    memcpy(name, method.p, method.n);
    ag_request_reset(&c->env.alloc, r, name);
    if (!ag_str_set_view(&c->env.alloc, &r->url, url) || !ag_request_authorize(&c->env.alloc, r, &c->session.record))
        return ag_fail(e, AG_E_MEMORY, "no memory for a DPoP proof");
    return ag_flow_prove_request(c, r, e);
}

/* dpop_proof(client, method, url) -> the value of a DPoP header | nothing, where the token needs none | nil, code, message,
 * retryable */
static int l_dpop_proof(lua_State *L)
{
    static const ag_flow_type holder = { sizeof(ag_flow), ag_flow_done, NULL };     /* owns the request, whatever raises */
    static const char name[] = "DPoP: ";
    ag_client *c = ag_lua_check_client(L, 1);
    ag_view method = ag_lua_check_view(L, 2), url = ag_lua_check_view(L, 3);
    ag_lua_flow *u;
    ag_err e;
    if (c->session.record.token_type.p == NULL)
        return 0;
    u = ag_lua_new_flow(L);
    if (ag_lua_own_flow(L, u, ag_flow_new(c, &holder)) != 1)
        return 4;
    if (!prove(c, method, url, &u->f->request, &e))
        return ag_lua_push_error(L, &e);
    lua_pushlstring(L, u->f->request.dpop.p + sizeof name - 1, u->f->request.dpop.n - (sizeof name - 1) - 2);
    return 1;
}

/* dpop_learn(client, url, status, headers): takes note of what an answer says about proofs -> was only the proof refused, and
 * would another one help? nil: it was not */
static int l_dpop_learn(lua_State *L)
{
    ag_client *c = ag_lua_check_client(L, 1);
    ag_view url = ag_lua_check_view(L, 2);
    const ag_answer ans = { .status = (int)luaL_checkinteger(L, 3), .headers = ag_lua_check_view(L, 4) };
    ag_request r;
    ag_err ignored;
    bool again = false;
    if (c->session.record.token_type.p == NULL)
        return 0;
    memset(&r, 0, sizeof r);
    if (prove(c, AG_LIT("GET"), url, &r, &ignored))     /* as good as the one that was refused */
        again = ag_dpop_learn(&c->env, c->dpop, url, ans.headers) && ag_dpop_difference(&c->env, c->dpop, &r) != 0;
    ag_request_free(&c->env.alloc, &r);
    if (!ag_dpop_is_refused(&ans, &ignored))
        return 0;
    lua_pushboolean(L, again);
    return 1;
}

static const luaL_Reg functions[] = {
    { "token_type", l_token_type },
    { "dpop_proof", l_dpop_proof },
    { "dpop_learn", l_dpop_learn },
    { NULL, NULL }
};

void ag_lua_core_dpop(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
}
