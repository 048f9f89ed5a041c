/* flow_promotion: what goes into the authorization request that makes an anonymous user one with an account: by the device
 * key, if the session is of its user, else by a promotion code. Must never promote another user than the session's. */
#include "core/anonymous.h"
#include "core/flow_anonymous.h"
#include "core/flow_device_key.h"
#include "core/flow_userinfo.h"

#define AG_IS_ANONYMOUS "https://authgear.com/claims/user/is_anonymous"

typedef struct promotion_flow {
    ag_flow base;
    ag_str *hint, *secret, *sub;        /* borrowed */
    ag_str sent;                /* the refresh token that a code was asked for with */
    ag_str jwt, key_id;
    ag_flow *asking;            /* borrowed: the child that asks for user info */
} promotion_flow;

static void fail_memory(ag_flow *f)
{
    (void)ag_fail(&f->err, AG_E_MEMORY, "no memory for a promotion");
    ag_flow_fail(f);
}

static void finish(promotion_flow *p, const char *name, const ag_str *value)
{
    ag_flow *f = &p->base;
    const ag_alloc *a = &f->client->env.alloc;
    if (ag_anonymous_hint(a, name, ag_str_view(value), p->hint) && ag_str_set_view(a, p->secret, ag_str_view(value)))
        ag_flow_done(f);
    else
        fail_memory(f);
}

static void on_signed(ag_flow *f, const ag_input *in)
{
    promotion_flow *p = (promotion_flow *)f;
    if (in->ok)
        finish(p, "jwt", &p->jwt);
    else
        ag_flow_fail_with(f, in->err);
}

static void on_code(ag_flow *f, const ag_input *in)
{
    promotion_flow *p = (promotion_flow *)f;
    ag_client *c = f->client;
    ag_str code = { NULL, 0 };
    if (!in->ok)
        ag_flow_fail_with(f, in->err);
    else if (ag_promotion_code_read(c, &in->answer, ag_str_view(&p->sent), &code, &f->err))
        finish(p, "promotion_code", &code);
    else
        ag_flow_fail(f);
    ag_str_free(&c->env.alloc, &code);
}

static void choose(promotion_flow *p)
{
    ag_flow *f = &p->base;
    ag_client *c = f->client;
    const ag_record *r = &c->session.record;
    if (ag_anonymous_is_of_key(r, ag_str_view(p->sub)))
        ag_flow_call(f, ag_device_jwt_flow(c, "promote", &p->jwt, &p->key_id), on_signed);
    else if (!ag_str_set_view(&c->env.alloc, &p->sent, ag_str_view(&r->refresh_token)))
        fail_memory(f);
    else if (ag_promotion_code_request(c, ag_str_view(&p->sent), &f->request, &f->err))
        ag_flow_send(f, on_code);
    else
        ag_flow_fail(f);
}

/* Whose session it is, and is that user anonymous? */
static void look_at(promotion_flow *p, const ag_json *claims)
{
    ag_flow *f = &p->base;
    ag_view sub;
    bool anonymous;
    if (!ag_json_bool(claims, AG_IS_ANONYMOUS, &anonymous))
        anonymous = true;       /* nobody says: the server knows */
    if (!anonymous)
        (void)ag_fail(&f->err, AG_E_NOT_ANONYMOUS, "the user has an account already");
    else if (!ag_json_string(claims, "sub", &sub))
        (void)ag_fail(&f->err, AG_E_INVALID_RESPONSE, "user info do not say whose they are");
    else if (ag_str_set_view(&f->client->env.alloc, p->sub, sub)) {
        choose(p);
        return;
    } else {
        (void)ag_fail(&f->err, AG_E_MEMORY, "no memory for a promotion");
    }
    ag_flow_fail(f);
}

static void on_userinfo(ag_flow *f, const ag_input *in)
{
    promotion_flow *p = (promotion_flow *)f;
    if (in->ok)
        look_at(p, ag_userinfo_claims(p->asking));
    else
        ag_flow_fail_with(f, in->err);
}

/* Asked each time: what is stored may be older than a promotion whose answer was lost. */
static void start_promotion(ag_flow *f)
{
    promotion_flow *p = (promotion_flow *)f;
    p->asking = ag_userinfo_flow(f->client);
    ag_flow_call(f, p->asking, on_userinfo);
}

static void free_promotion(ag_flow *f)
{
    promotion_flow *p = (promotion_flow *)f;
    const ag_alloc *a = &f->client->env.alloc;
    ag_str_free(a, &p->sent);
    ag_str_free(a, &p->jwt);
    ag_str_free(a, &p->key_id);
}

ag_flow *ag_promotion_flow(ag_client *c, ag_str *hint, ag_str *secret, ag_str *sub)
{
    static const ag_flow_type type = { sizeof(promotion_flow), start_promotion, free_promotion };
    promotion_flow *p = (promotion_flow *)ag_flow_new(c, &type);
    if (p == NULL)
        return NULL;
    p->hint = hint;
    p->secret = secret;
    p->sub = sub;
    return &p->base;
}
