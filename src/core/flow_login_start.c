/* flow_login_start: the first half: what is needed for the authorization URL, the URL, and what is remembered of it. */
#include "core/flow_login.h"

#include <string.h>

#include "core/app_session.h"
#include "core/flow_anonymous.h"
#include "core/flow_app_session.h"
#include "core/flow_dpop.h"
#include "core/id_token.h"
#include "core/login_kept.h"

#define AG_OFFLINE "offline_access"
#define AG_SCOPES "openid " AG_OFFLINE " https://authgear.com/scopes/full-access"
#define AG_SCOPES_PRE AG_SCOPES " device_sso https://authgear.com/scopes/pre-authenticated-url"

typedef struct start_flow {
    ag_flow base;
    ag_authz_kind kind;
    ag_str redirect_uri;
    ag_str params[AG_PARAM_COUNT];
    double max_age_s;
    ag_str sub;                 /* whose session it is about; not there: nobody's */
    ag_str secret;              /* what the login_hint carries, or not there */
    ag_str url;                 /* the result */
    bool stays;                 /* it is finished by this process */
    char state[AG_RANDOM_TEXT_LEN + 1];
    char name[AG_LOGIN_NAME_LEN + 1];
} start_flow;

/* The scopes; without offline_access where no new session is asked for, but another proof of the one there is. */
static void add_scopes(const start_flow *s, ag_buf *out)
{
    const ag_client *c = s->base.client;
    const bool all = s->kind != AG_AUTHZ_REAUTHENTICATION && s->kind != AG_AUTHZ_SETTINGS;
    ag_view left = c->pre_authenticated_url_enabled ? AG_LIT(AG_SCOPES_PRE) : AG_LIT(AG_SCOPES);
    if (c->scopes.p != NULL)
        left = ag_str_view(&c->scopes);
    while (left.n > 0) {
        const char *end = memchr(left.p, ' ', left.n);
        const ag_view one = { left.p, end == NULL ? left.n : (size_t)(end - left.p) };
        const size_t used = one.n + (end != NULL);
        if (all || !ag_view_eq(one, AG_LIT(AG_OFFLINE))) {
            if (out->n > 0)
                ag_buf_char(out, ' ');
            ag_buf_view(out, one);
        }
        left.p += used;
        left.n -= used;
    }
}

static bool make_url(start_flow *s, ag_login *l)
{
    ag_flow *f = &s->base;
    const ag_client *c = f->client;
    const ag_alloc *a = &c->env.alloc;
    ag_authz_options o = {
        .kind = s->kind, .redirect_uri = ag_str_view(&s->redirect_uri), .max_age_s = s->max_age_s, .sso_enabled = c->sso_enabled
    };
    ag_buf scopes;
    size_t i;
    bool ok;
    for (i = 0; i < AG_PARAM_COUNT; i++)
        o.params[i] = ag_str_view(&s->params[i]);
    ag_buf_init(&scopes, a, AG_BUF_NO_LIMIT);
    add_scopes(s, &scopes);
    if (scopes.bad)
        ok = ag_fail(&f->err, AG_E_MEMORY, "no memory for the authorization URL");
    else
        ok = ag_authz_url(a, &c->metadata, ag_str_view(&c->client_id), (ag_view){ scopes.p, scopes.n }, &o, l,
                          &s->url, &f->err);
    ag_buf_free(&scopes);
    return ok;
}

/* NULL: f->err. */
static ag_login *make_login(start_flow *s)
{
    ag_flow *f = &s->base;
    const ag_env *env = &f->client->env;
    ag_login *l = ag_login_new(env, s->kind, ag_str_view(&s->redirect_uri), &f->err);
    if (l == NULL)
        return NULL;
    l->max_age_s = s->max_age_s;
    if (ag_str_set_view(&env->alloc, &l->sub, ag_str_view(&s->sub))
            && ag_str_set_view(&env->alloc, &l->secret, ag_str_view(&s->secret))
            && ag_str_set_view(&env->alloc, &l->action, ag_str_view(&s->params[AG_PARAM_SETTINGS_ACTION])))
        return l;
    (void)ag_fail(&f->err, AG_E_MEMORY, "no memory for a login");
    ag_login_free(&env->alloc, l);
    return NULL;
}

static bool binds_code(const start_flow *s)
{
    return s->base.client->use_dpop && s->kind < AG_AUTHZ_PAGE;
}

