/* flow_refresh: the one refresh (laws 4 to 6): lock, read what is stored, ask the server
 * if that still serves, store the answer, and only then let it be seen.
 * Must never end a session for anything but the server's verdict on the stored token. */
#include <string.h>

#include "core/flow.h"
#include "core/flow_id_keys.h"
#include "core/id_token.h"
#include "core/jwks.h"
#include "core/token.h"

#define AG_STORE_TRIES 3
#define AG_STORE_PAUSE_S 0.05
#define AG_MEMORY_TRIES 5       /* reading an answer that may hold the only good refresh token */
#define AG_MEMORY_PAUSE_S 0.05
#define AG_MEMORY_KEPT (32 * 1024)  /* so much is put aside before asking, to read an answer of the usual size */
#define AG_VERDICT_TRIES 3      /* the stored token changed under us that often: something is wrong */

typedef struct refresh_flow {
    ag_flow base;
    ag_str refused;             /* the access token that will not do; not there: only if needed */
    bool forced;                /* since a server refused it */
    ag_str sent;                /* the refresh token that went to the server */
    void *put_aside;            /* memory for reading the answer; owned */
    bool answered;              /* well, in this flow */
    ag_err refused_answer;      /* why the answer will not do though the server has replaced the refresh token */
    unsigned store_tries, verdict_tries, memory_tries;
    unsigned retries;           /* of the request */
    int64_t began_ms;           /* boot clock */
    double pause;               /* seconds until the next try */
    ag_err failure;             /* of the last one */
} refresh_flow;

static void on_stored(ag_flow *f, const ag_input *in);
static void on_loaded(ag_flow *f, const ag_input *in);

/* Is there nothing to do? A token that came from a forced refresh and is refused as well
 * is not refreshed again before it expires. */
static bool settled(const refresh_flow *r)
{
    const ag_client *c = r->base.client;
    const ag_session *s = &c->session;
    if (s->unsaved.refresh_token.p != NULL)
        return false;
    if (s->record.refresh_token.p == NULL)
        return true;
    if (ag_session_usable(&c->env, s, ag_str_view(&r->refused)))
        return true;
    return r->forced && s->record.forced && ag_record_fresh(&c->env, &s->record);
}

static void store_again(ag_flow *f, const ag_input *in);

/* Tried a few times: a full disk must not lose the login, nor a moment without memory. What the server gave stays
 * in memory, unseen, and the next refresh begins by storing it. */
static void try_again_or_give_up(ag_flow *f, const ag_err *e)
{
    refresh_flow *r = (refresh_flow *)f;
    if (++r->store_tries < AG_STORE_TRIES)
        ag_flow_sleep(f, AG_STORE_PAUSE_S, store_again);
    else
        ag_flow_give_up(f, e);
}

static void store_unsaved(ag_flow *f)
{
    if (!ag_flow_want_stored(f, &f->client->session.unsaved, on_stored))
        try_again_or_give_up(f, &f->err);
}

/* Another process may have made a key since the answer came. */
static void store_with_keys(ag_flow *f)
{
    if (ag_client_keep_keys(f->client, &f->client->session.unsaved)) {
        store_unsaved(f);
        return;
    }
    (void)ag_fail(&f->err, AG_E_MEMORY, "no memory to store the refreshed tokens");
    ag_flow_give_up(f, &f->err);
}

static void send(ag_flow *f);

static void adopt_unsaved(ag_flow *f)
{
    const refresh_flow *r = (const refresh_flow *)f;
    ag_client *c = f->client;
    ag_str_free(&c->env.alloc, &c->session.unsaved_base);
    ag_session_adopt(&c->env.alloc, &c->session, &c->session.unsaved, AG_REASON_FOUND_TOKEN);
    if (r->refused_answer.code != AG_E_NONE)
        ag_flow_give_up(f, &r->refused_answer);
    else if (r->answered || settled(r))
        ag_flow_end_well(f);
    else
        send(f);                /* an earlier answer brought no access token, or that has grown old meanwhile */
}

static void store_again(ag_flow *f, const ag_input *in)
{
    (void)in;
    store_unsaved(f);
}

static void on_stored(ag_flow *f, const ag_input *in)
{
    if (in->ok)
        adopt_unsaved(f);
    else
        try_again_or_give_up(f, in->err);
}

static void on_ended(ag_flow *f, const ag_input *in)
{
    ag_flow_adopt_end(f, AG_REASON_INVALID);
    if (in->ok)
        ag_flow_end_well(f);
    else
        ag_flow_give_up(f, in->err);
}

