/* flow_parts: what several flows have in common: retries, metadata, the lock, what is stored.
 * Must never hold the lock longer than its caller asked for, nor send twice what must not be. */
#include <string.h>

#include "core/flow_dpop.h"

#define AG_LOCK_FIRST_WAIT_S 0.002
#define AG_LOCK_LONGEST_WAIT_S 0.025
#define AG_LONGEST_REST_MS 300000   /* what a Retry-After can keep us from asking at all */

/* ---- sending what may arrive twice ---- */

static void on_sent(ag_flow *f, const ag_input *in);

static void on_rested(ag_flow *f, const ag_input *in)
{
    ag_input failed;
    ag_err why = f->err;
    if (in->ok) {
        ag_flow_want(f, AG_FX_SEND, on_sent);
        return;
    }
    if (in->err->code != AG_E_TIMEOUT)
        why = *in->err;
    memset(&failed, 0, sizeof failed);
    failed.err = &why;          /* no time left to try again: what went wrong says more than that */
    f->sent(f, &failed);
}

static void on_sent(ag_flow *f, const ag_input *in)
{
    ag_client *c = f->client;
    double pause = -1;
    ag_err why;
    if (!in->ok && ag_retry_is_passing(in->err)) {
        why = *in->err;
        pause = ag_retry_pause(&c->env, &c->retry, f->retries, 0);
    } else if (in->ok && ag_retry_is_passing_status(in->answer.status)) {
        (void)ag_answer_fail(&in->answer, NULL, c->env.wall_ms, &why);
        pause = ag_retry_pause(&c->env, &c->retry, f->retries, why.retry_after);
    }
    if (pause < 0) {
        f->sent(f, in);
        return;
    }
    f->err = why;
    f->retries++;
    ag_flow_sleep(f, pause, on_rested);
}

void ag_flow_send(ag_flow *f, ag_resume_fn resume)
{
    f->sent = resume;
    f->retries = 0;
    ag_flow_want(f, AG_FX_SEND, on_sent);
}

/* ---- the token endpoint's wish to be left alone ---- */

void ag_flow_note_rest(ag_flow *f, const ag_err *why)
{
    ag_client *c = f->client;
    const double asked = why->retry_after * 1000;
    if (asked > 0)
        c->refresh_not_before_ms = c->env.boot_ms + (asked < AG_LONGEST_REST_MS ? (int64_t)asked : AG_LONGEST_REST_MS);
}

bool ag_flow_must_rest(ag_flow *f)
{
    const ag_client *c = f->client;
    const int64_t left = c->refresh_not_before_ms - c->env.boot_ms;
    if (c->refresh_not_before_ms == 0 || left <= 0)
        return false;
    (void)ag_fail(&f->err, AG_E_RATE_LIMITED, "the server has asked to wait before the next token request");
    f->err.retry_after = (double)left / 1000;
    return true;
}

/* ---- discovery ---- */

static void on_metadata(ag_flow *f, const ag_input *in)
{
    ag_client *c = f->client;
    if (!in->ok) {
        if (c->has_metadata)
            ag_flow_done(f);
        else
            ag_flow_fail_with(f, in->err);
        return;
    }
    ag_flow_learn_clock(c, &in->answer);
    if (ag_discovery_read(&c->env.alloc, ag_str_view(&c->endpoint), c->allow_http, &in->answer, c->env.wall_ms,
                          &c->metadata, &f->err))
        c->has_metadata = true;
    if (c->has_metadata)        /* perhaps from another flow that asked at the same time */
        ag_flow_done(f);
    else
        ag_flow_fail(f);
}

static void start_discovery(ag_flow *f)
{
    ag_client *c = f->client;
    if (c->has_metadata)
        ag_flow_done(f);
    else if (ag_discovery_request(&c->env.alloc, ag_str_view(&c->endpoint), &f->request, &f->err))
        ag_flow_send(f, on_metadata);
    else
        ag_flow_fail(f);
}

ag_flow *ag_discovery_flow(ag_client *c)
{
    static const ag_flow_type type = { sizeof(ag_flow), start_discovery, NULL };
    return ag_flow_new(c, &type);
}

/* ---- the stored record ---- */

bool ag_flow_adopt(ag_flow *f, const ag_input *in)
{
    ag_client *c = f->client;
    const ag_record_owner owner = ag_client_owner(c);
    ag_record r;
    memset(&r, 0, sizeof r);
    if (!in->ok) {
        f->err = *in->err;
        return false;
    }
    if (in->text.p != NULL && !ag_record_decode(&c->env, in->text, &owner, &r, &f->err))
        return false;
    ag_session_adopt(&c->env.alloc, &c->session, &r,
                     r.refresh_token.p != NULL ? AG_REASON_FOUND_TOKEN : AG_REASON_NO_TOKEN);
    return true;
}

bool ag_flow_want_stored(ag_flow *f, ag_record *r, ag_resume_fn resume)
{
    ag_client *c = f->client;
    const ag_record_owner owner = ag_client_owner(c);
    r->generation = c->session.record.generation + 1;
    if (!ag_record_encode(&c->env, r, &owner, &f->text, &f->err))
        return false;
    ag_flow_want(f, AG_FX_STORE, resume);
    return true;
}

/* The keys of an anonymous user or of DPoP outlive the session; tokens don't. */
static bool only_keys(const ag_client *c, ag_record *out)
{
    memset(out, 0, sizeof *out);
    if (ag_client_keep_keys(c, out))
        return true;
    ag_record_free(&c->env.alloc, out);
    return false;
}

