/* flow_pre_authenticated: a URL that opens another application of the same project, logged in as here. It costs the device
 * secret, of which the exchange brings the next: so it happens under the lock, and the next one is stored before the URL is
 * given out. Must never lose that secret to a full disk: what could not be stored is kept, and the next refresh stores it. */
#include "core/flow_pre_authenticated.h"

#include <string.h>

#include "core/flow_id_keys.h"
#include "core/id_token.h"
#include "core/renew.h"
#include "core/token.h"
#include "core/withhold.h"

#define AG_STORE_TRIES 3
#define AG_STORE_PAUSE_S 0.05
#define AG_MEMORY_TRIES 5       /* reading an answer that holds the only good device secret */
#define AG_MEMORY_PAUSE_S 0.05

typedef struct pre_flow {
    ag_flow base;
    ag_str client_id, redirect_uri, state;      /* of the other application */
    ag_str sub;
    ag_token_answer tokens;
    unsigned store_tries, memory_tries;
    ag_str url;
} pre_flow;

static void give_up(ag_flow *f, const ag_err *e)
{
    const pre_flow *p = (const pre_flow *)f;
    ag_err why = *e;
    ag_err_withhold(&why, (const ag_view[]){ ag_str_view(&p->tokens.device_secret), { NULL, 0 } });
    ag_flow_give_up(f, &why);
}

static bool make_url(pre_flow *p)
{
    ag_flow *f = &p->base;
    const ag_client *c = f->client;
    ag_authz_options o;
    memset(&o, 0, sizeof o);
    o.kind = AG_AUTHZ_PRE_AUTHENTICATED;
    o.redirect_uri = ag_str_view(&p->redirect_uri);
    o.max_age_s = AG_ANY_AGE;
    o.params[AG_PARAM_STATE] = ag_str_view(&p->state);
    o.params[AG_PARAM_PROMPT] = AG_LIT("none");
    o.params[AG_PARAM_RESPONSE_MODE] = AG_LIT("cookie");
    o.params[AG_PARAM_PRE_TOKEN] = ag_str_view(&p->tokens.access_token);
    o.params[AG_PARAM_ID_TOKEN_HINT] = ag_str_view(&p->tokens.id_token);
    return ag_authz_url(&c->env.alloc, &c->metadata, ag_str_view(&p->client_id), (ag_view){ NULL, 0 }, &o, NULL, &p->url, &f->err);
}

static void store(ag_flow *f, const ag_input *in);

static void on_stored(ag_flow *f, const ag_input *in)
{
    pre_flow *p = (pre_flow *)f;
    ag_client *c = f->client;
    if (in->ok) {
        ag_str_free(&c->env.alloc, &c->session.unsaved_base);
        ag_session_adopt(&c->env.alloc, &c->session, &c->session.unsaved, AG_REASON_FOUND_TOKEN);
        if (make_url(p))
            ag_flow_end_well(f);
        else
            give_up(f, &f->err);
    } else if (++p->store_tries < AG_STORE_TRIES) {
        ag_flow_sleep(f, AG_STORE_PAUSE_S, store);
    } else {
        give_up(f, in->err);
    }
}

static void store(ag_flow *f, const ag_input *in)
{
    ag_input failed;
    (void)in;
    if (ag_flow_want_stored(f, &f->client->session.unsaved, on_stored))
        return;
    memset(&failed, 0, sizeof failed);
    failed.err = &f->err;
    on_stored(f, &failed);
}

/* Keeps what the exchange has brought, beside what is stored. */
static bool keep(pre_flow *p)
{
    ag_flow *f = &p->base;
    ag_client *c = f->client;
    ag_record renewed;
    memset(&renewed, 0, sizeof renewed);
    if (!ag_id_token_signed(c, ag_str_view(&p->tokens.id_token), &f->err)
            || !ag_session_renew(c, ag_str_view(&p->sub), ag_str_view(&p->tokens.id_token), ag_str_view(&p->tokens.device_secret),
                                 &renewed, &f->err))
        return false;
    if (!ag_str_set_view(&c->env.alloc, &c->session.unsaved_base, ag_str_view(&c->session.record.refresh_token))) {
        ag_record_free(&c->env.alloc, &renewed);
        return ag_fail(&f->err, AG_E_MEMORY, "no memory to keep a device secret");
    }
    ag_record_move(&c->env.alloc, &c->session.unsaved, &renewed);
    return true;
}

static void on_answer(ag_flow *f, const ag_input *in);

static void read_again(ag_flow *f, const ag_input *in)
{
    (void)in;
    ag_flow_want(f, AG_FX_SEND, on_answer);
    f->again = true;
}

/* The answer stays with the driver: a moment without memory must not cost what it holds. */
static void try_again_or_give_up(ag_flow *f, const ag_err *e)
{
    pre_flow *p = (pre_flow *)f;
    if (e->code == AG_E_MEMORY && ++p->memory_tries < AG_MEMORY_TRIES)
        ag_flow_sleep(f, AG_MEMORY_PAUSE_S, read_again);
    else
        give_up(f, e);
}

