/* core_machine: the client of a machine, whose tokens come from its own credentials. Must never show a token. */
#include "core/b64.h"
#include "core/buf.h"
#include "core/crypto.h"
#include "lua/core_private.h"

#define NAME_LEN AG_B64URL_LEN(32)

/* A name for its record beside those of other servers, clients, resources and scopes. */
static bool name_of(const ag_client *c, char out[NAME_LEN])
{
    unsigned char hash[32];
    ag_buf b;
    bool ok;
    ag_buf_init(&b, &c->env.alloc, AG_BUF_NO_LIMIT);
    ag_buf_view(&b, ag_str_view(&c->endpoint));
    ag_buf_char(&b, '\n');
    ag_buf_view(&b, ag_str_view(&c->client_id));
    ag_buf_char(&b, '\n');
    ag_buf_view(&b, ag_str_view(&c->purpose));
    ok = !b.bad && ag_sha256(hash, b.p, b.n);
    ag_buf_free(&b);
    if (ok)
        ag_b64url_encode(out, hash, sizeof hash);
    return ok;
}

/* machine(client, resource or nil, scope or nil) -> client, a name for its record | nil, code, message, retryable */
static int l_machine(lua_State *L)
{
    const ag_client *from = ag_lua_check_client(L, 1);
    ag_view resource = ag_lua_opt_view(L, 2), scope = ag_lua_opt_view(L, 3);
    ag_lua_client *u = ag_lua_new_client(L);
    char name[NAME_LEN];
    ag_err e;
    u->c = ag_client_new_machine(from, resource, scope);
    if (u->c == NULL || !name_of(u->c, name)) {
        (void)ag_fail(&e, AG_E_MEMORY, "no memory for a machine's client");
        return ag_lua_push_error(L, &e);
    }
    lua_pushlstring(L, name, sizeof name);
    return 2;
}

/* expires_at(client) -> when the access token ends, in seconds since 1970, as the server said; nil without one */
static int l_expires_at(lua_State *L)
{
    const ag_client *c = ag_lua_check_client(L, 1);
    const ag_record *r = &c->session.record;
    if (r->access_token.p == NULL)
        return 0;
    lua_pushnumber(L, (lua_Number)(r->received_wall_ms + r->expires_in_ms) / 1000);
    return 1;
}

static const luaL_Reg functions[] = {
    { "machine", l_machine },
    { "expires_at", l_expires_at },
    { NULL, NULL }
};

void ag_lua_core_machine(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
}
