/* flow_userinfo: the claims about the session's user, with a fresh token; it tells
 * whether the session still lives at the server. Must never end it: that is the refresh's. */
#include "core/flow_userinfo.h"

#include "core/id_token.h"
#include "core/userinfo.h"

typedef struct userinfo_flow {
    ag_flow base;
    ag_str sent_token;
    bool refreshed;         /* after a refusal; once is all */
    ag_json *claims;        /* owned */
} userinfo_flow;

static const ag_view none = { NULL, 0 };

static void ask_for_token(ag_flow *f, ag_view refused);

static void no_session(ag_flow *f, int status)
{
    if (status == 401)
        (void)ag_fail(&f->err, AG_E_SESSION_REVOKED, "the session has ended at the server");
    else
        (void)ag_fail(&f->err, AG_E_NO_SESSION, "nobody is logged in");
    f->err.status = status;
    ag_flow_fail(f);
}

/* The subject of the stored ID token, if there is one: user info must be of the same user. */
static bool read_answer(userinfo_flow *u, const ag_answer *ans)
{
    ag_flow *f = &u->base;
    ag_client *c = f->client;
    const ag_record *r = &c->session.record;
    ag_json *held = NULL;
    ag_view sub = none;
    ag_err why;
    ag_err_clear(&why);
    if (r->id_token.p != NULL)
        held = ag_id_token_payload(&c->env.alloc, ag_str_view(&r->id_token), &why);
    if (why.code == AG_E_MEMORY) {
        f->err = why;           /* whose claims they are could not be checked */
        return false;
    }
    if (held != NULL)
        (void)ag_json_string(held, "sub", &sub);
    u->claims = ag_userinfo_read(c, ans, sub, ag_str_view(&u->sent_token), &f->err);
    ag_json_free(held);
    return u->claims != NULL;
}

static void on_answer(ag_flow *f, const ag_input *in)
{
    userinfo_flow *u = (userinfo_flow *)f;
    ag_err ignored;
    if (!in->ok)
        ag_flow_fail_with(f, in->err);
    else if (in->answer.status == 401 && !u->refreshed && !ag_dpop_is_refused(&in->answer, &ignored)) {
        u->refreshed = true;
        ask_for_token(f, ag_str_view(&u->sent_token));
    } else if (read_answer(u, &in->answer))
        ag_flow_done(f);
    else
        ag_flow_fail(f);
}

static void on_metadata(ag_flow *f, const ag_input *in)
{
    userinfo_flow *u = (userinfo_flow *)f;
    ag_client *c = f->client;
    const ag_str *token = &c->session.record.access_token;
    if (!in->ok)
        ag_flow_fail_with(f, in->err);
    else if (token->p == NULL)
        no_session(f, u->refreshed ? 401 : 0);
    else if (!ag_str_set_view(&c->env.alloc, &u->sent_token, ag_str_view(token))) {
        (void)ag_fail(&f->err, AG_E_MEMORY, "no memory for user info");
        ag_flow_fail(f);
    } else if (ag_userinfo_request(c, &c->session.record, &f->request, &f->err))
        ag_flow_send(f, on_answer);
    else
        ag_flow_fail(f);
}

static void on_token(ag_flow *f, const ag_input *in)
{
    userinfo_flow *u = (userinfo_flow *)f;
    if (!in->ok)
        ag_flow_fail_with(f, in->err);
    else if (f->client->session.record.refresh_token.p == NULL)
        no_session(f, u->refreshed ? 401 : 0);
    else
        ag_flow_call(f, ag_discovery_flow(f->client), on_metadata);
}

static void ask_for_token(ag_flow *f, ag_view refused)
{
    if (ag_str_set_view(&f->client->env.alloc, &f->text, refused)) {
        ag_flow_want(f, AG_FX_REFRESH, on_token);
        return;
    }
    (void)ag_fail(&f->err, AG_E_MEMORY, "no memory for user info");
    ag_flow_fail(f);
}

static void start_userinfo(ag_flow *f)
{
    ask_for_token(f, none);
}

static void free_userinfo(ag_flow *f)
{
    userinfo_flow *u = (userinfo_flow *)f;
    ag_str_free(&f->client->env.alloc, &u->sent_token);
    ag_json_free(u->claims);
}

ag_flow *ag_userinfo_flow(ag_client *c)
{
    static const ag_flow_type type = { sizeof(userinfo_flow), start_userinfo, free_userinfo };
    return ag_flow_new(c, &type);
}

const ag_json *ag_userinfo_claims(const ag_flow *f)
{
    return ((const userinfo_flow *)f)->claims;
}

ag_json *ag_userinfo_take(ag_flow *f)
{
    userinfo_flow *u = (userinfo_flow *)f;
    ag_json *claims = u->claims;
    u->claims = NULL;
    return claims;
}
