/* flow_device_key: see flow_device_key.h. */
#include "core/flow_device_key.h"

#include "core/anonymous.h"

/* ---- making sure of the key ---- */

typedef struct key_flow {
    ag_flow base;
    ag_record record;
} key_flow;

static void on_key_stored(ag_flow *f, const ag_input *in)
{
    ag_client *c = f->client;
    if (!in->ok) {
        ag_flow_give_up(f, in->err);
        return;
    }
    ag_session_adopt(&c->env.alloc, &c->session, &((key_flow *)f)->record, AG_REASON_FOUND_TOKEN);
    ag_flow_end_well(f);
}

static void on_key_loaded(ag_flow *f, const ag_input *in)
{
    key_flow *k = (key_flow *)f;
    ag_client *c = f->client;
    if (!ag_flow_adopt(f, in)) {
        ag_flow_give_up(f, &f->err);
    } else if (c->session.record.anonymous_key.p != NULL) {
        ag_flow_end_well(f);
    } else if (!ag_record_copy(&c->env.alloc, &k->record, &c->session.record)) {
        (void)ag_fail(&f->err, AG_E_MEMORY, "no memory for a device key");
        ag_flow_give_up(f, &f->err);
    } else if (!ag_anonymous_make_key(&c->env, &k->record, &f->err) || !ag_flow_want_stored(f, &k->record, on_key_stored)) {
        ag_flow_give_up(f, &f->err);
    }
}

static void on_key_locked(ag_flow *f, const ag_input *in)
{
    if (in->ok)
        ag_flow_want(f, AG_FX_LOAD, on_key_loaded);
    else
        ag_flow_fail_with(f, in->err);
}

static void on_key_looked_up(ag_flow *f, const ag_input *in)
{
    if (!ag_flow_adopt(f, in))
        ag_flow_fail(f);
    else if (f->client->session.record.anonymous_key.p != NULL)
        ag_flow_done(f);
    else
        ag_flow_call(f, ag_lock_flow(f->client, f, false, (ag_view){ NULL, 0 }), on_key_locked);
}

static void start_key(ag_flow *f)
{
    ag_flow_want(f, AG_FX_LOAD, on_key_looked_up);
}

static void free_key(ag_flow *f)
{
    ag_record_free(&f->client->env.alloc, &((key_flow *)f)->record);
}

ag_flow *ag_device_key_flow(ag_client *c)
{
    static const ag_flow_type type = { sizeof(key_flow), start_key, free_key };
    return ag_flow_new(c, &type);
}

/* ---- signing with it ---- */

typedef struct jwt_flow {
    ag_flow base;
    const char *action;
    ag_str *jwt, *key_id;       /* borrowed */
} jwt_flow;

static bool sign(jwt_flow *j, const ag_answer *ans)
{
    ag_flow *f = &j->base;
    ag_client *c = f->client;
    const ag_alloc *a = &c->env.alloc;
    const ag_record *r = &c->session.record;
    ag_str challenge = { NULL, 0 };
    bool ok = ag_challenge_read(c, ans, &challenge, &f->err)
        && ag_anonymous_jwt(c, r, ag_str_view(&challenge), j->action, ag_answer_time(ans, c->env.wall_ms), j->jwt, &f->err);
    if (ok && !ag_str_set_view(a, j->key_id, ag_str_view(&r->anonymous_key_id)))
        ok = ag_fail(&f->err, AG_E_MEMORY, "no memory to sign");
    ag_str_free(a, &challenge);
    return ok;
}

static void on_challenge(ag_flow *f, const ag_input *in)
{
    if (!in->ok)
        ag_flow_fail_with(f, in->err);
    else if (sign((jwt_flow *)f, &in->answer))
        ag_flow_done(f);
    else
        ag_flow_fail(f);
}

static void start_jwt(ag_flow *f)
{
    if (ag_challenge_request(f->client, &f->request, &f->err))
        ag_flow_send(f, on_challenge);
    else
        ag_flow_fail(f);
}

ag_flow *ag_device_jwt_flow(ag_client *c, const char *action, ag_str *jwt, ag_str *key_id)
{
    static const ag_flow_type type = { sizeof(jwt_flow), start_jwt, NULL };
    jwt_flow *j = (jwt_flow *)ag_flow_new(c, &type);
    if (j == NULL)
        return NULL;
    j->action = action;
    j->jwt = jwt;
    j->key_id = key_id;
    return &j->base;
}
