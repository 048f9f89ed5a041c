/* core_resolver: for those who are called: what an incoming request shows, and asking the resolver about it. Must never keep a
 * token or a cookie. */
#include <string.h>

#include "core/bearer.h"
#include "core/crypto.h"
#include "core/flow_resolve.h"
#include "core/incoming.h"
#include "core/jwt_cache.h"
#include "lua/core_private.h"

#define RESOLVED "authgear.core.resolved"

/* What was read of an answer while Lua values are made of it, since making them can raise. */
static int l_resolved_gc(lua_State *L)
{
    ag_resolved_free(&ag_alloc_default, luaL_checkudata(L, 1, RESOLVED));
    return 0;
}

/* resolve_flow(client, url, host, token, cookie) -> flow | nil, code, message, retryable; url, host and one of the last two may
 * be nil */
static int l_resolve_flow(lua_State *L)
{
    ag_client *c = ag_lua_check_client(L, 1);
    ag_resolver_query q;
    ag_lua_flow *u;
    ag_err e;
    q.url = ag_lua_opt_view(L, 2);
    q.host = ag_lua_opt_view(L, 3);
    q.token = ag_lua_opt_view(L, 4);
    q.cookie = ag_lua_opt_view(L, 5);
    u = ag_lua_new_flow(L);
    u->f = ag_resolve_flow(c, &q, &e);
    return u->f != NULL ? 1 : ag_lua_push_error(L, &e);
}

/* resolve_headers(finished flow) -> the answer's headers, for resolver_claims; "": nobody is logged in with that */
static int l_resolve_headers(lua_State *L)
{
    ag_lua_push_view(L, ag_resolve_headers(ag_lua_check_flow(L, 1)));
    return 1;
}

/* resolver_claims(headers, policy, now) -> claims | nil, code, message, retryable, reason */
static int l_resolver_claims(lua_State *L)
{
    ag_view headers = ag_lua_check_view(L, 1);
    const ag_jwt_policy *policy = ag_lua_check_policy(L, 2);
    double now = (double)luaL_checknumber(L, 3);
    ag_resolved *r = lua_newuserdata(L, sizeof *r);
    ag_err e;
    memset(r, 0, sizeof *r);
    luaL_setmetatable(L, RESOLVED);
    if (!ag_resolver_read(&ag_alloc_default, headers, r, &e) || !ag_jwt_check_times(&r->claims, policy, now, &e)
            || !ag_jwt_check_rights(&r->claims, policy, &e)) {
        ag_resolved_free(&ag_alloc_default, r);
        return ag_lua_push_refusal(L, &e);
    }
    ag_lua_push_claims(L, &r->claims);
    ag_resolved_free(&ag_alloc_default, r);
    return 1;
}

/* ---- what a request shows ---- */

typedef struct shown {
    ag_shown what;
    ag_view text;       /* the token, or the session cookie with its name */
    bool is_cookie;
} shown;

/* At 1: the Authorization header, at 2: the Cookie headers, at 3: the name of a cookie that holds a token, at 4: the name of
 * the session cookie; each may be nil. The first that is there counts. */
static shown read_shown(lua_State *L)
{
    ag_view header = ag_lua_opt_view(L, 1), cookies = ag_lua_opt_view(L, 2), name;
    shown s = { AG_SHOWN_NONE, { NULL, 0 }, false };
    s.what = ag_bearer_read(header, &s.text);
    name = ag_lua_opt_view(L, 3);
    if (s.what == AG_SHOWN_NONE && name.p != NULL) {
        s.what = ag_cookie_read(cookies, name, &s.text);
        if (s.what == AG_SHOWN_GOOD && !ag_bearer_is_token(s.text))
            s.what = AG_SHOWN_BAD;
    }
    name = ag_lua_opt_view(L, 4);
    if (s.what == AG_SHOWN_NONE && name.p != NULL) {
        s.what = ag_cookie_read(cookies, name, &s.text);
        s.is_cookie = true;
        if (s.what == AG_SHOWN_GOOD)
            s.text = (ag_view){ s.text.p - name.n - 1, s.text.n + name.n + 1 };
    }
    return s;
}