bool ag_flow_want_ended(ag_flow *f, ag_resume_fn resume)
{
    ag_client *c = f->client;
    ag_record rest;
    bool ok;
    if (!ag_record_has_keys(&c->session.record)) {
        ag_flow_want(f, AG_FX_DELETE, resume);
        return true;
    }
    if (!only_keys(c, &rest))
        return ag_fail(&f->err, AG_E_MEMORY, "no memory to end the session");
    ok = ag_flow_want_stored(f, &rest, resume);
    ag_record_free(&c->env.alloc, &rest);
    return ok;
}

void ag_flow_adopt_end(ag_flow *f, ag_reason reason)
{
    ag_client *c = f->client;
    ag_record rest;
    if (!only_keys(c, &rest))
        memset(&rest, 0, sizeof rest);      /* they are stored; the next load brings them back */
    ag_record_free(&c->env.alloc, &c->session.unsaved);
    ag_str_free(&c->env.alloc, &c->session.unsaved_base);
    ag_session_adopt(&c->env.alloc, &c->session, &rest, reason);
}

/* ---- the lock ---- */

typedef struct lock_flow {
    ag_flow base;
    ag_flow *owner;         /* borrowed: the parent, which outlives us */
    bool usable_ends;
    ag_str refused;
    int64_t deadline_ms;
    double wait;
} lock_flow;

static void on_lock(ag_flow *f, const ag_input *in);

static void try_again(ag_flow *f, const ag_input *in)
{
    if (in->ok)
        ag_flow_want(f, AG_FX_LOCK, on_lock);
    else
        ag_flow_fail_with(f, in->err);  /* no pause, no other try: it would be one after another */
}

/* Waits a little longer each time, spread out so that waiters do not march in step. */
static void wait_a_little(lock_flow *l)
{
    ag_client *c = l->base.client;
    unsigned char byte = 128;
    double wait = l->wait;
    (void)c->env.random(c->env.random_ud, &byte, 1);
    l->wait = wait * 2 < AG_LOCK_LONGEST_WAIT_S ? wait * 2 : AG_LOCK_LONGEST_WAIT_S;
    ag_flow_sleep(&l->base, wait * (0.5 + byte / 255.0), try_again);
}

static void on_load_while_waiting(ag_flow *f, const ag_input *in)
{
    lock_flow *l = (lock_flow *)f;
    ag_client *c = f->client;
    if (!ag_flow_adopt(f, in))
        ag_flow_fail(f);
    else if (!ag_client_can_renew(c) || ag_session_usable(&c->env, &c->session, ag_str_view(&l->refused)))
        ag_flow_done(f);
    else
        wait_a_little(l);
}

static void on_look_while_waiting(ag_flow *f, const ag_input *in)
{
    if (in->ok && in->flag)
        ag_flow_want(f, AG_FX_LOAD, on_load_while_waiting);
    else
        wait_a_little((lock_flow *)f);
}

static void on_lock(ag_flow *f, const ag_input *in)
{
    lock_flow *l = (lock_flow *)f;
    ag_client *c = f->client;
    if (!in->ok) {
        ag_flow_fail_with(f, in->err);
    } else if (in->flag) {
        l->owner->holds_lock = true;
        ag_flow_done(f);
    } else if (c->env.boot_ms >= l->deadline_ms) {
        (void)ag_fail(&f->err, AG_E_LOCK_TIMEOUT, "another process has held the session's lock for too long");
        ag_flow_fail(f);
    } else if (l->usable_ends && c->has_look) {
        ag_flow_want(f, AG_FX_LOOK, on_look_while_waiting);
    } else {
        wait_a_little(l);
    }
}

static void start_lock(ag_flow *f)
{
    lock_flow *l = (lock_flow *)f;
    l->deadline_ms = f->client->env.boot_ms + f->client->lock_timeout_ms;
    l->wait = AG_LOCK_FIRST_WAIT_S;
    ag_flow_want(f, AG_FX_LOCK, on_lock);
}

static void free_lock(ag_flow *f)
{
    ag_str_free(&f->client->env.alloc, &((lock_flow *)f)->refused);
}

ag_flow *ag_lock_flow(ag_client *c, ag_flow *parent, bool usable_ends, ag_view refused)
{
    static const ag_flow_type type = { sizeof(lock_flow), start_lock, free_lock };
    lock_flow *l = (lock_flow *)ag_flow_new(c, &type);
    if (l == NULL)
        return NULL;
    l->owner = parent;
    l->usable_ends = usable_ends;
    if (!ag_str_set_view(&c->env.alloc, &l->refused, refused)) {
        ag_flow_free(&l->base);
        return NULL;
    }
    return &l->base;
}

void ag_flow_unlock(ag_flow *f, ag_resume_fn resume)
{
    ag_input in;
    if (f->holds_lock) {
        ag_flow_want(f, AG_FX_UNLOCK, resume);
        return;
    }
    memset(&in, 0, sizeof in);
    in.ok = true;
    resume(f, &in);
}

static void on_let_go_well(ag_flow *f, const ag_input *in)
{
    (void)in;
    ag_flow_done(f);
}

static void on_let_go_badly(ag_flow *f, const ag_input *in)
{
    (void)in;
    ag_flow_fail(f);
}

void ag_flow_end_well(ag_flow *f)
{
    ag_flow_unlock(f, on_let_go_well);
}

void ag_flow_give_up(ag_flow *f, const ag_err *e)
{
    f->err = *e;
    ag_flow_unlock(f, on_let_go_badly);
}
