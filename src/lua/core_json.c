/* core_json: JSON text to Lua values and back. A tree is owned by a userdata while values
 * are made from it, since making them can raise. Must never recurse past the scanner's depth. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_scan.h"
#include "core/utf8.h"
#include "lua/core_private.h"

typedef struct holder {
    ag_json *root;      /* owned; NULL: none */
    cJSON *made;        /* owned: a tree being built for writing */
    char *printed;      /* owned */
} holder;

static int l_gc(lua_State *L)
{
    holder *h = luaL_checkudata(L, 1, AG_LUA_JSON);
    ag_json_free(h->root);
    cJSON_Delete(h->made);
    if (h->printed != NULL)
        cJSON_free(h->printed);
    memset(h, 0, sizeof *h);
    return 0;
}

static holder *new_holder(lua_State *L)
{
    holder *h = lua_newuserdata(L, sizeof *h);
    memset(h, 0, sizeof *h);
    luaL_setmetatable(L, AG_LUA_JSON);
    return h;
}

/* ---- reading ---- */

static void push_number(lua_State *L, double d)
{
#if LUA_VERSION_NUM >= 503
    if (d >= -9007199254740992.0 && d <= 9007199254740992.0 && floor(d) == d) {
        lua_pushinteger(L, (lua_Integer)d);
        return;
    }
#endif
    lua_pushnumber(L, (lua_Number)d);
}

static void push_value(lua_State *L, const cJSON *v);

static void push_table(lua_State *L, const cJSON *v)
{
    const cJSON *item;
    int i = 0;
    lua_newtable(L);
    for (item = v->child; item != NULL; item = item->next) {
        push_value(L, item);
        if (cJSON_IsArray(v)) {
            lua_rawseti(L, -2, ++i);
        } else {
            lua_pushstring(L, item->string);
            lua_insert(L, -2);
            lua_rawset(L, -3);
        }
    }
    if (cJSON_IsArray(v)) {
        luaL_getmetatable(L, AG_LUA_ARRAY);
        lua_setmetatable(L, -2);
    }
}

static void push_value(lua_State *L, const cJSON *v)
{
    luaL_checkstack(L, 4, "JSON is too deep");
    if (cJSON_IsString(v))
        lua_pushstring(L, v->valuestring);
    else if (cJSON_IsNumber(v))
        push_number(L, v->valuedouble);
    else if (cJSON_IsBool(v))
        lua_pushboolean(L, cJSON_IsTrue(v));
    else if (cJSON_IsArray(v) || cJSON_IsObject(v))
        push_table(L, v);
    else
        lua_pushlightuserdata(L, NULL);
}

void ag_lua_push_json(lua_State *L, const ag_json *v)
{
    if (v == NULL)
        lua_pushnil(L);
    else
        push_value(L, ag_json_raw(v));
}

/* json_decode(text) -> value | nil, code, message, retryable */
static int l_decode(lua_State *L)
{
    ag_view text = ag_lua_check_view(L, 1);
    holder *h = new_holder(L);
    ag_err e;
    h->root = ag_json_parse(text.p, text.n, &e);
    if (h->root == NULL)
        return ag_lua_push_error(L, &e);
    ag_lua_push_json(L, h->root);
    ag_json_free(h->root);
    h->root = NULL;
    return 1;
}

/* ---- writing ---- */

#define ARRAY_MARK 2    /* where the stack holds the metatable that marks arrays, so that asking for it cannot raise */

typedef struct writer {
    lua_State *L;
    const char *why;    /* what is wrong; NULL: nothing yet */
} writer;

static cJSON *make(writer *w, int i, int depth);

static cJSON *refuse(writer *w, const char *why)
{
    if (w->why == NULL)
        w->why = why;
    return NULL;
}

/* The whole text as a JSON string by our own writer: it knows lengths and checks UTF-8. */
static cJSON *make_string(writer *w, int i)
{
    ag_buf b;
    ag_str text = { NULL, 0 };
    cJSON *v = NULL;
    if (!ag_utf8_valid(ag_lua_check_view(w->L, i)))
        return refuse(w, "a string is not valid UTF-8");
    ag_buf_init(&b, &ag_alloc_default, AG_BUF_NO_LIMIT);
    ag_json_write_string(&b, ag_lua_check_view(w->L, i));
    if (ag_buf_take(&b, &text))
        v = cJSON_CreateRaw(text.p);
    ag_str_free(&ag_alloc_default, &text);
    ag_buf_free(&b);
    return v;       /* NULL: out of memory */
}

/* Equal, and not by a tolerance. */
static bool same_number(double a, double b)
{
    return !(a < b) && !(a > b);
}

/* The shortest text that reads back as d (cJSON's own is off by some in the sixteenth digit), with a point whatever
 * the locale. */
static void write_double(char *out, size_t size, double d)
{
    int digits = 15;
    size_t from, to = 0;
    if (d == floor(d) && fabs(d) <= 9007199254740992.0) {
        (void)snprintf(out, size, "%.0f", d);
        return;
    }
    do
        (void)snprintf(out, size, "%.*g", digits, d);
    while (digits++ < 17 && !same_number(strtod(out, NULL), d));
    for (from = 0; out[from] != '\0'; from++) {
        if (strchr("0123456789+-e", out[from]) != NULL)
            out[to++] = out[from];
        else if (to > 0 && out[to - 1] != '.')
            out[to++] = '.';
    }
    out[to] = '\0';
}

