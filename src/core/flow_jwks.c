/* flow_jwks: fetches the issuer's keys from the jwks_uri that its metadata name. Whether and when to is the caller's
 * to decide. Must never take a set that has no usable key: the old one is better. */
#include "core/flow_jwks.h"

typedef struct jwks_flow {
    ag_flow base;
    ag_jwks *set;           /* owned */
    ag_str text;            /* what it was read from */
} jwks_flow;

static void on_answer(ag_flow *f, const ag_input *in)
{
    jwks_flow *j = (jwks_flow *)f;
    const ag_client *c = f->client;
    if (!in->ok) {
        ag_flow_fail_with(f, in->err);
        return;
    }
    if (in->answer.status != 200) {
        (void)ag_answer_fail(&in->answer, NULL, c->env.wall_ms, &f->err);
        ag_flow_fail(f);
        return;
    }
    j->set = ag_jwks_read(&c->env.alloc, in->answer.body, &f->err);
    if (j->set != NULL && ag_str_set_view(&c->env.alloc, &j->text, in->answer.body)) {
        ag_flow_done(f);
        return;
    }
    if (j->set != NULL)
        (void)ag_fail(&f->err, AG_E_MEMORY, "no memory for the key set");
    f->err.status = in->answer.status;
    ag_flow_fail(f);
}

static void on_metadata(ag_flow *f, const ag_input *in)
{
    const ag_client *c = f->client;
    const ag_alloc *a = &c->env.alloc;
    if (!in->ok) {
        ag_flow_fail_with(f, in->err);
        return;
    }
    if (c->metadata.jwks_uri.p == NULL) {
        (void)ag_fail(&f->err, AG_E_DISCOVERY, "the server announces no jwks_uri");
        ag_flow_fail(f);
        return;
    }
    ag_request_reset(a, &f->request, "GET");
    f->request.max_body = AG_JWKS_MAX_BYTES;
    if (ag_str_set_view(a, &f->request.url, ag_str_view(&c->metadata.jwks_uri))
            && ag_request_header(a, &f->request, "Accept", AG_LIT("application/json"))) {
        ag_flow_want(f, AG_FX_SEND, on_answer);
        return;
    }
    (void)ag_fail(&f->err, AG_E_MEMORY, "no memory for the key set's request");
    ag_flow_fail(f);
}

static void start_jwks(ag_flow *f)
{
    ag_flow_call(f, ag_discovery_flow(f->client), on_metadata);
}

static void free_jwks(ag_flow *f)
{
    ag_jwks_free(((jwks_flow *)f)->set);
    ag_str_free(&f->client->env.alloc, &((jwks_flow *)f)->text);
}

ag_flow *ag_jwks_flow(ag_client *c)
{
    static const ag_flow_type type = { sizeof(jwks_flow), start_jwks, free_jwks };
    return ag_flow_new(c, &type);
}

ag_jwks *ag_jwks_flow_take(ag_flow *f)
{
    jwks_flow *j = (jwks_flow *)f;
    ag_jwks *set = j->set;
    j->set = NULL;
    return set;
}

ag_view ag_jwks_flow_text(const ag_flow *f)
{
    return ag_str_view(&((const jwks_flow *)f)->text);
}
