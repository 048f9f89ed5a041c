/* flow_dpop: see flow_dpop.h. */
#include "core/flow_dpop.h"

#include <string.h>

#include "core/dpop.h"

typedef struct key_flow {
    ag_flow base;
    char jkt[AG_JKT_LEN + 1];   /* that it must have; "": any */
    bool locked;                /* by a flow above: the lock is not ours to take or to give back */
    ag_record record;           /* with a new key, until it is stored */
} key_flow;

static ag_view view_of_jkt(const char *jkt)
{
    return jkt[0] != '\0' ? ag_view_of(jkt) : (ag_view){ NULL, 0 };
}

/* ---- the key ---- */

static bool has_dpop(ag_client *c)
{
    if (c->dpop == NULL)
        c->dpop = ag_dpop_new(&c->env.alloc);
    return c->dpop != NULL;
}

static ag_dpop_key use(ag_client *c, const char *jkt, ag_err *e)
{
    if (has_dpop(c))
        return ag_dpop_use(&c->env.alloc, c->dpop, &c->session.record, view_of_jkt(jkt), e);
    (void)ag_fail(e, AG_E_MEMORY, "no memory for DPoP");
    return AG_DPOP_FAILED;
}

static void on_key_stored(ag_flow *f, const ag_input *in)
{
    key_flow *k = (key_flow *)f;
    ag_client *c = f->client;
    if (!in->ok) {
        ag_flow_give_up(f, in->err);
        return;
    }
    ag_session_adopt(&c->env.alloc, &c->session, &k->record, AG_REASON_FOUND_TOKEN);
    if (use(c, k->jkt, &f->err) == AG_DPOP_READY)
        ag_flow_end_well(f);
    else
        ag_flow_give_up(f, &f->err);
}

/* A machine's key is stored with the token that is bound to it: nothing is lost with either, and its record may be one
 * that must be left alone. */
static void make_key(key_flow *k)
{
    static const ag_input well = { .ok = true };
    ag_flow *f = &k->base;
    ag_client *c = f->client;
    if (!ag_record_copy(&c->env.alloc, &k->record, &c->session.record)) {
        (void)ag_fail(&f->err, AG_E_MEMORY, "no memory for a DPoP key");
        ag_flow_give_up(f, &f->err);
    } else if (!ag_dpop_make_key(&c->env, &k->record, &f->err)) {
        ag_flow_give_up(f, &f->err);
    } else if (c->machine) {
        on_key_stored(f, &well);
    } else if (!ag_flow_want_stored(f, &k->record, on_key_stored)) {
        ag_flow_give_up(f, &f->err);
    }
}

/* Under the lock, with what is stored now: another process may have made one. */
static void on_key_loaded(ag_flow *f, const ag_input *in)
{
    key_flow *k = (key_flow *)f;
    ag_dpop_key found = AG_DPOP_FAILED;
    if (ag_flow_adopt(f, in))
        found = use(f->client, k->jkt, &f->err);
    if (found == AG_DPOP_READY)
        ag_flow_end_well(f);
    else if (found == AG_DPOP_NO_KEY)
        make_key(k);
    else
        ag_flow_give_up(f, &f->err);
}

static void on_key_locked(ag_flow *f, const ag_input *in)
{
    if (in->ok)
        ag_flow_want(f, AG_FX_LOAD, on_key_loaded);
    else
        ag_flow_fail_with(f, in->err);
}

static void start_key(ag_flow *f)
{
    key_flow *k = (key_flow *)f;
    switch (use(f->client, k->jkt, &f->err)) {
    case AG_DPOP_READY:
        ag_flow_done(f);
        break;
    case AG_DPOP_FAILED:
        ag_flow_fail(f);
        break;
    case AG_DPOP_NO_KEY:
        if (k->locked || f->client->machine)
            make_key(k);
        else
            ag_flow_call(f, ag_lock_flow(f->client, f, false, (ag_view){ NULL, 0 }), on_key_locked);
        break;
    }
}