/* invalid_grant: is the stored token still the one that was sent? Then it is the verdict. */
static void on_loaded_after_verdict(ag_flow *f, const ag_input *in)
{
    refresh_flow *r = (refresh_flow *)f;
    const ag_record *now = &f->client->session.record;
    if (!ag_flow_adopt(f, in)) {
        ag_flow_give_up(f, &f->err);
    } else if (now->refresh_token.p == NULL) {
        ag_flow_end_well(f);
    } else if (ag_view_eq(ag_str_view(&now->refresh_token), ag_str_view(&r->sent))) {
        if (!ag_flow_want_ended(f, on_ended))
            ag_flow_give_up(f, &f->err);
    } else if (++r->verdict_tries < AG_VERDICT_TRIES) {
        ag_flow_want(f, AG_FX_LOAD, on_loaded);
    } else {
        (void)ag_fail(&f->err, AG_E_STORAGE, "the stored session keeps changing while its lock is held");
        ag_flow_give_up(f, &f->err);
    }
}

/* A new ID token that is not of this user, client or issuer is left out: it must not cost the
 * refresh token that came with it (law 4). Its exp is not asked: nobody relies on it here. False: out of memory. */
static bool check_id_token(ag_client *c, ag_token_answer *t)
{
    const ag_alloc *a = &c->env.alloc;
    const ag_id_token_want want = { .issuer = ag_str_view(&c->metadata.issuer), .client_id = ag_str_view(&c->client_id) };
    ag_str before = { NULL, 0 }, after = { NULL, 0 };
    ag_err why;
    bool good;
    if (t->id_token.p == NULL)
        return true;
    good = ag_id_token_check(a, ag_str_view(&t->id_token), &want, &after, &why);
    if (good && ag_id_token_check(a, ag_str_view(&c->session.record.id_token), &want, &before, &why))
        good = ag_view_eq(ag_str_view(&before), ag_str_view(&after));
    if (good && !ag_id_token_signed(c, ag_str_view(&t->id_token), &why)) {
        ag_jwks_free(c->id_keys);       /* perhaps the server has new ones: the next refresh asks */
        c->id_keys = NULL;
        good = false;
    }
    if (!good)
        ag_str_free(a, &t->id_token);
    ag_str_free(a, &before);
    ag_str_free(a, &after);
    return why.code != AG_E_MEMORY;
}

/* A record as it is now, to be changed and stored instead. */
static bool begin_unsaved(refresh_flow *r, ag_record *fresh)
{
    ag_session *s = &r->base.client->session;
    const ag_alloc *a = &r->base.client->env.alloc;
    memset(fresh, 0, sizeof *fresh);
    if (ag_record_copy(a, fresh, &s->record) && ag_str_set_view(a, &s->unsaved_base, ag_str_view(&r->sent)))
        return true;
    ag_record_free(a, fresh);
    return ag_fail(&r->base.err, AG_E_MEMORY, "no memory to keep the refreshed tokens");
}

static bool take_answer(refresh_flow *r, ag_token_answer *t)
{
    ag_client *c = r->base.client;
    ag_session *s = &c->session;
    const bool forced = r->forced && ag_view_eq(ag_str_view(&r->refused), ag_str_view(&s->record.access_token));
    ag_record fresh;
    if (!check_id_token(c, t))
        return ag_fail(&r->base.err, AG_E_MEMORY, "no memory to keep the refreshed tokens");
    if (!begin_unsaved(r, &fresh))
        return false;
    ag_token_apply(&c->env, t, &fresh);
    fresh.forced = forced;
    ag_record_move(&c->env.alloc, &s->unsaved, &fresh);
    r->answered = true;
    return true;
}

/* The answer will not do, but says that the refresh token was replaced: then the old one is dead, and the new one is kept like
 * any other, stored before anything else happens (law 4). The access token stays the old one, the caller gets the error. */
static bool take_rotated(refresh_flow *r, const ag_answer *ans)
{
    ag_client *c = r->base.client;
    const ag_alloc *a = &c->env.alloc;
    const ag_err why = r->base.err;
    ag_token_answer t;
    ag_record fresh;
    bool ok;
    memset(&t, 0, sizeof t);
    ok = why.code == AG_E_INVALID_RESPONSE && ag_token_read_rotated(c, ans, &t, &r->base.err) && begin_unsaved(r, &fresh);
    if (ok) {
        ag_str_move(a, &fresh.refresh_token, &t.refresh_token);
        if (t.device_secret.p != NULL)
            ag_str_move(a, &fresh.device_secret, &t.device_secret);
        ag_record_move(a, &c->session.unsaved, &fresh);
        r->refused_answer = why;
    }
    ag_token_answer_free(a, &t);
    return ok;
}