/* With DPoP the code is of use to nobody who has not the key (RFC 9449 section 10). */
static bool bind_code(start_flow *s, ag_login *l)
{
    ag_flow *f = &s->base;
    const ag_client *c = f->client;
    if (!binds_code(s))
        return true;
    memcpy(l->jkt, c->dpop->jkt, sizeof l->jkt);
    return ag_str_set_view(&c->env.alloc, &s->params[AG_PARAM_DPOP_JKT], ag_view_of(l->jkt))
        || ag_fail(&f->err, AG_E_MEMORY, "no memory for a login");
}

static void on_kept(ag_flow *f, const ag_input *in)
{
    if (in->ok)
        ag_flow_done(f);
    else
        ag_flow_fail_with(f, in->err);
}

/* Where the storage keeps logins, this process does not: the callback may come to any, and is good for one. */
static void keep(start_flow *s, ag_login *l)
{
    ag_flow *f = &s->base;
    ag_client *c = f->client;
    memcpy(s->state, l->state, sizeof s->state);
    if (!c->keeps_logins || s->stays) {
        ag_logins_add(&c->env, &c->logins, l);
        ag_flow_done(f);
        return;
    }
    if (!ag_login_name(c, l->kind, ag_view_of(l->state), s->name)) {
        (void)ag_fail(&f->err, AG_E_MEMORY, "no memory for a login");
        ag_flow_fail(f);
    } else if (!ag_login_seal(c, l, &f->text, &f->err)) {
        ag_flow_fail(f);
    } else {
        f->name = ag_view_of(s->name);
        f->seconds = AG_LOGIN_LIFE_MS / 1000.0;
        ag_flow_want(f, AG_FX_KEEP, on_kept);
    }
    ag_login_free(&c->env.alloc, l);
}

static void on_ready(ag_flow *f, const ag_input *in)
{
    start_flow *s = (start_flow *)f;
    ag_client *c = f->client;
    ag_login *l;
    if (!in->ok) {
        ag_flow_fail_with(f, in->err);
        return;
    }
    if (s->kind == AG_AUTHZ_PAGE) {     /* nothing comes back */
        if (make_url(s, NULL))
            ag_flow_done(f);
        else
            ag_flow_fail(f);
        return;
    }
    l = make_login(s);
    if (l == NULL || !bind_code(s, l) || !make_url(s, l)) {
        if (l != NULL)
            ag_login_free(&c->env.alloc, l);
        ag_flow_fail(f);
        return;
    }
    keep(s, l);
}

/* What the stored ID token says of the session's user; false: f->err. */
static bool read_id_token(start_flow *s)
{
    ag_flow *f = &s->base;
    const ag_alloc *a = &f->client->env.alloc;
    const ag_view token = ag_str_view(&f->client->session.record.id_token);
    ag_json *claims = ag_id_token_payload(a, token, &f->err);
    ag_view sub;
    bool able = false, ok;
    if (claims == NULL)
        return false;
    if (!ag_json_bool(claims, AG_CLAIM_CAN_REAUTHENTICATE, &able))
        able = false;
    if (s->kind == AG_AUTHZ_REAUTHENTICATION && !able)
        ok = ag_fail(&f->err, AG_E_CANNOT_REAUTHENTICATE, "this user has nothing to reauthenticate with (can_reauthenticate)");
    else if (!ag_json_string(claims, "sub", &sub))
        ok = ag_fail(&f->err, AG_E_ID_TOKEN, "the stored ID token has no subject");
    else if (!ag_str_set_view(a, &s->sub, sub) || !ag_str_set_view(a, &s->params[AG_PARAM_ID_TOKEN_HINT], token))
        ok = ag_fail(&f->err, AG_E_MEMORY, "no memory for a login");
    else
        ok = true;
    ag_json_free(claims);
    return ok;
}

/* Nothing more is asked of a server now: what has been got so far could come back in its errors. */
static void go_on(start_flow *s)
{
    ag_flow *f = &s->base;
    const bool of_user = s->kind == AG_AUTHZ_REAUTHENTICATION || s->kind == AG_AUTHZ_SETTINGS;
    ag_input in;
    if (of_user && !read_id_token(s)) {
        ag_flow_fail(f);
    } else if (binds_code(s)) {
        ag_flow_call(f, ag_dpop_key_flow(f->client), on_ready);
    } else {
        memset(&in, 0, sizeof in);
        in.ok = true;
        on_ready(f, &in);
    }
}

