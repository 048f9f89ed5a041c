/* flow_anonymous: see flow_anonymous.h. With a device key: the key is made and stored, then a challenge signed, then the
 * session stored. Without: one request that makes a user, or goes on with the session that is there. */
#include "core/flow_anonymous.h"

#include <string.h>

#include "core/anonymous.h"
#include "core/flow_device_key.h"
#include "core/flow_id_keys.h"
#include "core/flow_userinfo.h"
#include "core/id_token.h"
#include "core/withhold.h"

#define AG_MEMORY_TRIES 5       /* reading an answer that may hold a user whom nobody else knows */
#define AG_MEMORY_PAUSE_S 0.05

typedef struct anonymous_flow {
    ag_flow base;
    bool with_key;
    bool asked_again;           /* once the session that is there has been found good or over */
    unsigned memory_tries;
    ag_str key_id;              /* of the key that signed */
    ag_str secret;              /* what was sent: the JWT, or the refresh token */
    ag_str sub;
    ag_record record;           /* to be stored */
    ag_flow *asking;            /* borrowed: the child that asks for user info */
    ag_json *claims;            /* owned */
    bool partial;
} anonymous_flow;

static const ag_view none = { NULL, 0 };

/* What came is not the client's yet: it is kept out of an error here. */
static void withhold(const anonymous_flow *x, ag_err *e)
{
    const ag_record *r = &x->record;
    const ag_view secrets[] = {
        ag_str_view(&x->secret), ag_str_view(&r->access_token), ag_str_view(&r->refresh_token), ag_str_view(&r->id_token)
    };
    ag_err_withhold_each(e, secrets, sizeof secrets / sizeof secrets[0]);
}

static void fail_with(ag_flow *f, const ag_err *e)
{
    f->err = *e;
    withhold((anonymous_flow *)f, &f->err);
    ag_flow_fail(f);
}

static void give_up(ag_flow *f, const ag_err *e)
{
    f->err = *e;
    withhold((anonymous_flow *)f, &f->err);
    ag_flow_give_up(f, &f->err);
}

/* ---- who it is ---- */

/* The session is there whatever user info say: without them the claims are the ID token's, if there is one. */
static void on_userinfo(ag_flow *f, const ag_input *in)
{
    anonymous_flow *x = (anonymous_flow *)f;
    ag_client *c = f->client;
    ag_err ignored;
    if (!in->ok && c->session.record.refresh_token.p == NULL) {
        ag_flow_fail_with(f, in->err);          /* it was over at once */
        return;
    }
    if (in->ok)
        x->claims = ag_userinfo_take(x->asking);
    x->partial = x->claims == NULL;
    if (x->partial && c->session.record.id_token.p != NULL)
        x->claims = ag_id_token_payload(&c->env.alloc, ag_str_view(&c->session.record.id_token), &ignored);
    ag_flow_done(f);
}

static void on_unlocked(ag_flow *f, const ag_input *in)
{
    anonymous_flow *x = (anonymous_flow *)f;
    (void)in;
    x->asking = ag_userinfo_flow(f->client);
    ag_flow_call(f, x->asking, on_userinfo);
}

/* ---- storing it ---- */

static void on_stored(ag_flow *f, const ag_input *in)
{
    anonymous_flow *x = (anonymous_flow *)f;
    ag_client *c = f->client;
    if (!in->ok) {
        give_up(f, in->err);
        return;
    }
    ag_session_login(&c->env.alloc, &c->session, &x->record);
    ag_flow_unlock(f, on_unlocked);
}

/* An answer without a refresh token: the session that is there goes on, with what the answer lacks. */
static bool go_on_with(anonymous_flow *x, const ag_record *now)
{
    const ag_alloc *a = &x->base.client->env.alloc;
    ag_record *r = &x->record;
    return ag_str_set_view(a, &r->refresh_token, ag_str_view(&now->refresh_token))
        && ag_str_set_view(a, &r->dpop_jkt, ag_str_view(&now->dpop_jkt))
        && (r->id_token.p != NULL || ag_str_set_view(a, &r->id_token, ag_str_view(&now->id_token)))
        && (r->device_secret.p != NULL || ag_str_set_view(a, &r->device_secret, ag_str_view(&now->device_secret)))
        && (r->scope.p != NULL || ag_str_set_view(a, &r->scope, ag_str_view(&now->scope)));
}