static cJSON *make_number(writer *w, int i)
{
    lua_Number d = lua_tonumber(w->L, i);
    char text[40];
#if LUA_VERSION_NUM >= 503
    if (lua_isinteger(w->L, i)) {
        (void)lua_integer2str(text, sizeof text, lua_tointeger(w->L, i));
        return cJSON_CreateRaw(text);
    }
#endif
    if (d != d || d - d != 0)
        return refuse(w, "NaN and infinities are not JSON");
    write_double(text, sizeof text, (double)d);
    return cJSON_CreateRaw(text);
}

static bool is_array(lua_State *L, int i)
{
    bool marked = false;
    if (ag_lua_rawlen(L, i) > 0)
        return true;
    if (lua_getmetatable(L, i)) {
        marked = lua_rawequal(L, -1, ARRAY_MARK);
        lua_pop(L, 1);
    }
    return marked;
}

/* Has the table at i other keys than 1 to n? */
static bool has_other_keys(lua_State *L, int i, size_t n)
{
    size_t count = 0;
    lua_pushnil(L);
    while (lua_next(L, i) != 0) {
        count++;
        lua_pop(L, 1);
    }
    return count != n;
}

static cJSON *make_array(writer *w, int i, int depth)
{
    cJSON *v;
    size_t n = ag_lua_rawlen(w->L, i), k;
    if (has_other_keys(w->L, i, n))
        return refuse(w, "a list has a gap, or other keys as well");
    v = cJSON_CreateArray();
    for (k = 1; v != NULL && k <= n; k++) {
        cJSON *item;
        lua_rawgeti(w->L, i, (int)k);
        item = make(w, lua_gettop(w->L), depth);
        lua_pop(w->L, 1);
        if (item == NULL || !cJSON_AddItemToArray(v, item)) {
            cJSON_Delete(item);
            cJSON_Delete(v);
            return NULL;
        }
    }
    return v;
}

static bool plain_key(const char *p, size_t n)
{
    return memchr(p, '\0', n) == NULL && ag_utf8_valid((ag_view){ p, n });
}

static cJSON *make_object(writer *w, int i, int depth)
{
    lua_State *L = w->L;
    cJSON *v = cJSON_CreateObject();
    lua_pushnil(L);
    while (v != NULL && lua_next(L, i) != 0) {
        size_t n;
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &n) : NULL;
        cJSON *item = NULL;
        if (key == NULL || !plain_key(key, n))
            (void)refuse(w, "a table has a key that is no text");
        else
            item = make(w, lua_gettop(L), depth);
        if (item == NULL || !cJSON_AddItemToObject(v, key, item)) {
            cJSON_Delete(item);
            cJSON_Delete(v);
            lua_pop(L, 2);
            return NULL;
        }
        lua_pop(L, 1);
    }
    return v;
}

/* Makes the tree of the value at the absolute index i. Raises nothing: stack space is taken beforehand. */
static cJSON *make(writer *w, int i, int depth)
{
    lua_State *L = w->L;
    switch (lua_type(L, i)) {
    case LUA_TSTRING:
        return make_string(w, i);
    case LUA_TNUMBER:
        return make_number(w, i);
    case LUA_TBOOLEAN:
        return cJSON_CreateBool(lua_toboolean(L, i));
    case LUA_TLIGHTUSERDATA:
        return lua_touserdata(L, i) == NULL ? cJSON_CreateNull() : refuse(w, "a value cannot be written as JSON");
    case LUA_TTABLE:
        if (depth == AG_JSON_MAX_DEPTH)
            return refuse(w, "tables are too deep, or hold themselves");
        return is_array(L, i) ? make_array(w, i, depth + 1) : make_object(w, i, depth + 1);
    default:
        return refuse(w, "a value cannot be written as JSON");
    }
}

/* json_encode(value) -> text | nil, code, message, retryable */
static int l_encode(lua_State *L)
{
    writer w = { L, NULL };
    holder *h;
    ag_err e;
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    luaL_checkstack(L, AG_JSON_MAX_DEPTH * 4 + 8, "no room to write JSON");
    luaL_getmetatable(L, AG_LUA_ARRAY);
    h = new_holder(L);
    h->made = make(&w, 1, 0);
    if (h->made != NULL)
        h->printed = cJSON_PrintUnformatted(h->made);
    if (h->printed == NULL) {
        (void)ag_fail(&e, w.why != NULL ? AG_E_JSON : AG_E_MEMORY, "%s", w.why != NULL ? w.why : "no memory for JSON");
        return ag_lua_push_error(L, &e);
    }
    lua_pushstring(L, h->printed);
    return 1;
}

/* array(table) -> the same table, marked so that it is written as an array even when it is empty */
static int l_array(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_getmetatable(L, AG_LUA_ARRAY);
    lua_setmetatable(L, 1);
    return 1;
}

static const luaL_Reg functions[] = {
    { "json_decode", l_decode },
    { "json_encode", l_encode },
    { "array", l_array },
    { NULL, NULL }
};

void ag_lua_core_json(lua_State *L)
{
    luaL_newmetatable(L, AG_LUA_JSON);
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_newmetatable(L, AG_LUA_ARRAY);
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
}
