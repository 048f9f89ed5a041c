/* curl_request: a request as Lua gives it, and what went wrong with one. Must never hold
 * more than a borrowed string. */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "lua/compat.h"
#include "lua/curl_private.h"

const char *const ag_lua_curl_fields[AG_FIELD_COUNT] = {
    "method",   "url",   "headers", "body",   "timeout",       "connect_timeout",
    "max_body", "fresh", "secret",  "source", "source_length", "sink"
};

static int bad_field(lua_State *L, int arg, int field, const char *expected)
{
    return luaL_argerror(L, arg, lua_pushfstring(L, "field '%s' must be %s", ag_lua_curl_fields[field], expected));
}

static ag_view string_field(lua_State *L, int base, int field, bool required)
{
    ag_view v = { NULL, 0 };
    int i = base + field, type = lua_type(L, i);
    if (type == LUA_TSTRING)
        v.p = lua_tolstring(L, i, &v.n);
    else if (required || type > LUA_TNIL)
        (void)bad_field(L, base, field, "a string");
    return v;
}

static double number_field(lua_State *L, int base, int field, double missing)
{
    double v;
    int i = base + field, type = lua_type(L, i);
    if (type <= LUA_TNIL)
        return missing;
    if (type != LUA_TNUMBER)
        (void)bad_field(L, base, field, "a number");
    v = lua_tonumber(L, i);
    if (!(v >= 0))
        (void)bad_field(L, base, field, "a number, not negative");
    return v;
}

static int64_t size_field(lua_State *L, int base, int field)
{
    double v = number_field(L, base, field, -1);
    return v > 9007199254740992.0 ? INT64_MAX : (int64_t)v;
}

/* From the stack, where the strings stay. What is above the top was not said. */
void ag_lua_curl_read(lua_State *L, int base, ag_transfer_request *r)
{
    r->method = string_field(L, base, AG_FIELD_METHOD, true);
    r->url = string_field(L, base, AG_FIELD_URL, true);
    r->headers = string_field(L, base, AG_FIELD_HEADERS, false);
    r->body = string_field(L, base, AG_FIELD_BODY, false);
    r->timeout = number_field(L, base, AG_FIELD_TIMEOUT, 0);
    r->connect_timeout = number_field(L, base, AG_FIELD_CONNECT_TIMEOUT, 0);
    r->max_body = size_field(L, base, AG_FIELD_MAX_BODY);
    r->once = lua_type(L, base + AG_FIELD_FRESH) == LUA_TSTRING;
    r->fresh = !r->once && lua_toboolean(L, base + AG_FIELD_FRESH);
    r->secret = lua_toboolean(L, base + AG_FIELD_SECRET);
    r->has_source = lua_toboolean(L, base + AG_FIELD_SOURCE);
    r->source_length = r->has_source ? size_field(L, base, AG_FIELD_SOURCE_LENGTH) : -1;
    r->stream = lua_toboolean(L, base + AG_FIELD_SINK);
    if (r->has_source && r->body.p != NULL)
        (void)luaL_argerror(L, base, "a request has a body or a source, not both");
}

/* --- options ---------------------------------------------------------- */

/* NULL: not said. The value stays on the stack, which keeps it alive. */
static const char *option(lua_State *L, int table, const char *name)
{
    size_t n;
    const char *p;
    lua_getfield(L, table, name);
    if (lua_isnil(L, -1))
        return NULL;
    p = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &n) : NULL;
    if (p == NULL || strlen(p) != n)
        (void)luaL_argerror(L, table, lua_pushfstring(L, "option '%s' must be a string without zero bytes", name));
    return p;
}

long ag_lua_curl_count(lua_State *L, int table, const char *name, long most)
{
    double v;
    lua_getfield(L, table, name);
    if (lua_isnil(L, -1))
        return 0;
    v = lua_tonumber(L, -1);
    if (!(v >= 1 && v <= (double)most))
        (void)luaL_argerror(L, table, lua_pushfstring(L, "option '%s' must be a number from 1 to %d", name, (int)most));
    return (long)v;
}

ag_settings *ag_lua_curl_new_settings(lua_State *L, int table, ag_err *e)
{
    ag_settings_options o = { 0 };
    o.proxy = option(L, table, "proxy");
    o.no_proxy = option(L, table, "no_proxy");
    o.ca_file = option(L, table, "ca_file");
    return ag_settings_new(&ag_alloc_default, &o, e);
}
