/* flow_machine: the one token request of a machine (RFC 6749 section 4.4): lock, read what is stored, ask the server if
 * that does not serve, store the answer for the others. Unlike a session nothing is lost with an answer: so a storage
 * that fails costs requests, and never keeps a machine from working. */
#include <string.h>

#include "core/flow.h"
#include "core/token.h"

typedef struct machine_flow {
    ag_flow base;
    ag_str refused;             /* the access token that will not do; not there: only if needed */
    bool forced;                /* since a server refused it */
    bool unshared;              /* the storage has failed: what comes is for this client alone */
    ag_record record;           /* what the server gave */
} machine_flow;

/* Is there nothing to do? As for a session: a token that came from a forced renewal and is refused as well is not
 * renewed again before it expires. */
static bool settled(const machine_flow *m)
{
    const ag_client *c = m->base.client;
    const ag_session *s = &c->session;
    if (ag_session_usable(&c->env, s, ag_str_view(&m->refused)))
        return true;
    return m->forced && s->record.forced && ag_record_fresh(&c->env, &s->record);
}

/* Troubles that are the storage's alone; the rest (no time left, cancelled, no memory) end the call. */
static bool is_of_storage(const ag_err *e)
{
    switch (e->code) {
    case AG_E_STORAGE:
    case AG_E_STORAGE_DAMAGED:
    case AG_E_STORAGE_VERSION:
    case AG_E_STORAGE_FOREIGN:
    case AG_E_STORAGE_INSECURE:
    case AG_E_LOCK_TIMEOUT:
        return true;
    default:
        return false;
    }
}

static void on_stored(ag_flow *f, const ag_input *in)
{
    machine_flow *m = (machine_flow *)f;
    ag_client *c = f->client;
    (void)in;           /* stored or not, it is good */
    ag_session_adopt(&c->env.alloc, &c->session, &m->record, AG_REASON_FOUND_TOKEN);
    ag_flow_end_well(f);
}

static void store(machine_flow *m)
{
    ag_flow *f = &m->base;
    if (m->unshared || !ag_flow_want_stored(f, &m->record, on_stored))
        on_stored(f, NULL);
}

static bool keep_key(machine_flow *m)
{
    return ag_client_keep_keys(m->base.client, &m->record)
        || ag_fail(&m->base.err, AG_E_MEMORY, "no memory for a machine's token");
}

static void on_answer(ag_flow *f, const ag_input *in)
{
    machine_flow *m = (machine_flow *)f;
    ag_client *c = f->client;
    const ag_view withhold[] = { ag_str_view(&c->client_secret), { NULL, 0 } };
    ag_token_answer t;
    memset(&t, 0, sizeof t);
    if (!in->ok) {
        ag_flow_give_up(f, in->err);
    } else if (ag_token_read(c, &in->answer, withhold, &t, &f->err) && keep_key(m)) {
        ag_str_free(&c->env.alloc, &t.refresh_token);       /* RFC 6749 section 4.4.3: should not be there, and nobody needs it */
        m->record.forced = m->forced && ag_view_eq(ag_str_view(&m->refused), ag_str_view(&c->session.record.access_token));
        ag_token_apply(&c->env, &t, &m->record);
        c->refresh_not_before_ms = 0;
        store(m);
    } else {
        ag_flow_note_rest(f, &f->err);
        ag_flow_give_up(f, &f->err);
    }
    ag_token_answer_free(&c->env.alloc, &t);
}

static void send(ag_flow *f)
{
    if (!ag_flow_must_rest(f) && ag_token_machine_request(f->client, &f->request, &f->err))
        ag_flow_send(f, on_answer);
    else
        ag_flow_give_up(f, &f->err);
}

/* Under the lock, with what is stored now. A damaged record serves nobody: it is written anew. One of somebody else's, or of
 * a newer release, is left alone. */
static void on_loaded(ag_flow *f, const ag_input *in)
{
    machine_flow *m = (machine_flow *)f;
    if (ag_flow_adopt(f, in)) {
        if (settled(m))
            ag_flow_end_well(f);
        else
            send(f);
    } else if (is_of_storage(&f->err)) {
        m->unshared = f->err.code != AG_E_STORAGE_DAMAGED;
        send(f);
    } else {
        ag_flow_give_up(f, &f->err);
    }
}

static void on_locked(ag_flow *f, const ag_input *in)
{
    machine_flow *m = (machine_flow *)f;
    if (!in->ok && is_of_storage(in->err)) {
        m->unshared = true;
        send(f);
    } else if (!in->ok) {
        ag_flow_fail_with(f, in->err);
    } else if (!f->holds_lock) {
        ag_flow_done(f);            /* another process has a token by now */
    } else {
        ag_flow_want(f, AG_FX_LOAD, on_loaded);
    }
}

static void on_metadata(ag_flow *f, const ag_input *in)
{
    machine_flow *m = (machine_flow *)f;
    if (in->ok)
        ag_flow_call(f, ag_lock_flow(f->client, f, true, ag_str_view(&m->refused)), on_locked);
    else
        ag_flow_fail_with(f, in->err);
}

static void decide(ag_flow *f)
{
    if (settled((machine_flow *)f))
        ag_flow_done(f);
    else if (ag_flow_must_rest(f))
        ag_flow_fail(f);
    else
        ag_flow_call(f, ag_discovery_flow(f->client), on_metadata);
}

static void on_looked_and_loaded(ag_flow *f, const ag_input *in)
{
    if (ag_flow_adopt(f, in) || is_of_storage(&f->err))
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

static void start_machine(ag_flow *f)
{
    if (f->client->has_look && !settled((machine_flow *)f))
        ag_flow_want(f, AG_FX_LOOK, on_looked);
    else
        decide(f);
}

static void free_machine(ag_flow *f)
{
    machine_flow *m = (machine_flow *)f;
    ag_str_free(&f->client->env.alloc, &m->refused);
    ag_record_free(&f->client->env.alloc, &m->record);
}

ag_flow *ag_machine_flow(ag_client *c, ag_view refused, bool demanded)
{
    static const ag_flow_type type = { sizeof(machine_flow), start_machine, free_machine };
    machine_flow *m = (machine_flow *)ag_flow_new(c, &type);
    if (m == NULL)
        return NULL;
    m->forced = refused.p != NULL && !demanded;
    if (!ag_str_set_view(&c->env.alloc, &m->refused, refused)) {
        ag_flow_free(&m->base);
        return NULL;
    }
    return &m->base;
}