static bool fill(anonymous_flow *x, bool goes_on)
{
    const ag_client *c = x->base.client;
    const ag_record *now = &c->session.record;
    if (!ag_client_keep_keys(c, &x->record) || (goes_on && !go_on_with(x, now)))
        return false;
    if (!x->with_key || !ag_view_eq(ag_str_view(&now->anonymous_key_id), ag_str_view(&x->key_id)))
        return true;
    return ag_str_set_view(&c->env.alloc, &x->record.anonymous_sub, ag_str_view(&x->sub));
}

static void on_loaded(ag_flow *f, const ag_input *in)
{
    anonymous_flow *x = (anonymous_flow *)f;
    const bool goes_on = x->record.refresh_token.p == NULL;
    const ag_record *now = &f->client->session.record;
    if (!ag_flow_adopt(f, in)) {
        give_up(f, &f->err);
    } else if (goes_on && !ag_view_eq(ag_str_view(&now->refresh_token), ag_str_view(&x->secret))) {
        ag_flow_unlock(f, on_unlocked);         /* another process has replaced the session meanwhile: that one stays */
    } else if (!fill(x, goes_on)) {
        (void)ag_fail(&f->err, AG_E_MEMORY, "no memory to store the session");
        give_up(f, &f->err);
    } else if (!ag_flow_want_stored(f, &x->record, on_stored)) {
        give_up(f, &f->err);
    }
}

static void on_locked(ag_flow *f, const ag_input *in)
{
    if (in->ok)
        ag_flow_want(f, AG_FX_LOAD, on_loaded);
    else
        fail_with(f, in->err);
}

/* ---- the answer ---- */

static bool check_id_token(anonymous_flow *x, const ag_answer *ans, const ag_token_answer *t)
{
    ag_flow *f = &x->base;
    ag_client *c = f->client;
    const ag_id_token_want want = {
        .issuer = ag_str_view(&c->metadata.issuer), .client_id = ag_str_view(&c->client_id),
        .now_s = (double)ag_answer_time(ans, c->env.wall_ms)
    };
    return t->id_token.p == NULL || ag_id_token_check(&c->env.alloc, ag_str_view(&t->id_token), &want, &x->sub, &f->err);
}

static bool read_answer(anonymous_flow *x, const ag_answer *ans, ag_token_answer *t)
{
    ag_flow *f = &x->base;
    ag_client *c = f->client;
    const ag_view secrets[] = { ag_str_view(&x->secret), ag_str_view(&c->client_secret), { NULL, 0 } };
    if (x->with_key ? !ag_token_read(c, ans, secrets, t, &f->err)
                    : !ag_anonymous_signup_read(c, ans, ag_str_view(&x->secret), t, &f->err))
        return false;
    if (t->refresh_token.p == NULL && (x->with_key || x->secret.p == NULL))
        return ag_fail(&f->err, AG_E_INVALID_RESPONSE, "the answer has no refresh token");
    return check_id_token(x, ans, t);
}

static void on_keys(ag_flow *f, const ag_input *in)
{
    anonymous_flow *x = (anonymous_flow *)f;
    ag_client *c = f->client;
    if (!in->ok)
        fail_with(f, in->err);
    else if (ag_id_token_signed(c, ag_str_view(&x->record.id_token), &f->err))
        ag_flow_call(f, ag_lock_flow(c, f, false, none), on_locked);
    else
        fail_with(f, &f->err);
}

static void on_answer(ag_flow *f, const ag_input *in);
static void sign_up(ag_flow *f, const ag_input *in);

static void read_again(ag_flow *f, const ag_input *in)
{
    (void)in;
    ag_flow_want(f, AG_FX_SEND, on_answer);
    f->again = true;
}

/* The session that was sent along is refused: it may be over, or no anonymous user's. A refresh tells which. */
static bool ask_whether_over(anonymous_flow *x)
{
    ag_flow *f = &x->base;
    const ag_str *access = &f->client->session.record.access_token;
    if (x->with_key || f->err.code != AG_E_OAUTH || x->secret.p == NULL || x->asked_again)
        return false;
    x->asked_again = true;
    if (!ag_str_set_view(&f->client->env.alloc, &f->text, ag_str_view(access)))
        return false;
    ag_flow_want(f, AG_FX_REFRESH, sign_up);
    return true;
}

