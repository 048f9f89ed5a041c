/* flow_id_token: a new ID token for the session, whose claims are of now. Must never keep one of another user. */
#include "core/flow_id_token.h"

#include <string.h>

#include "core/flow_id_keys.h"
#include "core/id_token.h"
#include "core/renew.h"
#include "core/token.h"

typedef struct id_token_flow {
    ag_flow base;
    ag_str sent;            /* the access token that went to the server */
    ag_str sub, id_token;
    ag_record record;       /* to be stored */
    bool refreshed;
} id_token_flow;

static void ask_for_token(ag_flow *f, ag_view refused);

static void on_stored(ag_flow *f, const ag_input *in)
{
    ag_client *c = f->client;
    if (!in->ok) {
        ag_flow_give_up(f, in->err);
        return;
    }
    ag_session_adopt(&c->env.alloc, &c->session, &((id_token_flow *)f)->record, AG_REASON_FOUND_TOKEN);
    ag_flow_end_well(f);
}

static void on_loaded(ag_flow *f, const ag_input *in)
{
    id_token_flow *t = (id_token_flow *)f;
    if (!ag_flow_adopt(f, in)
            || !ag_session_renew(f->client, ag_str_view(&t->sub), ag_str_view(&t->id_token), (ag_view){ NULL, 0 }, &t->record,
                                 &f->err)
            || !ag_flow_want_stored(f, &t->record, on_stored))
        ag_flow_give_up(f, &f->err);
}

static void on_locked(ag_flow *f, const ag_input *in)
{
    if (in->ok)
        ag_flow_want(f, AG_FX_LOAD, on_loaded);
    else
        ag_flow_fail_with(f, in->err);
}

static void on_keys(ag_flow *f, const ag_input *in)
{
    const id_token_flow *t = (const id_token_flow *)f;
    if (!in->ok)
        ag_flow_fail_with(f, in->err);
    else if (ag_id_token_signed(f->client, ag_str_view(&t->id_token), &f->err))
        ag_flow_call(f, ag_lock_flow(f->client, f, false, (ag_view){ NULL, 0 }), on_locked);
    else
        ag_flow_fail(f);
}

static bool check_answer(id_token_flow *t, const ag_answer *ans)
{
    ag_flow *f = &t->base;
    const ag_client *c = f->client;
    const ag_view withhold[] = { ag_str_view(&t->sent), ag_str_view(&c->client_secret), { NULL, 0 } };
    const ag_id_token_want want = {
        .issuer = ag_str_view(&c->metadata.issuer), .client_id = ag_str_view(&c->client_id), .sub = ag_str_view(&t->sub),
        .now_s = (double)ag_answer_time(ans, c->env.wall_ms)
    };
    return ag_token_read_id(c, ans, withhold, &t->id_token, &f->err)
        && ag_id_token_check(&c->env.alloc, ag_str_view(&t->id_token), &want, NULL, &f->err);
}

/* A refusal says nothing of the session, but a refresh can: it is had once. */
static void on_answer(ag_flow *f, const ag_input *in)
{
    id_token_flow *t = (id_token_flow *)f;
    if (!in->ok) {
        ag_flow_fail_with(f, in->err);
    } else if (check_answer(t, &in->answer)) {
        ag_flow_call(f, ag_id_keys_flow(f->client, ag_str_view(&t->id_token)), on_keys);
    } else if (f->err.code == AG_E_OAUTH && strcmp(f->err.oauth_error, "invalid_grant") == 0 && !t->refreshed) {
        t->refreshed = true;
        ask_for_token(f, ag_str_view(&t->sent));
    } else {
        ag_flow_fail(f);
    }
}

static void on_metadata(ag_flow *f, const ag_input *in)
{
    id_token_flow *t = (id_token_flow *)f;
    ag_client *c = f->client;
    const ag_view token = ag_str_view(&c->session.record.access_token);
    if (!in->ok)
        ag_flow_fail_with(f, in->err);
    else if (!ag_session_sub(c, &t->sub, &f->err))
        ag_flow_fail(f);
    else if (!ag_str_set_view(&c->env.alloc, &t->sent, token)) {
        (void)ag_fail(&f->err, AG_E_MEMORY, "no memory for an ID token");
        ag_flow_fail(f);
    } else if (ag_token_id_request(c, &c->session.record, &f->request, &f->err))
        ag_flow_send(f, on_answer);
    else
        ag_flow_fail(f);
}

static void on_token(ag_flow *f, const ag_input *in)
{
    const bool refreshed = ((const id_token_flow *)f)->refreshed;
    if (!in->ok) {
        ag_flow_fail_with(f, in->err);
    } else if (f->client->session.record.access_token.p == NULL) {
        (void)ag_fail(&f->err, refreshed ? AG_E_SESSION_REVOKED : AG_E_NO_SESSION,
                      refreshed ? "the session has ended at the server" : "nobody is logged in");
        ag_flow_fail(f);
    } else {
        ag_flow_call(f, ag_discovery_flow(f->client), on_metadata);
    }
}

static void ask_for_token(ag_flow *f, ag_view refused)
{
    if (ag_str_set_view(&f->client->env.alloc, &f->text, refused)) {
        ag_flow_want(f, AG_FX_REFRESH, on_token);
        return;
    }
    (void)ag_fail(&f->err, AG_E_MEMORY, "no memory for an ID token");
    ag_flow_fail(f);
}

static void start_id_token(ag_flow *f)
{
    ask_for_token(f, (ag_view){ NULL, 0 });
}

static void free_id_token(ag_flow *f)
{
    id_token_flow *t = (id_token_flow *)f;
    const ag_alloc *a = &f->client->env.alloc;
    ag_str_free(a, &t->sent);
    ag_str_free(a, &t->sub);
    ag_str_free(a, &t->id_token);
    ag_record_free(a, &t->record);
}

ag_flow *ag_id_token_flow(ag_client *c)
{
    static const ag_flow_type type = { sizeof(id_token_flow), start_id_token, free_id_token };
    return ag_flow_new(c, &type);
}