static void free_key(ag_flow *f)
{
    ag_record_free(&f->client->env.alloc, &((key_flow *)f)->record);
}

static ag_flow *key_flow_for(ag_client *c, const char *jkt, bool locked)
{
    static const ag_flow_type type = { sizeof(key_flow), start_key, free_key };
    key_flow *k = (key_flow *)ag_flow_new(c, &type);
    if (k == NULL)
        return NULL;
    (void)memcpy(k->jkt, jkt, strlen(jkt) + 1);
    k->locked = locked;
    return &k->base;
}

ag_flow *ag_dpop_key_flow(ag_client *c)
{
    return key_flow_for(c, "", false);
}

/* ---- proofs ---- */

void ag_flow_learn_clock(ag_client *c, const ag_answer *ans)
{
    if (c->use_dpop && has_dpop(c))     /* out of memory: the first proof that is refused tells as well */
        ag_dpop_learn_clock(&c->env, c->dpop, ans->headers);
}

bool ag_flow_lacks_proof(const ag_flow *f)
{
    return f->started && f->child == NULL && f->fx == AG_FX_SEND && f->request.proof && !f->proved && !f->again;
}

/* What was wanted before the key, and whoever takes its result. */
static void back_to_send(ag_flow *f)
{
    f->fx = AG_FX_SEND;
    f->resume = f->proof_resume;
}

static void fail_send(ag_flow *f, const ag_err *why)
{
    ag_input failed;
    ag_err e = *why;
    e.unsent = true;
    memset(&failed, 0, sizeof failed);
    failed.err = &e;
    f->resume(f, &failed);
}

/* There is no proof to be had. */
static void go_without(ag_flow *f, const ag_err *why)
{
    if (f->request.at_will)
        f->request.proof = false;
    else
        fail_send(f, why);
}

static void on_key(ag_flow *f, const ag_input *in)
{
    back_to_send(f);
    if (!in->ok)
        go_without(f, in->err);
}

void ag_flow_prove(ag_flow *f, bool locked)
{
    ag_client *c = f->client;
    ag_err e;
    switch (use(c, f->request.jkt, &e)) {
    case AG_DPOP_READY:
        if (ag_dpop_prove(&c->env, c->dpop, &f->request, &e))
            f->proved = true;
        else
            go_without(f, &e);
        break;
    case AG_DPOP_FAILED:
        go_without(f, &e);
        break;
    case AG_DPOP_NO_KEY:
        f->proof_resume = f->resume;
        ag_flow_call(f, key_flow_for(c, f->request.jkt, locked), on_key);
        break;
    }
}

bool ag_flow_prove_request(ag_client *c, ag_request *r, ag_err *e)
{
    switch (use(c, r->jkt, e)) {
    case AG_DPOP_READY:
        return ag_dpop_prove(&c->env, c->dpop, r, e);
    case AG_DPOP_NO_KEY:
        return ag_fail(e, AG_E_DPOP_KEY, "there is no DPoP key in the storage");
    case AG_DPOP_FAILED:
        break;
    }
    return false;
}

/* Each reason counts once for a SEND, so a server that is never content is asked three times at most. */
bool ag_flow_proves_again(ag_flow *f, const ag_answer *ans, ag_err *e)
{
    ag_client *c = f->client;
    const ag_request *r = &f->request;
    bool known;
    ag_err_clear(e);
    if (!r->proof || c->dpop == NULL)
        return false;
    known = ag_dpop_learn(&c->env, c->dpop, ag_str_view(&r->url), ans->headers);
    if (r->single || !ag_dpop_is_refused(ans, e))
        return false;
    if (!known)
        return ag_fail(e, AG_E_MEMORY, "no memory for the server's nonce");
    return (ag_dpop_difference(&c->env, c->dpop, r) & ~f->corrected) != 0;
}

void ag_flow_prove_again(ag_flow *f)
{
    f->corrected |= ag_dpop_difference(&f->client->env, f->client->dpop, &f->request);
    f->proved = false;
}