/* ---- trying again ---- */

static void begin(ag_flow *f);

static void on_rested(ag_flow *f, const ag_input *in)
{
    const refresh_flow *r = (const refresh_flow *)f;
    if (in->ok)
        begin(f);               /* another process may have done it meanwhile */
    else
        ag_flow_fail_with(f, in->err->code == AG_E_TIMEOUT ? &r->failure : in->err);
}

static void rest(ag_flow *f, const ag_input *in)
{
    (void)in;
    ag_flow_sleep(f, ((const refresh_flow *)f)->pause, on_rested);
}

/* Did the server surely do nothing with the refresh token? It was never asked, or says so. An answer that did not come, or
 * one of a proxy that got none, may mean that the token has been rotated: to send the old one at once could only turn a
 * chance into a verdict, so that is left to the next call. */
static bool was_in_vain(const ag_input *in, const ag_err *why)
{
    if (in->ok)
        return why->status == 429 || why->status == 503;
    return why->unsent && ag_retry_is_passing(why);
}

/* Waits without the lock and begins again, if there are tries and time left. False: that was it. */
static bool try_later(refresh_flow *r, const ag_input *in, const ag_err *why)
{
    ag_flow *f = &r->base;
    ag_client *c = f->client;
    if (!was_in_vain(in, why))
        return false;
    ag_flow_note_rest(f, why);
    r->pause = ag_retry_pause(&c->env, &c->retry, r->retries, why->retry_after);
    if (r->pause < 0 || (double)(c->env.boot_ms - r->began_ms) + r->pause * 1000 >= (double)c->refresh_timeout_ms)
        return false;
    r->retries++;
    r->failure = *why;
    ag_flow_unlock(f, rest);
    return true;
}

static void on_answer(ag_flow *f, const ag_input *in);

static void read_again(ag_flow *f, const ag_input *in)
{
    (void)in;
    ag_flow_want(f, AG_FX_SEND, on_answer);
    f->again = true;
}

/* What the answer brought, in `unsaved`. False: nothing; f->err says why. */
static bool take(refresh_flow *r, const ag_answer *ans)
{
    ag_client *c = r->base.client;
    const ag_view withhold[] = { ag_str_view(&r->sent), ag_str_view(&c->client_secret), { NULL, 0 } };
    ag_token_answer t;
    bool ok;
    memset(&t, 0, sizeof t);
    ok = (ag_token_read(c, ans, withhold, &t, &r->base.err) && take_answer(r, &t)) || take_rotated(r, ans);
    ag_token_answer_free(&c->env.alloc, &t);
    return ok;
}

static void on_answer(ag_flow *f, const ag_input *in)
{
    refresh_flow *r = (refresh_flow *)f;
    ag_client *c = f->client;
    ag_free(&c->env.alloc, r->put_aside);
    r->put_aside = NULL;
    if (!in->ok) {
        if (!try_later(r, in, in->err))
            ag_flow_give_up(f, in->err);
    } else if (take(r, &in->answer)) {
        c->refresh_not_before_ms = 0;
        store_unsaved(f);
    } else if (f->err.code == AG_E_MEMORY && ++r->memory_tries < AG_MEMORY_TRIES) {
        ag_flow_sleep(f, AG_MEMORY_PAUSE_S, read_again);
    } else if (f->err.code == AG_E_OAUTH && strcmp(f->err.oauth_error, "invalid_grant") == 0) {
        ag_flow_want(f, AG_FX_LOAD, on_loaded_after_verdict);
    } else if (!try_later(r, in, &f->err)) {
        ag_flow_give_up(f, &f->err);
    }
}

