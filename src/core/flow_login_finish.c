/* flow_login_finish: the second half: the callback is checked, its code exchanged, and what comes of it checked and
 * stored, by the kind that the login was started as (RFC 6749 section 4.1, RFC 8252). */
#include "core/flow_login.h"

#include <string.h>

#include "core/anonymous.h"
#include "core/flow_id_keys.h"
#include "core/id_token.h"
#include "core/login_kept.h"
#include "core/renew.h"
#include "core/revoke.h"
#include "core/token.h"
#include "core/userinfo.h"
#include "core/withhold.h"

typedef struct finish_flow {
    ag_flow base;
    ag_authz_kind kind;
    ag_str url;                 /* the callback */
    ag_str state;               /* of the callback */
    char name[AG_LOGIN_NAME_LEN + 1];
    ag_str code;
    ag_login *login;            /* owned, taken out of the client: a code is tried once */
    ag_token_answer tokens;
    ag_str sub;
    ag_json *claims;            /* owned */
    bool partial;
    ag_record record;           /* to be stored */
    ag_err conflict;            /* of a promotion */
} finish_flow;

/* What this login knows is not the client's yet, or no more: it is kept out of an error here. */
static void withhold_own(finish_flow *x, ag_err *e)
{
    const ag_record *r = &x->record;
    const ag_view secrets[] = {
        ag_str_view(&x->code), ag_view_of(x->login->state), ag_view_of(x->login->verifier), ag_view_of(x->login->nonce),
        ag_str_view(&x->login->secret),
        ag_str_view(&r->access_token), ag_str_view(&r->refresh_token), ag_str_view(&r->id_token), ag_str_view(&r->device_secret)
    };
    ag_err_withhold_each(e, secrets, sizeof secrets / sizeof secrets[0]);
}

static void fail_with(ag_flow *f, const ag_err *e)
{
    f->err = *e;
    withhold_own((finish_flow *)f, &f->err);
    ag_flow_fail(f);
}

static void give_up(ag_flow *f, const ag_err *e)
{
    f->err = *e;
    withhold_own((finish_flow *)f, &f->err);
    ag_flow_give_up(f, &f->err);
}

/* ---- storing it ---- */

static void on_stored(ag_flow *f, const ag_input *in)
{
    finish_flow *x = (finish_flow *)f;
    ag_client *c = f->client;
    if (!in->ok) {
        give_up(f, in->err);
        return;
    }
    if (x->kind == AG_AUTHZ_REAUTHENTICATION)
        ag_session_adopt(&c->env.alloc, &c->session, &x->record, AG_REASON_FOUND_TOKEN);
    else
        ag_session_login(&c->env.alloc, &c->session, &x->record);
    ag_flow_end_well(f);
}

/* The new session replaces the old one; the keys stay, but for the device key of who is anonymous no more. */
static bool replace_session(finish_flow *x)
{
    ag_flow *f = &x->base;
    if (ag_client_keep_keys(f->client, &x->record)) {
        if (x->kind == AG_AUTHZ_PROMOTION && ag_anonymous_is_of_key(&x->record, ag_str_view(&x->sub)))
            ag_anonymous_drop_key(&f->client->env.alloc, &x->record);
        return true;
    }
    return ag_fail(&f->err, AG_E_MEMORY, "no memory to store the login");
}

/* The session that is there goes on with the new ID token. The access token that came with it is not kept: no refresh
 * token belongs to it. */
static bool renew_session(finish_flow *x)
{
    ag_flow *f = &x->base;
    ag_client *c = f->client;
    ag_record renewed;
    memset(&renewed, 0, sizeof renewed);
    if (!ag_session_renew(c, ag_str_view(&x->login->sub), ag_str_view(&x->record.id_token),
                          ag_str_view(&x->record.device_secret), &renewed, &f->err))
        return false;
    ag_record_move(&c->env.alloc, &x->record, &renewed);
    return true;
}

static void on_loaded(ag_flow *f, const ag_input *in)
{
    finish_flow *x = (finish_flow *)f;
    const bool renews = x->kind == AG_AUTHZ_REAUTHENTICATION;
    if (!ag_flow_adopt(f, in) || !(renews ? renew_session(x) : replace_session(x))
            || !ag_flow_want_stored(f, &x->record, on_stored))
        give_up(f, &f->err);
}

static void on_locked(ag_flow *f, const ag_input *in)
{
    if (in->ok)
        ag_flow_want(f, AG_FX_LOAD, on_loaded);
    else
        fail_with(f, in->err);
}

static void store(finish_flow *x)
{
    ag_flow *f = &x->base;
    ag_flow_call(f, ag_lock_flow(f->client, f, false, (ag_view){ NULL, 0 }), on_locked);
}

/* The login is complete already: a user info endpoint that cannot be reached must not undo it. The claims are
 * those of the ID token then. Anything else (another user's claims, a refusal) does undo it. */
