/* flow_app_session: a new app session token, for the session that is stored now. Must never take a refusal for the
 * session's end: that is the refresh's to find out, which is had once. */
#include "core/flow_app_session.h"

#include "core/app_session.h"

typedef struct app_session_flow {
    ag_flow base;
    ag_str *token;          /* borrowed */
    ag_str sent;            /* the refresh token that went to the server */
    bool refreshed;
} app_session_flow;

static void on_refreshed(ag_flow *f, const ag_input *in);

/* Another process may have replaced the refresh token meanwhile, or the session may be over: a refresh tells, and brings
 * the one that is good. */
static void on_answer(ag_flow *f, const ag_input *in)
{
    app_session_flow *s = (app_session_flow *)f;
    const ag_str *access = &f->client->session.record.access_token;
    if (!in->ok) {
        ag_flow_fail_with(f, in->err);
    } else if (ag_app_session_read(f->client, &in->answer, ag_str_view(&s->sent), s->token, &f->err)) {
        ag_flow_done(f);
    } else if (f->err.code == AG_E_OAUTH && !s->refreshed) {
        s->refreshed = true;
        if (ag_str_set_view(&f->client->env.alloc, &f->text, ag_str_view(access)))
            ag_flow_want(f, AG_FX_REFRESH, on_refreshed);
        else
            ag_flow_fail(f);
    } else {
        ag_flow_fail(f);
    }
}

static void on_refreshed(ag_flow *f, const ag_input *in)
{
    app_session_flow *s = (app_session_flow *)f;
    ag_client *c = f->client;
    const ag_view token = ag_str_view(&c->session.record.refresh_token);
    if (!in->ok) {
        ag_flow_fail_with(f, in->err);
        return;
    }
    if (token.p == NULL)
        (void)ag_fail(&f->err, s->refreshed ? AG_E_SESSION_REVOKED : AG_E_NO_SESSION,
                      s->refreshed ? "the session has ended at the server" : "nobody is logged in");
    else if (!ag_str_set_view(&c->env.alloc, &s->sent, token))
        (void)ag_fail(&f->err, AG_E_MEMORY, "no memory for an app session token");
    else if (ag_app_session_request(c, token, &f->request, &f->err)) {
        ag_flow_send(f, on_answer);
        return;
    }
    ag_flow_fail(f);
}

static void start_app_session(ag_flow *f)
{
    ag_flow_want(f, AG_FX_REFRESH, on_refreshed);
}

static void free_app_session(ag_flow *f)
{
    ag_str_free(&f->client->env.alloc, &((app_session_flow *)f)->sent);
}

ag_flow *ag_app_session_flow(ag_client *c, ag_str *token)
{
    static const ag_flow_type type = { sizeof(app_session_flow), start_app_session, free_app_session };
    app_session_flow *s = (app_session_flow *)ag_flow_new(c, &type);
    if (s == NULL)
        return NULL;
    s->token = token;
    return &s->base;
}