static void on_keys(ag_flow *f, const ag_input *in)
{
    if (!in->ok)
        try_again_or_give_up(f, in->err);
    else if (keep((pre_flow *)f))
        store(f, NULL);
    else
        try_again_or_give_up(f, &f->err);
}

static bool check_answer(pre_flow *p, const ag_answer *ans)
{
    ag_flow *f = &p->base;
    const ag_client *c = f->client;
    const ag_record *r = &c->session.record;
    const ag_view withhold[] = {
        ag_str_view(&r->device_secret), ag_str_view(&r->id_token), ag_str_view(&c->client_secret), { NULL, 0 }
    };
    const ag_id_token_want want = {
        .issuer = ag_str_view(&c->metadata.issuer), .client_id = ag_str_view(&c->client_id), .sub = ag_str_view(&p->sub),
        .now_s = (double)ag_answer_time(ans, c->env.wall_ms)
    };
    if (!ag_token_read(c, ans, withhold, &p->tokens, &f->err))
        return false;
    if (p->tokens.id_token.p == NULL || p->tokens.device_secret.p == NULL)
        return ag_fail(&f->err, AG_E_INVALID_RESPONSE, "the exchange brought no new device secret and ID token");
    return ag_id_token_check(&c->env.alloc, ag_str_view(&p->tokens.id_token), &want, NULL, &f->err);
}

static void on_answer(ag_flow *f, const ag_input *in)
{
    pre_flow *p = (pre_flow *)f;
    if (!in->ok)
        give_up(f, in->err);
    else if (check_answer(p, &in->answer))
        ag_flow_call(f, ag_id_keys_flow(f->client, ag_str_view(&p->tokens.id_token)), on_keys);
    else
        try_again_or_give_up(f, &f->err);
}

static bool has_secret(ag_flow *f)
{
    const ag_record *r = &f->client->session.record;
    if (r->refresh_token.p == NULL)
        return ag_fail(&f->err, AG_E_NO_SESSION, "nobody is logged in");
    if (r->device_secret.p == NULL || r->id_token.p == NULL)
        return ag_fail(&f->err, AG_E_NO_DEVICE_SECRET, "this log-in brought no device secret (pre_authenticated_url_enabled)");
    return true;
}

static void on_loaded(ag_flow *f, const ag_input *in)
{
    pre_flow *p = (pre_flow *)f;
    ag_client *c = f->client;
    if (ag_flow_adopt(f, in) && has_secret(f) && ag_session_sub(c, &p->sub, &f->err)
            && ag_token_exchange_request(c, &c->session.record, &f->request, &f->err))
        ag_flow_want(f, AG_FX_SEND, on_answer);
    else
        give_up(f, &f->err);
}

static void on_locked(ag_flow *f, const ag_input *in)
{
    if (in->ok)
        ag_flow_want(f, AG_FX_LOAD, on_loaded);
    else
        ag_flow_fail_with(f, in->err);
}

static void on_metadata(ag_flow *f, const ag_input *in)
{
    if (!in->ok)
        ag_flow_fail_with(f, in->err);
    else if (make_url((pre_flow *)f))       /* of what is wrong with it the exchange must not be the first to know */
        ag_flow_call(f, ag_lock_flow(f->client, f, false, (ag_view){ NULL, 0 }), on_locked);
    else
        ag_flow_fail(f);
}

/* A refresh first: it tells whether the session lives, and stores what could not be stored before. */
static void on_refreshed(ag_flow *f, const ag_input *in)
{
    if (!in->ok)
        ag_flow_fail_with(f, in->err);
    else if (has_secret(f))
        ag_flow_call(f, ag_discovery_flow(f->client), on_metadata);
    else
        ag_flow_fail(f);
}

static void start_pre(ag_flow *f)
{
    ag_flow_want(f, AG_FX_REFRESH, on_refreshed);
}

static void free_pre(ag_flow *f)
{
    pre_flow *p = (pre_flow *)f;
    const ag_alloc *a = &f->client->env.alloc;
    ag_str_free(a, &p->client_id);
    ag_str_free(a, &p->redirect_uri);
    ag_str_free(a, &p->state);
    ag_str_free(a, &p->sub);
    ag_str_free(a, &p->url);
    ag_token_answer_free(a, &p->tokens);
}

ag_flow *ag_pre_authenticated_flow(ag_client *c, ag_view client_id, ag_view redirect_uri, ag_view state)
{
    static const ag_flow_type type = { sizeof(pre_flow), start_pre, free_pre };
    const ag_alloc *a = &c->env.alloc;
    pre_flow *p = (pre_flow *)ag_flow_new(c, &type);
    if (p == NULL)
        return NULL;
    if (ag_str_set_view(a, &p->client_id, client_id) && ag_str_set_view(a, &p->redirect_uri, redirect_uri)
            && ag_str_set_view(a, &p->state, state))
        return &p->base;
    ag_flow_free(&p->base);
    return NULL;
}

ag_view ag_pre_authenticated_url(const ag_flow *f)
{
    return ag_str_view(&((const pre_flow *)f)->url);
}
