/* flow_open and flow_end: learning what is stored, and ending a session from this side.
 * Must never revoke or delete another session than the stored one, and a session that
 * could not be revoked is kept, unless the caller forces it. */
#include "core/flow.h"
#include "core/revoke.h"

typedef struct end_flow {
    ag_flow base;
    bool revoke, force;
    ag_str revoked;         /* the token that went to the server */
    ag_str only;            /* the access token of the session that is meant; not there: any */
} end_flow;

/* ---- open ---- */

static void on_opened(ag_flow *f, const ag_input *in)
{
    if (ag_flow_adopt(f, in))
        ag_flow_done(f);
    else
        ag_flow_fail(f);
}

static void start_open(ag_flow *f)
{
    ag_flow_want(f, AG_FX_LOAD, on_opened);
}

ag_flow *ag_open_flow(ag_client *c)
{
    static const ag_flow_type type = { sizeof(ag_flow), start_open, NULL };
    return ag_flow_new(c, &type);
}

/* ---- end ---- */

static void on_deleted(ag_flow *f, const ag_input *in)
{
    const end_flow *end = (const end_flow *)f;
    if (in->ok || end->force)
        ag_flow_adopt_end(f, end->revoke ? AG_REASON_LOGOUT : AG_REASON_CLEAR);
    if (in->ok)
        ag_flow_end_well(f);
    else
        ag_flow_give_up(f, in->err);
}

static void delete_record(ag_flow *f)
{
    if (!ag_flow_want_ended(f, on_deleted))
        ag_flow_give_up(f, &f->err);
}

static void on_revoked(ag_flow *f, const ag_input *in)
{
    const end_flow *end = (const end_flow *)f;
    bool ok;
    if (in->ok)
        ok = ag_revoke_read(f->client, &in->answer, ag_str_view(&end->revoked), &f->err);
    else {
        f->err = *in->err;
        ok = false;
    }
    if (ok || end->force)
        delete_record(f);
    else
        ag_flow_give_up(f, &f->err);
}

static void revoke(ag_flow *f);

static void on_late_metadata(ag_flow *f, const ag_input *in)
{
    if (in->ok)
        revoke(f);
    else
        ag_flow_give_up(f, in->err);
}

static void revoke(ag_flow *f)
{
    end_flow *end = (end_flow *)f;
    ag_client *c = f->client;
    const ag_session *s = &c->session;
    ag_view token = s->unsaved.refresh_token.p != NULL ? ag_str_view(&s->unsaved.refresh_token)
                                                       : ag_str_view(&s->record.refresh_token);
    if (!end->revoke || token.p == NULL || (end->force && !c->has_metadata)) {
        delete_record(f);
        return;
    }
    if (!c->has_metadata) {     /* the session is another process's; we had none when we began */
        ag_flow_call(f, ag_discovery_flow(c), on_late_metadata);
        return;
    }
    if (!ag_str_set_view(&c->env.alloc, &end->revoked, token))
        (void)ag_fail(&f->err, AG_E_MEMORY, "no memory to log out");
    else if (ag_revoke_request(c, token, &f->request, &f->err)) {
        ag_flow_want(f, AG_FX_SEND, on_revoked);
        return;
    } else if (f->err.code == AG_E_DISCOVERY) {     /* nowhere to revoke: the local end is all there is */
        delete_record(f);
        return;
    }
    ag_flow_give_up(f, &f->err);
}

/* Somebody logged in, out or refreshed meanwhile: that session is not the one to end. */
static bool is_another(const end_flow *end)
{
    const ag_str *now = &end->base.client->session.record.access_token;
    return end->only.p != NULL && !ag_view_eq(ag_str_view(&end->only), ag_str_view(now));
}

/* What is stored cannot be told. One that is damaged or another's goes, but for keys that are known from before; one that
 * could not be read this time stays, since it may hold keys: here the session is over all the same. */
static void end_unread(ag_flow *f)
{
    const end_flow *end = (const end_flow *)f;
    if (!f->err.retryable) {
        delete_record(f);
        return;
    }
    ag_flow_adopt_end(f, end->revoke ? AG_REASON_LOGOUT : AG_REASON_CLEAR);
    ag_flow_give_up(f, &f->err);
}

static void on_loaded(ag_flow *f, const ag_input *in)
{
    const end_flow *end = (const end_flow *)f;
    if (ag_flow_adopt(f, in)) {
        if (is_another(end))
            ag_flow_end_well(f);
        else
            revoke(f);
    } else if (end->force)
        end_unread(f);
    else
        ag_flow_give_up(f, &f->err);
}

static void on_locked(ag_flow *f, const ag_input *in)
{
    const end_flow *end = (const end_flow *)f;
    if (in->ok || end->force)
        ag_flow_want(f, AG_FX_LOAD, on_loaded);
    else
        ag_flow_fail_with(f, in->err);
}

static void lock(ag_flow *f)
{
    ag_flow_call(f, ag_lock_flow(f->client, f, false, (ag_view){ NULL, 0 }), on_locked);
}

static void on_metadata(ag_flow *f, const ag_input *in)
{
    const end_flow *end = (const end_flow *)f;
    if (in->ok || end->force)
        lock(f);
    else
        ag_flow_fail_with(f, in->err);
}

static void start_end(ag_flow *f)
{
    const end_flow *end = (const end_flow *)f;
    if (end->revoke && f->client->session.record.refresh_token.p != NULL)
        ag_flow_call(f, ag_discovery_flow(f->client), on_metadata);
    else
        lock(f);
}

static void free_end(ag_flow *f)
{
    ag_str_free(&f->client->env.alloc, &((end_flow *)f)->revoked);
    ag_str_free(&f->client->env.alloc, &((end_flow *)f)->only);
}

ag_flow *ag_end_flow(ag_client *c, bool revoke_it, bool force, ag_view only)
{
    static const ag_flow_type type = { sizeof(end_flow), start_end, free_end };
    end_flow *end = (end_flow *)ag_flow_new(c, &type);
    if (end == NULL)
        return NULL;
    end->revoke = revoke_it;
    end->force = force;
    if (!ag_str_set_view(&c->env.alloc, &end->only, only)) {
        ag_flow_free(&end->base);
        return NULL;
    }
    return &end->base;
}