static void on_app_session(ag_flow *f, const ag_input *in)
{
    start_flow *s = (start_flow *)f;
    if (!in->ok) {
        ag_flow_fail_with(f, in->err);
    } else if (ag_app_session_hint(&f->client->env.alloc, ag_str_view(&s->secret), &s->params[AG_PARAM_LOGIN_HINT])) {
        go_on(s);
    } else {
        (void)ag_fail(&f->err, AG_E_MEMORY, "no memory for an app session token");
        ag_flow_fail(f);
    }
}

static void on_promotion(ag_flow *f, const ag_input *in)
{
    if (in->ok)
        go_on((start_flow *)f);
    else
        ag_flow_fail_with(f, in->err);
}

/* A hint that carries who it is. */
static void on_metadata(ag_flow *f, const ag_input *in)
{
    start_flow *s = (start_flow *)f;
    if (!in->ok)
        ag_flow_fail_with(f, in->err);
    else if (s->kind == AG_AUTHZ_SETTINGS || s->kind == AG_AUTHZ_PAGE)
        ag_flow_call(f, ag_app_session_flow(f->client, &s->secret), on_app_session);
    else if (s->kind == AG_AUTHZ_PROMOTION)
        ag_flow_call(f, ag_promotion_flow(f->client, &s->params[AG_PARAM_LOGIN_HINT], &s->secret, &s->sub), on_promotion);
    else
        go_on(s);
}

/* What is stored is read first: a damaged or foreign record shows up before the user types a password. */
static void on_loaded(ag_flow *f, const ag_input *in)
{
    const ag_authz_kind kind = ((const start_flow *)f)->kind;
    const bool of_session = kind != AG_AUTHZ_LOGIN && kind != AG_AUTHZ_PROMOTION;
    if (!ag_flow_adopt(f, in)) {
        ag_flow_fail(f);
    } else if (of_session && f->client->session.record.refresh_token.p == NULL) {
        (void)ag_fail(&f->err, AG_E_NO_SESSION, "nobody is logged in");
        ag_flow_fail(f);
    } else {
        ag_flow_call(f, ag_discovery_flow(f->client), on_metadata);
    }
}

static void start_start(ag_flow *f)
{
    ag_flow_want(f, AG_FX_LOAD, on_loaded);
}

static void free_start(ag_flow *f)
{
    start_flow *s = (start_flow *)f;
    const ag_alloc *a = &f->client->env.alloc;
    size_t i;
    ag_str_free(a, &s->redirect_uri);
    ag_str_free(a, &s->sub);
    ag_str_free(a, &s->secret);
    ag_str_free(a, &s->url);
    for (i = 0; i < AG_PARAM_COUNT; i++)
        ag_str_free(a, &s->params[i]);
}

/* A page may be named by its path at the endpoint. */
static bool set_redirect_uri(start_flow *s, ag_view uri)
{
    const ag_client *c = s->base.client;
    ag_buf b;
    bool ok;
    ag_buf_init(&b, &c->env.alloc, AG_BUF_NO_LIMIT);
    if (s->kind == AG_AUTHZ_PAGE && uri.n > 0 && uri.p[0] == '/')
        ag_buf_view(&b, ag_str_view(&c->endpoint));
    ag_buf_view(&b, uri);
    ok = ag_buf_take(&b, &s->redirect_uri);
    ag_buf_free(&b);
    return ok;
}

ag_flow *ag_login_start_flow(ag_client *c, const ag_authz_options *o)
{
    static const ag_flow_type type = { sizeof(start_flow), start_start, free_start };
    const ag_alloc *a = &c->env.alloc;
    start_flow *s = (start_flow *)ag_flow_new(c, &type);
    bool ok;
    size_t i;
    if (s == NULL)
        return NULL;
    s->kind = o->kind;
    s->max_age_s = o->max_age_s;
    s->stays = o->stays;
    ok = set_redirect_uri(s, o->redirect_uri);
    for (i = 0; ok && i < AG_PARAM_COUNT; i++)
        ok = ag_str_set_view(a, &s->params[i], o->params[i]);
    if (ok)
        return &s->base;
    ag_flow_free(&s->base);
    return NULL;
}

ag_view ag_login_url(const ag_flow *start)
{
    return ag_str_view(&((const start_flow *)start)->url);
}

ag_view ag_login_state(const ag_flow *start)
{
    return ag_view_of(((const start_flow *)start)->state);
}

void ag_login_cancel(ag_client *c, ag_view state)
{
    ag_login *l = ag_logins_take(&c->logins, state, AG_AUTHZ_KINDS);
    if (l != NULL)
        ag_login_free(&c->env.alloc, l);
}
