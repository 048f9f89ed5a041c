/* core_anonymous: the flow that logs a user in without an account. Must never show the device key to Lua. */
#include "core/flow_anonymous.h"
#include "lua/core_private.h"

/* anonymous_flow(client, with a device key) */
static int l_anonymous_flow(lua_State *L)
{
    ag_client *c = ag_lua_check_client(L, 1);
    bool with_key = lua_toboolean(L, 2);
    ag_lua_flow *u = ag_lua_new_flow(L);
    return ag_lua_own_flow(L, u, ag_anonymous_flow(c, with_key));
}

/* anonymous_claims(flow) -> claims or nil, partial */
static int l_anonymous_claims(lua_State *L)
{
    bool partial;
    const ag_json *claims = ag_anonymous_claims(ag_lua_check_flow(L, 1), &partial);
    if (claims != NULL)
        ag_lua_push_json(L, claims);
    else
        lua_pushnil(L);
    lua_pushboolean(L, partial);
    return 2;
}

static const luaL_Reg functions[] = {
    { "anonymous_flow", l_anonymous_flow },
    { "anonymous_claims", l_anonymous_claims },
    { NULL, NULL }
};

void ag_lua_core_anonymous(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
}
