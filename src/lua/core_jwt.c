/* core_jwt: key sets, policies and verified claims for Lua. Views into Lua strings are held by a table that lives
 * as long as the userdata that borrows them. Must never keep a token. */
#include <string.h>

#include "core/jwt_cache.h"
#include "core/jwt_check.h"
#include "lua/core_private.h"

#define JWKS "authgear.core.jwks"
#define POLICY "authgear.core.policy"
#define CACHE "authgear.core.jwt_cache"
#define MAX_LIST 64

typedef struct lua_jwks {
    ag_jwks *set;       /* owned */
} lua_jwks;

typedef struct lua_cache {
    ag_jwt_cache *c;    /* owned */
} lua_cache;

/* The lists' views stand behind the struct, in the same block. */
typedef struct lua_policy {
    ag_jwt_policy p;
    ag_view views[];
} lua_policy;

int ag_lua_push_refusal(lua_State *L, const ag_err *e)
{
    (void)ag_lua_push_error(L, e);
    lua_pushstring(L, e->reason);
    return 5;
}

static int l_jwks_gc(lua_State *L)
{
    lua_jwks *u = luaL_checkudata(L, 1, JWKS);
    ag_jwks_free(u->set);
    u->set = NULL;
    return 0;
}

/* jwks(text) -> key set, how many keys, how many of them usable | nil, code, message, retryable */
static int l_jwks(lua_State *L)
{
    ag_view text = ag_lua_check_view(L, 1);
    lua_jwks *u = lua_newuserdata(L, sizeof *u);
    ag_err e;
    u->set = NULL;
    luaL_setmetatable(L, JWKS);
    u->set = ag_jwks_read(&ag_alloc_default, text, &e);
    if (u->set == NULL)
        return ag_lua_push_error(L, &e);
    lua_pushinteger(L, (lua_Integer)u->set->n);
    lua_pushinteger(L, (lua_Integer)u->set->usable);
    return 3;
}

void ag_lua_push_jwks(lua_State *L, ag_jwks *(*take)(ag_flow *f), ag_flow *f)
{
    lua_jwks *u = lua_newuserdata(L, sizeof *u);
    u->set = NULL;
    luaL_setmetatable(L, JWKS);
    u->set = take(f);
    lua_pushinteger(L, u->set == NULL ? 0 : (lua_Integer)u->set->n);
    lua_pushinteger(L, u->set == NULL ? 0 : (lua_Integer)u->set->usable);
    if (u->set == NULL) {
        lua_pushnil(L);
        lua_replace(L, -4);
    }
}

/* ---- policies: the face has checked the types ---- */

static const char *const list_names[] = { "audience", "typ", "client_ids", "scopes", "roles", "any_role", NULL };

static size_t count_views(lua_State *L)
{
    size_t n = 0, i;
    for (i = 0; list_names[i] != NULL; i++) {
        lua_getfield(L, 1, list_names[i]);
        if (lua_istable(L, -1))
            n += ag_lua_rawlen(L, -1);
        lua_pop(L, 1);
    }
    return n;
}

/* Field `name` of the table at 1 as views at *at, which moves on; the strings are put into the table at 2 to stay. */
static ag_views take_list(lua_State *L, const char *name, ag_view **at)
{
    ag_views list = { *at, 0 };
    size_t i, n;
    lua_getfield(L, 1, name);
    n = lua_istable(L, -1) ? ag_lua_rawlen(L, -1) : 0;
    for (i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, (int)i);
        *(*at)++ = ag_lua_check_view(L, -1);
        lua_rawseti(L, 2, (int)ag_lua_rawlen(L, 2) + 1);
    }
    list.n = n;
    lua_pop(L, 1);
    return list;
}

static double take_number(lua_State *L, const char *name, double otherwise)
{
    double d;
    lua_getfield(L, 1, name);
    d = lua_isnumber(L, -1) ? (double)lua_tonumber(L, -1) : otherwise;
    lua_pop(L, 1);
    return d;
}

static bool take_flag(lua_State *L, const char *name)
{
    bool on;
    lua_getfield(L, 1, name);
    on = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return on;
}

