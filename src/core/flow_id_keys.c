/* flow_id_keys: the keys that ID tokens are signed with, for clients that want signatures checked (`verify_id_token`).
 * Must never fetch more than once for one token, nor let one pass because no key was there. */
#include "core/flow_id_keys.h"

#include "core/flow_jwks.h"
#include "core/jwt.h"

typedef struct id_keys_flow {
    ag_flow base;
    ag_str token;
    ag_flow *fetch;         /* the child, while it is one */
} id_keys_flow;

static void on_keys(ag_flow *f, const ag_input *in)
{
    id_keys_flow *k = (id_keys_flow *)f;
    ag_client *c = f->client;
    if (!in->ok) {
        ag_flow_fail_with(f, in->err);
        return;
    }
    ag_jwks_free(c->id_keys);
    c->id_keys = ag_jwks_flow_take(k->fetch);
    ag_flow_done(f);
}

/* Is the key there that the token names? One that cannot be read needs none: it is refused later. */
static bool is_known(const ag_client *c, ag_view token)
{
    ag_jws jws;
    ag_jwk *key;
    ag_err ignored;
    bool known;
    if (c->id_keys == NULL)
        return false;
    if (token.p == NULL || !ag_jws_read(&c->env.alloc, token, AG_JWT_MAX_TOKEN, &jws, &ignored))
        return true;
    known = ag_sig_alg_of(jws.alg) == AG_SIG_COUNT
        || ag_jwks_find(c->id_keys, jws.kid, ag_sig_alg_of(jws.alg), &key) != AG_JWKS_UNKNOWN;
    ag_jws_free(&c->env.alloc, &jws);
    return known;
}

static void start_id_keys(ag_flow *f)
{
    id_keys_flow *k = (id_keys_flow *)f;
    if (!f->client->verify_id_token || is_known(f->client, ag_str_view(&k->token))) {
        ag_flow_done(f);
        return;
    }
    k->fetch = ag_jwks_flow(f->client);
    ag_flow_call(f, k->fetch, on_keys);
}

static void free_id_keys(ag_flow *f)
{
    ag_str_free(&f->client->env.alloc, &((id_keys_flow *)f)->token);
}

ag_flow *ag_id_keys_flow(ag_client *c, ag_view id_token)
{
    static const ag_flow_type type = { sizeof(id_keys_flow), start_id_keys, free_id_keys };
    id_keys_flow *k = (id_keys_flow *)ag_flow_new(c, &type);
    if (k == NULL)
        return NULL;
    if (!ag_str_set_view(&c->env.alloc, &k->token, id_token)) {
        ag_flow_free(&k->base);
        return NULL;
    }
    return &k->base;
}

bool ag_id_token_signed(const ag_client *c, ag_view id_token, ag_err *e)
{
    ag_jws jws;
    bool ok;
    if (!c->verify_id_token)
        return true;
    if (c->id_keys == NULL)
        return ag_fail(e, AG_E_ID_TOKEN, "the ID token's signature cannot be checked: there are no keys");
    if (!ag_jws_read(&c->env.alloc, id_token, AG_JWT_MAX_TOKEN, &jws, e)) {
        ok = false;
    } else {
        ok = ag_jws_verify(&jws, c->id_keys, ~0U, e);
        ag_jws_free(&c->env.alloc, &jws);
    }
    if (!ok && e->code != AG_E_MEMORY)
        (void)ag_fail(e, AG_E_ID_TOKEN, "the ID token is not signed by the server");
    return ok;
}