static void on_userinfo(ag_flow *f, const ag_input *in)
{
    finish_flow *x = (finish_flow *)f;
    ag_client *c = f->client;
    const ag_view token = ag_str_view(&x->record.access_token);
    if (!in->ok)
        f->err = *in->err;
    else
        x->claims = ag_userinfo_read(c, &in->answer, ag_str_view(&x->sub), token, &f->err);
    if (x->claims == NULL && f->err.retryable) {
        x->claims = ag_id_token_payload(&c->env.alloc, ag_str_view(&x->record.id_token), &f->err);
        x->partial = true;
    }
    if (x->claims != NULL) {
        store(x);
        return;
    }
    fail_with(f, &f->err);
}

/* Since when the user must have been authenticated; 0: that was not asked for. */
static double since(const finish_flow *x, double now_s)
{
    const ag_login *l = x->login;
    if (l->max_age_s < 0)
        return 0;
    return now_s - (double)(x->base.client->env.boot_ms - l->started_ms) / 1000 - l->max_age_s;
}

static bool check_tokens(finish_flow *x, const ag_answer *ans)
{
    ag_flow *f = &x->base;
    ag_client *c = f->client;
    const ag_view withhold[] = {
        ag_str_view(&x->code), ag_view_of(x->login->verifier), ag_view_of(x->login->state),
        ag_view_of(x->login->nonce), ag_str_view(&c->client_secret), { NULL, 0 }
    };
    ag_id_token_want want = {
        .issuer = ag_str_view(&c->metadata.issuer), .client_id = ag_str_view(&c->client_id),
        .nonce = ag_view_of(x->login->nonce), .sub = ag_str_view(&x->login->sub)
    };
    if (!ag_token_read(c, ans, withhold, &x->tokens, &f->err))
        return false;
    if (x->tokens.id_token.p == NULL)
        return ag_fail(&f->err, AG_E_ID_TOKEN, "the token answer has no ID token");
    if (x->tokens.refresh_token.p == NULL && x->kind != AG_AUTHZ_REAUTHENTICATION)
        return ag_fail(&f->err, AG_E_INVALID_RESPONSE, "the token answer has no refresh token (scope offline_access?)");
    want.now_s = (double)ag_answer_time(ans, c->env.wall_ms);
    want.since_s = since(x, want.now_s);
    return ag_id_token_check(&c->env.alloc, ag_str_view(&x->tokens.id_token), &want, &x->sub, &f->err);
}

static void on_disowned(ag_flow *f, const ag_input *in)
{
    finish_flow *x = (finish_flow *)f;
    (void)in;
    fail_with(f, &x->conflict);
}

/* The user chose an account that exists already. Nobody asked for a session of that one: it is given back, if that can be
 * done, and the anonymous one lives on. */
static void disown(finish_flow *x)
{
    ag_flow *f = &x->base;
    (void)ag_fail(&x->conflict, AG_E_PROMOTION_CONFLICT, "the log-in belongs to an account that exists already");
    if (ag_revoke_request(f->client, ag_str_view(&x->tokens.refresh_token), &f->request, &f->err))
        ag_flow_want(f, AG_FX_SEND, on_disowned);
    else
        fail_with(f, &x->conflict);
}

static void on_keys(ag_flow *f, const ag_input *in)
{
    finish_flow *x = (finish_flow *)f;
    ag_client *c = f->client;
    if (!in->ok) {
        fail_with(f, in->err);
    } else if (!ag_id_token_signed(c, ag_str_view(&x->record.id_token), &f->err)) {
        fail_with(f, &f->err);
    } else if (ag_userinfo_request(c, &x->record, &f->request, &f->err)) {
        ag_flow_send(f, on_userinfo);
    } else if (f->err.code == AG_E_DISCOVERY) {     /* no such endpoint: the ID token says who it is */
        x->claims = ag_id_token_payload(&c->env.alloc, ag_str_view(&x->record.id_token), &f->err);
        if (x->claims != NULL)
            store(x);
        else
            fail_with(f, &f->err);
    } else {
        fail_with(f, &f->err);
    }
}

static void on_tokens(ag_flow *f, const ag_input *in)
{
    finish_flow *x = (finish_flow *)f;
    ag_client *c = f->client;
    if (!in->ok) {
        fail_with(f, in->err);
    } else if (!check_tokens(x, &in->answer)) {
        if (x->kind == AG_AUTHZ_PROMOTION && f->err.code == AG_E_USER_MISMATCH)
            disown(x);
        else
            fail_with(f, &f->err);
    } else {
        ag_token_apply(&c->env, &x->tokens, &x->record);
        ag_flow_call(f, ag_id_keys_flow(c, ag_str_view(&x->record.id_token)), on_keys);
    }
}

/* ---- a settings action ---- */

static void on_ended(ag_flow *f, const ag_input *in)
{
    if (in->ok)
        ag_flow_done(f);
    else
        fail_with(f, in->err);
}

