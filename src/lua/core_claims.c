/* core_claims: claims as tables for Lua: made of what C has read, and made again of values that were kept. Field names
 * stand in a list, since looking up a string by its text costs as much as all else here. Each caller gets tables of its
 * own. Must never keep a token. */
#include <math.h>
#include <string.h>

#include "lua/core_private.h"

#define CLAIMS "authgear.claims"
#define NAMES "authgear.claims.names"   /* in the registry: the fields' names, and at 0 the metatable */

enum field {
    USER_ID = 1, ISSUER, CLIENT_ID, SCOPE, TOKEN_ID, PAYLOAD, AUDIENCE, ROLES, AMR, EXPIRES_AT, ISSUED_AT,
    AUTHENTICATED_AT, IS_ANONYMOUS, IS_VERIFIED, CAN_REAUTHENTICATE, FIELD_END
};

static const char *const field_names[FIELD_END - 1] = {
    "user_id", "issuer", "client_id", "scope", "token_id", "payload", "audience", "roles", "amr", "expires_at", "issued_at",
    "authenticated_at", "is_anonymous", "is_verified", "can_reauthenticate"
};

/* Pushes the names and an empty table for claims; gives where the names are. */
static int begin(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, NAMES);
    lua_createtable(L, 0, FIELD_END);   /* room for `raw` as well */
    return lua_gettop(L) - 1;
}

/* Pops a value: the field of the claims behind the names. */
static void set(lua_State *L, int names, int field)
{
    lua_rawgeti(L, names, field);
    lua_insert(L, -2);
    lua_rawset(L, names + 1);
}

/* Leaves the claims where the names were. */
static void end(lua_State *L, int names)
{
    lua_rawgeti(L, names, 0);
    (void)lua_setmetatable(L, names + 1);
    lua_remove(L, names);
}

/* ---- of what C has read ---- */

static void set_text(lua_State *L, int names, int field, ag_view v)
{
    if (v.p == NULL)
        return;
    lua_pushlstring(L, v.p, v.n);
    set(L, names, field);
}

static void set_texts(lua_State *L, int names, int field, const ag_texts *list)
{
    const char *p = list->p;
    size_t i;
    lua_createtable(L, (int)list->n, 0);
    for (i = 1; i <= list->n; i++) {
        size_t n = strlen(p);
        lua_pushlstring(L, p, n);
        lua_rawseti(L, -2, (int)i);
        p += n + 1;
    }
    set(L, names, field);
}

static void set_time(lua_State *L, int names, int field, double s)
{
    if (s < 0)
        return;
#if LUA_VERSION_NUM >= 503
    if (floor(s) == s)
        lua_pushinteger(L, (lua_Integer)s);
    else
#endif
        lua_pushnumber(L, (lua_Number)s);
    set(L, names, field);
}

static void set_flag(lua_State *L, int names, int field, ag_flag flag)
{
    if (flag == AG_FLAG_ABSENT)
        return;
    lua_pushboolean(L, flag == AG_FLAG_TRUE);
    set(L, names, field);
}

void ag_lua_push_claims(lua_State *L, const ag_jwt_claims *c)
{
    int names = begin(L);
    set_text(L, names, USER_ID, c->sub);
    set_text(L, names, ISSUER, c->iss);
    set_text(L, names, CLIENT_ID, c->client_id);
    set_text(L, names, SCOPE, c->scope);
    set_text(L, names, TOKEN_ID, c->jti);
    set_text(L, names, PAYLOAD, c->payload);
    set_texts(L, names, AUDIENCE, &c->aud);
    set_texts(L, names, ROLES, &c->roles);
    set_texts(L, names, AMR, &c->amr);
    set_time(L, names, EXPIRES_AT, c->exp);
    set_time(L, names, ISSUED_AT, c->iat);
    set_time(L, names, AUTHENTICATED_AT, c->auth_time);
    set_flag(L, names, IS_ANONYMOUS, c->is_anonymous);
    set_flag(L, names, IS_VERIFIED, c->is_verified);
    set_flag(L, names, CAN_REAUTHENTICATE, c->can_reauthenticate);
    end(L, names);
}

/* ---- of what was kept ---- */

static bool is_list(int field)
{
    return field == AUDIENCE || field == ROLES || field == AMR;
}

/* Puts a copy in the place of the list on the top. */
static void own(lua_State *L)
{
    int i, list = lua_gettop(L), n = (int)ag_lua_rawlen(L, list);
    lua_createtable(L, n, 0);
    for (i = 1; i <= n; i++) {
        lua_rawgeti(L, list, i);
        lua_rawseti(L, list + 1, i);
    }
    lua_replace(L, list);
}

void ag_lua_keep_claims(lua_State *L)
{
    int i, claims = lua_gettop(L);
    lua_getfield(L, LUA_REGISTRYINDEX, NAMES);
    lua_createtable(L, FIELD_END - 1, 0);
    for (i = 1; i < FIELD_END; i++) {
        lua_rawgeti(L, claims + 1, i);
        lua_rawget(L, claims);
        if (is_list(i))
            own(L);
        lua_rawseti(L, claims + 2, i);
    }
    lua_remove(L, claims + 1);
}

void ag_lua_copy_claims(lua_State *L)
{
    int i, kept = lua_gettop(L), names = begin(L);
    for (i = 1; i < FIELD_END; i++) {
        lua_rawgeti(L, names, i);
        lua_rawgeti(L, kept, i);
        if (is_list(i))
            own(L);
        if (lua_isnil(L, -1))
            lua_pop(L, 2);
        else
            lua_rawset(L, names + 1);
    }
    end(L, names);
    lua_remove(L, kept);
}

void ag_lua_core_claims(lua_State *L)
{
    int i;
    luaL_newmetatable(L, CLAIMS);       /* the face gives it an __index */
    lua_createtable(L, FIELD_END - 1, 1);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, 0);
    for (i = 1; i < FIELD_END; i++) {
        lua_pushstring(L, field_names[i - 1]);
        lua_rawseti(L, -2, i);
    }
    lua_setfield(L, LUA_REGISTRYINDEX, NAMES);
    lua_setfield(L, -2, "claims_metatable");
}