static void send(ag_flow *f)
{
    refresh_flow *r = (refresh_flow *)f;
    ag_client *c = f->client;
    const ag_record *rec = &c->session.record;
    if (ag_flow_must_rest(f)) {
        ag_flow_give_up(f, &f->err);
        return;
    }
    if (r->put_aside == NULL)
        r->put_aside = ag_resize(&c->env.alloc, NULL, AG_MEMORY_KEPT);
    if (r->put_aside == NULL || !ag_str_set_view(&c->env.alloc, &r->sent, ag_str_view(&rec->refresh_token)))
        (void)ag_fail(&f->err, AG_E_MEMORY, "no memory for a refresh");
    else if (ag_token_refresh_request(c, rec, &f->request, &f->err)) {
        ag_flow_want(f, AG_FX_SEND, on_answer);
        return;
    }
    ag_flow_give_up(f, &f->err);
}

/* Under the lock, with what is stored now. */
static void on_loaded(ag_flow *f, const ag_input *in)
{
    refresh_flow *r = (refresh_flow *)f;
    ag_client *c = f->client;
    ag_session *s = &c->session;
    if (!ag_flow_adopt(f, in)) {
        ag_flow_give_up(f, &f->err);
        return;
    }
    if (s->unsaved.refresh_token.p != NULL) {
        if (s->record.refresh_token.p != NULL
                && ag_view_eq(ag_str_view(&s->record.refresh_token), ag_str_view(&s->unsaved_base))) {
            store_with_keys(f);
            return;
        }
        ag_record_free(&c->env.alloc, &s->unsaved);     /* somebody logged in or out meanwhile */
        ag_str_free(&c->env.alloc, &s->unsaved_base);
    }
    if (settled(r))
        ag_flow_end_well(f);
    else
        send(f);
}

static void on_locked(ag_flow *f, const ag_input *in)
{
    if (!in->ok)
        ag_flow_fail_with(f, in->err);
    else if (!f->holds_lock)
        ag_flow_done(f);            /* somebody else refreshed, or ended the session, while we waited */
    else
        ag_flow_want(f, AG_FX_LOAD, on_loaded);
}

/* Keys that cannot be had must not keep a session from going on: the new ID token is left out then. */
static void on_keys(ag_flow *f, const ag_input *in)
{
    refresh_flow *r = (refresh_flow *)f;
    ag_client *c = f->client;
    (void)in;
    ag_flow_call(f, ag_lock_flow(c, f, c->session.unsaved.refresh_token.p == NULL, ag_str_view(&r->refused)), on_locked);
}

static void on_metadata(ag_flow *f, const ag_input *in)
{
    if (in->ok)
        ag_flow_call(f, ag_id_keys_flow(f->client, (ag_view){ NULL, 0 }), on_keys);
    else
        ag_flow_fail_with(f, in->err);
}

static void decide(ag_flow *f)
{
    if (settled((refresh_flow *)f))
        ag_flow_done(f);
    else if (f->client->session.unsaved.refresh_token.p == NULL && ag_flow_must_rest(f))
        ag_flow_fail(f);
    else
        ag_flow_call(f, ag_discovery_flow(f->client), on_metadata);
}

static void on_looked_and_loaded(ag_flow *f, const ag_input *in)
{
    if (ag_flow_adopt(f, in))
        decide(f);
    else
        ag_flow_fail(f);
}

static void on_looked(ag_flow *f, const ag_input *in)
{
    if (in->ok && in->flag)
        ag_flow_want(f, AG_FX_LOAD, on_looked_and_loaded);
    else
        decide(f);
}

static void begin(ag_flow *f)
{
    if (f->client->has_look)
        ag_flow_want(f, AG_FX_LOOK, on_looked);
    else
        decide(f);
}

static void start_refresh(ag_flow *f)
{
    ((refresh_flow *)f)->began_ms = f->client->env.boot_ms;
    begin(f);
}

static void free_refresh(ag_flow *f)
{
    refresh_flow *r = (refresh_flow *)f;
    ag_str_free(&f->client->env.alloc, &r->refused);
    ag_str_free(&f->client->env.alloc, &r->sent);
    ag_free(&f->client->env.alloc, r->put_aside);
}

ag_flow *ag_refresh_flow(ag_client *c, ag_view refused, bool demanded)
{
    static const ag_flow_type type = { sizeof(refresh_flow), start_refresh, free_refresh };
    refresh_flow *r;
    if (c->machine)
        return ag_machine_flow(c, refused, demanded);
    r = (refresh_flow *)ag_flow_new(c, &type);
    if (r == NULL)
        return NULL;
    r->forced = refused.p != NULL && !demanded;
    if (!ag_str_set_view(&c->env.alloc, &r->refused, refused)) {
        ag_flow_free(&r->base);
        return NULL;
    }
    return &r->base;
}