/* The account is gone, and with it its session; another's, begun meanwhile, stays. */
static void on_loaded_after_deletion(ag_flow *f, const ag_input *in)
{
    finish_flow *x = (finish_flow *)f;
    ag_client *c = f->client;
    if (!ag_flow_adopt(f, in))
        fail_with(f, &f->err);
    else if (ag_session_is_of(c, ag_str_view(&x->login->sub), &f->err))
        ag_flow_call(f, ag_end_flow(c, false, false, ag_str_view(&c->session.record.access_token)), on_ended);
    else if (f->err.code == AG_E_NO_SESSION || f->err.code == AG_E_USER_MISMATCH)
        ag_flow_done(f);
    else
        fail_with(f, &f->err);
}

static void on_action(ag_flow *f, const ag_input *in)
{
    finish_flow *x = (finish_flow *)f;
    const ag_view withhold[] = {
        ag_str_view(&x->code), ag_view_of(x->login->verifier), ag_view_of(x->login->state),
        ag_view_of(x->login->nonce), ag_str_view(&f->client->client_secret), { NULL, 0 }
    };
    if (!in->ok)
        fail_with(f, in->err);
    else if (!ag_token_read_done(f->client, &in->answer, withhold, &f->err))
        fail_with(f, &f->err);
    else if (ag_view_eq(ag_str_view(&x->login->action), AG_LIT("delete_account")))
        ag_flow_want(f, AG_FX_LOAD, on_loaded_after_deletion);
    else
        ag_flow_done(f);
}

/* ---- the callback ---- */

static void on_finish_metadata(ag_flow *f, const ag_input *in)
{
    finish_flow *x = (finish_flow *)f;
    ag_client *c = f->client;
    if (!in->ok)
        fail_with(f, in->err);
    else if (ag_callback_read(&c->env.alloc, &c->metadata, x->login, ag_str_view(&x->url), &x->code, &f->err)
             && ag_token_code_request(c, x->login, ag_str_view(&x->code), &f->request, &f->err))
        ag_flow_want(f, AG_FX_SEND, x->kind == AG_AUTHZ_SETTINGS ? on_action : on_tokens);
    else
        fail_with(f, &f->err);
}

static void find_nothing(ag_flow *f)
{
    (void)ag_fail(&f->err, f->client->logins != NULL ? AG_E_STATE_MISMATCH : AG_E_NO_LOGIN,
                  "no login with the callback's state has been started here");
    ag_flow_fail(f);
}

static void on_taken(ag_flow *f, const ag_input *in)
{
    finish_flow *x = (finish_flow *)f;
    ag_client *c = f->client;
    if (!in->ok) {
        ag_flow_fail_with(f, in->err);
    } else if (in->text.p == NULL) {
        find_nothing(f);
    } else {
        x->login = ag_login_unseal(c, x->kind, ag_str_view(&x->state), in->text, &f->err);
        if (x->login != NULL)
            ag_flow_call(f, ag_discovery_flow(c), on_finish_metadata);
        else
            ag_flow_fail(f);
    }
}

static void take_from_storage(finish_flow *x)
{
    ag_flow *f = &x->base;
    if (ag_login_name(f->client, x->kind, ag_str_view(&x->state), x->name)) {
        f->name = ag_view_of(x->name);
        ag_flow_want(f, AG_FX_TAKE, on_taken);
    } else {
        (void)ag_fail(&f->err, AG_E_MEMORY, "no memory for a login");
        ag_flow_fail(f);
    }
}

static void start_finish(ag_flow *f)
{
    finish_flow *x = (finish_flow *)f;
    ag_client *c = f->client;
    if (!ag_callback_state(&c->env.alloc, ag_str_view(&x->url), &x->state, &f->err)) {
        ag_flow_fail(f);
        return;
    }
    x->login = ag_logins_take(&c->logins, ag_str_view(&x->state), x->kind);
    if (x->login != NULL)
        ag_flow_call(f, ag_discovery_flow(c), on_finish_metadata);
    else if (c->keeps_logins)
        take_from_storage(x);
    else
        find_nothing(f);
}

static void free_finish(ag_flow *f)
{
    finish_flow *x = (finish_flow *)f;
    const ag_alloc *a = &f->client->env.alloc;
    ag_str_free(a, &x->url);
    ag_str_free(a, &x->state);
    ag_str_free(a, &x->code);
    ag_str_free(a, &x->sub);
    ag_token_answer_free(a, &x->tokens);
    ag_record_free(a, &x->record);
    ag_json_free(x->claims);
    if (x->login != NULL)
        ag_login_free(a, x->login);
}

ag_flow *ag_login_finish_flow(ag_client *c, ag_view callback_url, ag_authz_kind kind)
{
    static const ag_flow_type type = { sizeof(finish_flow), start_finish, free_finish };
    finish_flow *x = (finish_flow *)ag_flow_new(c, &type);
    if (x == NULL)
        return NULL;
    x->kind = kind;
    if (!ag_str_set_view(&c->env.alloc, &x->url, callback_url)) {
        ag_flow_free(&x->base);
        return NULL;
    }
    return &x->base;
}

const ag_json *ag_login_claims(const ag_flow *finish, bool *partial)
{
    const finish_flow *x = (const finish_flow *)finish;
    *partial = x->partial;
    return x->claims;
}