static unsigned take_algorithms(lua_State *L)
{
    unsigned algs = 0;
    size_t i, n;
    lua_getfield(L, 1, "algorithms");
    n = lua_istable(L, -1) ? ag_lua_rawlen(L, -1) : 0;
    for (i = 1; i <= n; i++) {
        ag_sig_alg alg;
        lua_rawgeti(L, -1, (int)i);
        alg = ag_sig_alg_of(ag_lua_check_view(L, -1));
        if (alg == AG_SIG_COUNT)
            luaL_argerror(L, 1, "an algorithm that is never accepted");
        algs |= 1U << alg;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return algs;
}

/* jwt_policy(table) -> policy. issuer: a string; audience, typ, client_ids, scopes, roles, any_role, algorithms: lists of
 * strings; only_verified, refuse_anonymous: booleans; skew, max_auth_age: seconds; max_bytes: of a token */
static int l_policy(lua_State *L)
{
    lua_policy *u;
    ag_view *at;
    size_t n;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newtable(L);
    n = count_views(L);
    if (n > MAX_LIST * 6)
        luaL_argerror(L, 1, "its lists are too long");
    u = lua_newuserdata(L, sizeof *u + n * sizeof u->views[0]);
    memset(u, 0, sizeof *u);
    luaL_setmetatable(L, POLICY);
    u->p.algs = take_algorithms(L);
    lua_getfield(L, 1, "issuer");
    u->p.issuer = ag_lua_check_view(L, -1);
    lua_setfield(L, 2, "issuer");
    at = u->views;
    u->p.audiences = take_list(L, "audience", &at);
    u->p.types = take_list(L, "typ", &at);
    u->p.clients = take_list(L, "client_ids", &at);
    u->p.scopes = take_list(L, "scopes", &at);
    u->p.roles = take_list(L, "roles", &at);
    u->p.any_role = take_list(L, "any_role", &at);
    u->p.only_verified = take_flag(L, "only_verified");
    u->p.refuse_anonymous = take_flag(L, "refuse_anonymous");
    u->p.skew = take_number(L, "skew", 0);
    u->p.max_auth_age = take_number(L, "max_auth_age", -1);
    u->p.max_bytes = (size_t)take_number(L, "max_bytes", (double)AG_JWT_MAX_TOKEN);
    lua_pushvalue(L, 2);
    ag_lua_anchor(L, 3);
    return 1;
}

const ag_jwt_policy *ag_lua_check_policy(lua_State *L, int i)
{
    return &((const lua_policy *)luaL_checkudata(L, i, POLICY))->p;
}

/* What was decoded of a token while Lua values are made of it, since making them can raise. */
typedef struct holder {
    ag_jws jws;
} holder;

#define HOLDER "authgear.core.jws"

static int l_holder_gc(lua_State *L)
{
    holder *h = luaL_checkudata(L, 1, HOLDER);
    ag_jws_free(&ag_alloc_default, &h->jws);
    return 0;
}

/* The upvalues of jwt_verify: its classes, found sooner than by their names, and a holder that is used again. */
enum { UP_JWKS = 1, UP_POLICY, UP_CACHE, UP_HOLDER };

static lua_jwks *check_jwks(lua_State *L, int i)
{
    lua_jwks *u = ag_lua_checkudata_at(L, i, UP_JWKS, JWKS);
    if (u->set == NULL)
        luaL_argerror(L, i, "the key set is closed");
    return u;
}

/* jwt_cache(n) -> a cache for about n tokens, of one key set and one policy | nil, code, message, retryable. What its
 * tokens say is kept in a list that it anchors. */
static int l_cache(lua_State *L)
{
    size_t n = (size_t)luaL_checknumber(L, 1);
    lua_cache *u = lua_newuserdata(L, sizeof *u);
    ag_err e;
    u->c = NULL;
    luaL_setmetatable(L, CACHE);
    lua_newtable(L);
    ag_lua_anchor(L, -2);
    u->c = ag_jwt_cache_new(&ag_alloc_default, n);
    if (u->c != NULL)
        return 1;
    (void)ag_fail(&e, AG_E_MEMORY, "no memory for a cache");
    return ag_lua_push_error(L, &e);
}

static int l_cache_gc(lua_State *L)
{
    lua_cache *u = luaL_checkudata(L, 1, CACHE);
    ag_jwt_cache_free(u->c);
    u->c = NULL;
    return 0;
}

static ag_jwt_cache *opt_cache(lua_State *L, int i)
{
    return lua_isnoneornil(L, i) ? NULL : ((lua_cache *)ag_lua_checkudata_at(L, i, UP_CACHE, CACHE))->c;
}

/* Pushes the claims of a token that is known, as long as time has not changed that. */
static bool push_known(lua_State *L, int at, ag_jwt_cache *cache, const ag_jwt_key *key, const ag_jwt_policy *policy, double now)
{
    const ag_jwt_claims *times;
    size_t number = ag_jwt_cache_find(cache, key, &times);
    ag_err e;
    if (number == 0)
        return false;
    ag_lua_push_anchored(L, at);
    if (!ag_jwt_check_times(times, policy, now, &e)) {
        (void)ag_jwt_cache_clear(cache, key);
        lua_pushnil(L);
        lua_rawseti(L, -2, (int)number);
        return false;
    }
    lua_rawgeti(L, -1, (int)number);
    ag_lua_copy_claims(L);
    return true;
}

/* The claims on the top are those of a token that may come again. Whatever raises here, no place has another's claims. */
static void remember(lua_State *L, int at, ag_jwt_cache *cache, const ag_jwt_key *key, const ag_jwt_claims *claims)
{
    size_t number;
    ag_lua_keep_claims(L);
    ag_lua_push_anchored(L, at);
    lua_insert(L, -2);
    number = ag_jwt_cache_clear(cache, key);
    lua_rawseti(L, -2, (int)number);
    ag_jwt_cache_put(cache, number, key, claims);
    lua_pop(L, 1);
}

/* A holder for the time of a call: the one that is kept, unless a call that this one interrupts (from a finalizer) is
 * using it, or one that raised has left it behind. */
static holder *take_holder(lua_State *L)
{
    holder *h = lua_touserdata(L, lua_upvalueindex(UP_HOLDER));
    if (h->jws.mem == NULL)
        return h;
    h = lua_newuserdata(L, sizeof *h);
    memset(h, 0, sizeof *h);
    luaL_setmetatable(L, HOLDER);
    return h;
}

/* jwt_verify(token, key set, policy, now [, cache]) -> claims | nil, code, message, retryable, reason. now: seconds
 * since 1970. The cache must be of this key set and this policy. */
static int l_verify(lua_State *L)
{
    const ag_alloc *a = &ag_alloc_default;
    ag_view token = ag_lua_check_view(L, 1);
    ag_jwks *set = check_jwks(L, 2)->set;
    const ag_jwt_policy *policy = &((lua_policy *)ag_lua_checkudata_at(L, 3, UP_POLICY, POLICY))->p;
    double now = (double)luaL_checknumber(L, 4);
    ag_jwt_cache *cache = opt_cache(L, 5);
    ag_jwt_claims claims;
    ag_jwt_key key;
    ag_err e;
    holder *h;
    lua_settop(L, 5);
    if (cache != NULL && (token.n > policy->max_bytes || !ag_jwt_cache_hash(cache, token, &key)))
        cache = NULL;
    if (cache != NULL && push_known(L, 5, cache, &key, policy, now))
        return 1;
    h = take_holder(L);
    if (!ag_jws_read(a, token, policy->max_bytes, &h->jws, &e)
            || !ag_jwt_verify(a, &h->jws, set, policy, now, &claims, &e)) {
        ag_jws_free(a, &h->jws);
        return ag_lua_push_refusal(L, &e);
    }
    ag_lua_push_claims(L, &claims);
    ag_jws_free(a, &h->jws);
    if (cache != NULL)
        remember(L, 5, cache, &key, &claims);
    return 1;
}

#ifdef AG_TEST
/* test_check_off(name or nil): takes one check of tokens out -> the names of all */
static int l_test_check_off(lua_State *L)
{
    const char *name = luaL_optstring(L, 1, "NONE");
    int i, off = -1;
    lua_newtable(L);
    for (i = 0; i < AG_CHECK_COUNT; i++) {
        if (strcmp(name, ag_jwt_check_name(i)) == 0)
            off = i;
        if (i == 0)
            continue;
        lua_pushstring(L, ag_jwt_check_name(i));
        lua_rawseti(L, -2, i);
    }
    if (off < 0)
        return luaL_argerror(L, 1, "no such check");
    ag_jwt_check_off = off;
    return 1;
}
#endif

static const luaL_Reg functions[] = {
    { "jwks", l_jwks },
    { "jwt_policy", l_policy },
    { "jwt_cache", l_cache },
#ifdef AG_TEST
    { "test_check_off", l_test_check_off },
#endif
    { NULL, NULL }
};

/* A userdata's metatable that Lua code cannot get at; gc may be NULL. */
static void make_class(lua_State *L, const char *name, lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    if (gc != NULL) {
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

static void push_verify(lua_State *L)
{
    holder *h;
    luaL_getmetatable(L, JWKS);
    luaL_getmetatable(L, POLICY);
    luaL_getmetatable(L, CACHE);
    h = lua_newuserdata(L, sizeof *h);
    memset(h, 0, sizeof *h);
    luaL_setmetatable(L, HOLDER);
    lua_pushcclosure(L, l_verify, UP_HOLDER);
}

void ag_lua_core_jwt(lua_State *L)
{
    make_class(L, JWKS, l_jwks_gc);
    make_class(L, POLICY, NULL);
    make_class(L, CACHE, l_cache_gc);
    make_class(L, HOLDER, l_holder_gc);
    luaL_setfuncs(L, functions, 0);
    push_verify(L);
    lua_setfield(L, -2, "jwt_verify");
}
