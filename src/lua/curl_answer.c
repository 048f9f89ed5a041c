/* curl_answer: what transfers and jobs say to Lua: events, answers, failures. Must never
 * know which of the two it speaks for. */
#include "lua/curl_private.h"

#include <lauxlib.h>

int ag_lua_curl_failure(lua_State *L, const ag_err *e, bool sent)
{
    lua_pushnil(L);
    lua_pushstring(L, ag_err_name(e->code));
    lua_pushstring(L, e->message);
    lua_pushboolean(L, e->retryable);
    lua_pushboolean(L, sent);
    return 5;
}

int ag_lua_curl_closed(lua_State *L)
{
    ag_err e;
    (void)ag_fail(&e, AG_E_CLOSED, "the transfer is closed");
    return ag_lua_curl_failure(L, &e, true);
}

int ag_lua_curl_error_event(lua_State *L, int n)
{
    lua_pushliteral(L, "error");
    lua_replace(L, -n - 1); /* for the nil */
    return n;
}

static void push_view(lua_State *L, ag_view v)
{
    lua_pushlstring(L, v.n > 0 ? v.p : "", v.n);
}

int ag_lua_curl_event(lua_State *L, ag_step step, int status, ag_view v)
{
    switch (step) {
    case AG_STEP_HEADERS:
        lua_pushliteral(L, "headers");
        lua_pushinteger(L, status);
        push_view(L, v);
        return 3;
    case AG_STEP_CHUNK:
        lua_pushliteral(L, "chunk");
        push_view(L, v);
        return 2;
    case AG_STEP_NEED:
        lua_pushliteral(L, "need");
        return 1;
    case AG_STEP_DONE:
        lua_pushliteral(L, "done");
        return 1;
    case AG_STEP_WAIT:
    case AG_STEP_ERROR:
        break;
    }
    lua_pushliteral(L, "wait");
    return 1;
}

int ag_lua_curl_answer(lua_State *L, int status, ag_view headers, const ag_view *body, const char *version)
{
    lua_pushinteger(L, status);
    push_view(L, headers);
    if (body != NULL)
        push_view(L, *body);
    else
        lua_pushnil(L);
    lua_pushstring(L, version); /* NULL pushes nil */
    return 4;
}

int ag_lua_curl_answer_table(lua_State *L)
{
    static const char *const fields[] = { "http_version", "body", "headers", "status" };
    int i, table = lua_gettop(L) - 3;
    lua_createtable(L, 0, 4);
    lua_insert(L, table);
    for (i = 0; i < 4; i++)
        lua_setfield(L, table, fields[i]);
    return 1;
}

ag_accept ag_lua_curl_accept(lua_State *L, int i)
{
    static const char *const names[] = { "stream", "collect", "drop", NULL };
    static const ag_accept how[] = { AG_ACCEPT_STREAM, AG_ACCEPT_COLLECT, AG_ACCEPT_DROP };
    return how[luaL_checkoption(L, i, NULL, names)];
}

ag_view ag_lua_curl_piece(lua_State *L, int i)
{
    ag_view v = { NULL, 0 };
    if (!lua_isnoneornil(L, i)) {
        luaL_checktype(L, i, LUA_TSTRING);
        v.p = lua_tolstring(L, i, &v.n);
    }
    return v;
}