static const char *name_of(const shown *s)
{
    switch (s->what) {
    case AG_SHOWN_GOOD:
        return s->is_cookie ? "cookie" : "token";
    case AG_SHOWN_BAD:
        return "bad";
    case AG_SHOWN_NONE:
        break;
    }
    return "none";
}

/* shown_key(authorization, cookies, token cookie's name, session cookie's name) -> the SHA-256 of what is shown | nil, "none" or
 * "bad" */
static int l_shown_key(lua_State *L)
{
    shown s = read_shown(L);
    ag_jwt_key key;
    if (s.what != AG_SHOWN_GOOD) {
        lua_pushnil(L);
        lua_pushstring(L, name_of(&s));
        return 2;
    }
    if (!ag_jwt_cache_key(s.text, &key))
        return luaL_error(L, "no SHA-256");
    lua_pushlstring(L, (const char *)key.hash, sizeof key.hash);
    return 1;
}

/* shown(the same) -> "token" and the token | "cookie" and "name=value" | "none" | "bad" */
static int l_shown(lua_State *L)
{
    shown s = read_shown(L);
    lua_pushstring(L, name_of(&s));
    if (s.what != AG_SHOWN_GOOD)
        return 1;
    ag_lua_push_view(L, s.text);
    return 2;
}

/* jwt_expiry(token) -> its exp, in seconds since 1970, if it is a JWT that has one. Not verified: only for keeping an answer
 * about the token no longer than the token itself. */
static int l_jwt_expiry(lua_State *L)
{
    const ag_alloc *a = &ag_alloc_default;
    ag_jwt_claims claims;
    ag_jws jws;
    ag_err e;
    double exp = AG_TIME_ABSENT;
    if (ag_jws_read(a, ag_lua_check_view(L, 1), AG_JWT_MAX_TOKEN, &jws, &e)) {
        if (ag_jwt_read_claims(a, &jws, &claims, &e))
            exp = claims.exp;
        ag_jws_free(a, &jws);
    }
    if (exp < 0)
        return 0;
    lua_pushnumber(L, (lua_Number)exp);
    return 1;
}

/* is_our_header(name) -> is it X-Authgear-*, however it is spelled? */
static int l_is_our_header(lua_State *L)
{
    lua_pushboolean(L, ag_incoming_is_ours(ag_lua_check_view(L, 1)));
    return 1;
}

/* incoming_function() -> ag_incoming_read's address, a key for it, and the sizes of what it takes, for LuaJIT's FFI: nginx calls it
 * for every request */
static int l_incoming_function(lua_State *L)
{
    void (*fn)(const ag_incoming_header *h, int n, const unsigned char key[16], ag_incoming *out) = ag_incoming_read;
    char key[16];
    void *p;
    if (!ag_crypto_random(NULL, key, sizeof key))
        return luaL_error(L, "no random bytes");
    memcpy(&p, &fn, sizeof p);
    lua_pushlightuserdata(L, p);
    lua_pushlstring(L, key, sizeof key);
    lua_pushinteger(L, (lua_Integer)sizeof(ag_incoming_header));
    lua_pushinteger(L, (lua_Integer)sizeof(ag_incoming));
    return 4;
}

static const luaL_Reg functions[] = {
    { "is_our_header", l_is_our_header },
    { "incoming_function", l_incoming_function },
    { "resolve_flow", l_resolve_flow },
    { "resolve_headers", l_resolve_headers },
    { "resolver_claims", l_resolver_claims },
    { "shown_key", l_shown_key },
    { "shown", l_shown },
    { "jwt_expiry", l_jwt_expiry },
    { NULL, NULL }
};

void ag_lua_core_resolver(lua_State *L)
{
    luaL_newmetatable(L, RESOLVED);
    lua_pushcfunction(L, l_resolved_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