static void on_answer(ag_flow *f, const ag_input *in)
{
    anonymous_flow *x = (anonymous_flow *)f;
    ag_client *c = f->client;
    ag_token_answer t;
    memset(&t, 0, sizeof t);
    if (!in->ok) {
        fail_with(f, in->err);
    } else if (read_answer(x, &in->answer, &t)) {
        ag_token_apply(&c->env, &t, &x->record);
        if (x->record.id_token.p != NULL)
            ag_flow_call(f, ag_id_keys_flow(c, ag_str_view(&x->record.id_token)), on_keys);
        else
            ag_flow_call(f, ag_lock_flow(c, f, false, none), on_locked);
    } else if (f->err.code == AG_E_MEMORY && ++x->memory_tries < AG_MEMORY_TRIES) {
        ag_flow_sleep(f, AG_MEMORY_PAUSE_S, read_again);
    } else if (!ask_whether_over(x)) {
        fail_with(f, &f->err);
    }
    ag_token_answer_free(&c->env.alloc, &t);
}

/* ---- the request ---- */

static void on_signed(ag_flow *f, const ag_input *in)
{
    anonymous_flow *x = (anonymous_flow *)f;
    if (!in->ok)
        ag_flow_fail_with(f, in->err);
    else if (ag_token_anonymous_request(f->client, ag_str_view(&x->secret), &f->request, &f->err))
        ag_flow_want(f, AG_FX_SEND, on_answer);
    else
        fail_with(f, &f->err);
}

static void on_metadata(ag_flow *f, const ag_input *in)
{
    anonymous_flow *x = (anonymous_flow *)f;
    if (in->ok)
        ag_flow_call(f, ag_device_jwt_flow(f->client, "auth", &x->secret, &x->key_id), on_signed);
    else
        ag_flow_fail_with(f, in->err);
}

static void on_key(ag_flow *f, const ag_input *in)
{
    if (in->ok)
        ag_flow_call(f, ag_discovery_flow(f->client), on_metadata);
    else
        ag_flow_fail_with(f, in->err);
}

/* With the session that is there, if there is one. */
static void sign_up(ag_flow *f, const ag_input *in)
{
    anonymous_flow *x = (anonymous_flow *)f;
    ag_client *c = f->client;
    if (!in->ok)
        fail_with(f, in->err);
    else if (!ag_str_set_view(&c->env.alloc, &x->secret, ag_str_view(&c->session.record.refresh_token))) {
        (void)ag_fail(&f->err, AG_E_MEMORY, "no memory to sign up");
        ag_flow_fail(f);
    } else if (ag_anonymous_signup_request(c, ag_str_view(&x->secret), &f->request, &f->err))
        ag_flow_want(f, AG_FX_SEND, on_answer);
    else
        ag_flow_fail(f);
}

static void on_known(ag_flow *f, const ag_input *in)
{
    ag_input well;
    memset(&well, 0, sizeof well);
    well.ok = true;
    if (ag_flow_adopt(f, in))
        sign_up(f, &well);
    else
        ag_flow_fail(f);
}

static void on_signup_metadata(ag_flow *f, const ag_input *in)
{
    if (in->ok)
        ag_flow_want(f, AG_FX_LOAD, on_known);
    else
        ag_flow_fail_with(f, in->err);
}

static void start_anonymous(ag_flow *f)
{
    if (((const anonymous_flow *)f)->with_key)
        ag_flow_call(f, ag_device_key_flow(f->client), on_key);
    else
        ag_flow_call(f, ag_discovery_flow(f->client), on_signup_metadata);
}

static void free_anonymous(ag_flow *f)
{
    anonymous_flow *x = (anonymous_flow *)f;
    const ag_alloc *a = &f->client->env.alloc;
    ag_str_free(a, &x->key_id);
    ag_str_free(a, &x->secret);
    ag_str_free(a, &x->sub);
    ag_record_free(a, &x->record);
    ag_json_free(x->claims);
}

ag_flow *ag_anonymous_flow(ag_client *c, bool with_key)
{
    static const ag_flow_type type = { sizeof(anonymous_flow), start_anonymous, free_anonymous };
    anonymous_flow *x = (anonymous_flow *)ag_flow_new(c, &type);
    if (x == NULL)
        return NULL;
    x->with_key = with_key;
    return &x->base;
}

const ag_json *ag_anonymous_claims(const ag_flow *f, bool *partial)
{
    const anonymous_flow *x = (const anonymous_flow *)f;
    *partial = x->partial;
    return x->claims;
}
