/* flow_login: starting and finishing a login (RFC 6749 section 4.1, RFC 8252). */
#include "core/flow_login.h"

#include <string.h>

#include "core/crypto.h"
#include "core/http.h"
#include "core/id_token.h"
#include "core/token.h"
#include "core/userinfo.h"
#include "core/withhold.h"

#define AG_MAX_LOGINS 16
#define AG_LOGIN_LIFE_MS (60 * 60 * 1000)

#define AG_SCOPES "openid offline_access https://authgear.com/scopes/full-access"
#define AG_SCOPES_PRE AG_SCOPES " device_sso https://authgear.com/scopes/pre-authenticated-url"

/* ---- start ---- */

enum { O_REDIRECT_URI, O_X_STATE, O_PROMPT, O_LOGIN_HINT, O_UI_LOCALES, O_COLOR_SCHEME, O_PAGE, O_ALIAS, O_GROUP, O_COUNT };

typedef struct start_flow {
    ag_flow base;
    ag_str options[O_COUNT];
    char state[AG_RANDOM_TEXT_LEN + 1];
} start_flow;

static void drop_old_logins(ag_client *c)
{
    ag_login **at = &c->logins;
    unsigned kept = 0;
    while (*at != NULL) {
        ag_login *l = *at;
        if (++kept < AG_MAX_LOGINS && c->env.boot_ms - l->started_ms < AG_LOGIN_LIFE_MS) {
            at = &l->next;
        } else {
            *at = l->next;
            ag_login_free(&c->env.alloc, l);
        }
    }
}

static ag_view scopes_of(const ag_client *c)
{
    if (c->scopes.p != NULL)
        return ag_str_view(&c->scopes);
    return c->pre_authenticated_url_enabled ? AG_LIT(AG_SCOPES_PRE) : AG_LIT(AG_SCOPES);
}

static bool make_url(start_flow *s, ag_login *l)
{
    ag_flow *f = &s->base;
    const ag_client *c = f->client;
    const ag_authz_options o = {
        .redirect_uri = ag_str_view(&s->options[O_REDIRECT_URI]),
        .x_state = ag_str_view(&s->options[O_X_STATE]),
        .prompt = ag_str_view(&s->options[O_PROMPT]),
        .login_hint = ag_str_view(&s->options[O_LOGIN_HINT]),
        .ui_locales = ag_str_view(&s->options[O_UI_LOCALES]),
        .color_scheme = ag_str_view(&s->options[O_COLOR_SCHEME]),
        .page = ag_str_view(&s->options[O_PAGE]),
        .oauth_provider_alias = ag_str_view(&s->options[O_ALIAS]),
        .authentication_flow_group = ag_str_view(&s->options[O_GROUP]),
        .sso_enabled = c->sso_enabled
    };
    return ag_authz_url(&c->env.alloc, &c->metadata, ag_str_view(&c->client_id), scopes_of(c), &o, l,
                        &f->text, &f->err);
}

static void on_start_metadata(ag_flow *f, const ag_input *in)
{
    start_flow *s = (start_flow *)f;
    ag_client *c = f->client;
    ag_login *l;
    if (!in->ok) {
        ag_flow_fail_with(f, in->err);
        return;
    }
    l = ag_login_new(&c->env, ag_str_view(&s->options[O_REDIRECT_URI]), &f->err);
    if (l == NULL || !make_url(s, l)) {
        if (l != NULL)
            ag_login_free(&c->env.alloc, l);
        ag_flow_fail(f);
        return;
    }
    memcpy(s->state, l->state, sizeof s->state);
    drop_old_logins(c);
    l->next = c->logins;
    c->logins = l;
    ag_flow_done(f);
}

/* What is stored is read first: a damaged or foreign record shows up before the user types a password. */
static void on_start_loaded(ag_flow *f, const ag_input *in)
{
    if (ag_flow_adopt(f, in))
        ag_flow_call(f, ag_discovery_flow(f->client), on_start_metadata);
    else
        ag_flow_fail(f);
}

static void start_start(ag_flow *f)
{
    ag_flow_want(f, AG_FX_LOAD, on_start_loaded);
}

static void free_start(ag_flow *f)
{
    start_flow *s = (start_flow *)f;
    size_t i;
    for (i = 0; i < O_COUNT; i++)
        ag_str_free(&f->client->env.alloc, &s->options[i]);
}

ag_flow *ag_login_start_flow(ag_client *c, const ag_authz_options *o)
{
    static const ag_flow_type type = { sizeof(start_flow), start_start, free_start };
    const ag_view from[O_COUNT] = {
        o->redirect_uri, o->x_state, o->prompt, o->login_hint, o->ui_locales, o->color_scheme, o->page,
        o->oauth_provider_alias, o->authentication_flow_group
    };
    start_flow *s = (start_flow *)ag_flow_new(c, &type);
    size_t i;
    if (s == NULL)
        return NULL;
    for (i = 0; i < O_COUNT; i++) {
        if (!ag_str_set_view(&c->env.alloc, &s->options[i], from[i])) {
            ag_flow_free(&s->base);
            return NULL;
        }
    }
    return &s->base;
}

ag_view ag_login_url(const ag_flow *start)
{
    return ag_str_view(&start->text);
}

ag_view ag_login_state(const ag_flow *start)
{
    return ag_view_of(((const start_flow *)start)->state);
}

/* Takes the login with this state out of the client's list; NULL: there is none. */
static ag_login *take_login(ag_client *c, ag_view state)
{
    ag_login **at;
    for (at = &c->logins; *at != NULL; at = &(*at)->next) {
        ag_login *l = *at;
        if (ag_secret_eq(l->state, AG_RANDOM_TEXT_LEN, state.p, state.n)) {
            *at = l->next;
            l->next = NULL;
            return l;
        }
    }
    return NULL;
}

void ag_login_cancel(ag_client *c, ag_view state)
{
    ag_login *l = take_login(c, state);
    if (l != NULL)
        ag_login_free(&c->env.alloc, l);
}

/* ---- finish ---- */

typedef struct finish_flow {
    ag_flow base;
    ag_str url;                 /* the callback */
    ag_str code;
    ag_login *login;            /* owned, taken out of the client: a code is tried once */
    ag_token_answer tokens;
    ag_str sub;
    ag_json *claims;            /* owned */
    bool partial;
    ag_record record;           /* to be stored */
} finish_flow;

/* What this login knows is not the client's yet, or no more: it is kept out of an error here. */
static void withhold_own(finish_flow *x, ag_err *e)
{
    const ag_record *r = &x->record;
    const ag_view secrets[] = {
        ag_str_view(&x->code), ag_view_of(x->login->state), ag_view_of(x->login->verifier), ag_str_view(&r->access_token),
        ag_str_view(&r->refresh_token), ag_str_view(&r->id_token), ag_str_view(&r->device_secret)
    };
    size_t i;
    for (i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        const ag_view one[] = { secrets[i], { NULL, 0 } };
        if (secrets[i].n >= 8)  /* a shorter one is none of a server's, and words match it by chance */
            ag_err_withhold(e, one);
    }
}

static void fail_with(ag_flow *f, const ag_err *e)
{
    f->err = *e;
    withhold_own((finish_flow *)f, &f->err);
    ag_flow_fail(f);
}

static void give_up(ag_flow *f, const ag_err *e)
{
    f->err = *e;
    withhold_own((finish_flow *)f, &f->err);
    ag_flow_give_up(f, &f->err);
}

static void on_stored(ag_flow *f, const ag_input *in)
{
    finish_flow *x = (finish_flow *)f;
    ag_client *c = f->client;
    if (!in->ok) {
        give_up(f, in->err);
        return;
    }
    ag_session_login(&c->env.alloc, &c->session, &x->record);
    ag_flow_end_well(f);
}

/* The new session replaces the old one; the keys stay. */
static void on_loaded(ag_flow *f, const ag_input *in)
{
    finish_flow *x = (finish_flow *)f;
    ag_client *c = f->client;
    const ag_alloc *a = &c->env.alloc;
    const ag_record *old = &c->session.record;
    if (!ag_flow_adopt(f, in)) {
        give_up(f, &f->err);
        return;
    }
    if (!ag_str_set_view(a, &x->record.anonymous_key_id, ag_str_view(&old->anonymous_key_id))
            || !ag_str_set_view(a, &x->record.dpop_key_id, ag_str_view(&old->dpop_key_id))
            || !ag_str_set_view(a, &x->record.dpop_jkt, ag_str_view(&old->dpop_jkt))) {
        (void)ag_fail(&f->err, AG_E_MEMORY, "no memory to store the login");
        give_up(f, &f->err);
    } else if (!ag_flow_want_stored(f, &x->record, on_stored)) {
        give_up(f, &f->err);
    }
}

static void on_locked(ag_flow *f, const ag_input *in)
{
    if (in->ok)
        ag_flow_want(f, AG_FX_LOAD, on_loaded);
    else
        fail_with(f, in->err);
}

static void store(finish_flow *x)
{
    ag_flow *f = &x->base;
    ag_flow_call(f, ag_lock_flow(f->client, f, false, (ag_view){ NULL, 0 }), on_locked);
}

/* The login is complete already: a user info endpoint that cannot be reached must not undo it. The claims are
 * those of the ID token then. Anything else (another user's claims, a refusal) does undo it. */
static void on_userinfo(ag_flow *f, const ag_input *in)
{
    finish_flow *x = (finish_flow *)f;
    ag_client *c = f->client;
    const ag_view token = ag_str_view(&x->record.access_token);
    if (!in->ok)
        f->err = *in->err;
    else
        x->claims = ag_userinfo_read(c, &in->answer, ag_str_view(&x->sub), token, &f->err);
    if (x->claims == NULL && f->err.retryable) {
        x->claims = ag_id_token_payload(&c->env.alloc, ag_str_view(&x->record.id_token), &f->err);
        x->partial = true;
    }
    if (x->claims != NULL) {
        store(x);
        return;
    }
    fail_with(f, &f->err);
}

/* What the server's clock says, if it says so: a wrong clock on this machine must not refuse a good login. */
static int64_t server_time(const ag_client *c, const ag_answer *ans)
{
    ag_view date;
    int64_t s;
    if (ag_http_header(ans->headers, "Date", &date) && ag_http_date(date, &s))
        return s;
    return c->env.wall_ms / 1000;
}

static bool check_tokens(finish_flow *x, const ag_answer *ans)
{
    ag_flow *f = &x->base;
    ag_client *c = f->client;
    const ag_view withhold[] = {
        ag_str_view(&x->code), ag_view_of(x->login->verifier), ag_view_of(x->login->state),
        ag_str_view(&c->client_secret), { NULL, 0 }
    };
    if (!ag_token_read(c, ans, withhold, &x->tokens, &f->err))
        return false;
    if (x->tokens.id_token.p == NULL)
        return ag_fail(&f->err, AG_E_ID_TOKEN, "the token answer has no ID token");
    if (x->tokens.refresh_token.p == NULL)
        return ag_fail(&f->err, AG_E_INVALID_RESPONSE, "the token answer has no refresh token (scope offline_access?)");
    return ag_id_token_check(&c->env.alloc, ag_str_view(&x->tokens.id_token), ag_str_view(&c->metadata.issuer),
                             ag_str_view(&c->client_id), server_time(c, ans), &x->sub, &f->err);
}

static void on_tokens(ag_flow *f, const ag_input *in)
{
    finish_flow *x = (finish_flow *)f;
    ag_client *c = f->client;
    if (!in->ok) {
        fail_with(f, in->err);
        return;
    }
    if (!check_tokens(x, &in->answer)) {
        fail_with(f, &f->err);
        return;
    }
    ag_token_apply(&c->env, &x->tokens, &x->record);
    if (ag_userinfo_request(c, ag_str_view(&x->record.access_token), &f->request, &f->err)) {
        ag_flow_send(f, on_userinfo);
    } else if (f->err.code == AG_E_DISCOVERY) {     /* no such endpoint: the ID token says who it is */
        x->claims = ag_id_token_payload(&c->env.alloc, ag_str_view(&x->record.id_token), &f->err);
        if (x->claims != NULL)
            store(x);
        else
            fail_with(f, &f->err);
    } else {
        fail_with(f, &f->err);
    }
}

static void on_finish_metadata(ag_flow *f, const ag_input *in)
{
    finish_flow *x = (finish_flow *)f;
    ag_client *c = f->client;
    if (!in->ok)
        fail_with(f, in->err);
    else if (ag_callback_read(&c->env.alloc, &c->metadata, x->login, ag_str_view(&x->url), &x->code, &f->err)
             && ag_token_code_request(c, x->login, ag_str_view(&x->code), &f->request, &f->err))
        ag_flow_want(f, AG_FX_SEND, on_tokens);
    else
        fail_with(f, &f->err);
}

static void start_finish(ag_flow *f)
{
    finish_flow *x = (finish_flow *)f;
    ag_client *c = f->client;
    ag_str state = { NULL, 0 };
    if (!ag_callback_state(&c->env.alloc, ag_str_view(&x->url), &state, &f->err)) {
        ag_flow_fail(f);
    } else {
        x->login = take_login(c, ag_str_view(&state));
        if (x->login != NULL) {
            ag_flow_call(f, ag_discovery_flow(c), on_finish_metadata);
        } else {
            (void)ag_fail(&f->err, c->logins != NULL ? AG_E_STATE_MISMATCH : AG_E_NO_LOGIN,
                          "no login with the callback's state has been started here");
            ag_flow_fail(f);
        }
    }
    ag_str_free(&c->env.alloc, &state);
}

static void free_finish(ag_flow *f)
{
    finish_flow *x = (finish_flow *)f;
    const ag_alloc *a = &f->client->env.alloc;
    ag_str_free(a, &x->url);
    ag_str_free(a, &x->code);
    ag_str_free(a, &x->sub);
    ag_token_answer_free(a, &x->tokens);
    ag_record_free(a, &x->record);
    ag_json_free(x->claims);
    if (x->login != NULL)
        ag_login_free(a, x->login);
}

ag_flow *ag_login_finish_flow(ag_client *c, ag_view callback_url)
{
    static const ag_flow_type type = { sizeof(finish_flow), start_finish, free_finish };
    finish_flow *x = (finish_flow *)ag_flow_new(c, &type);
    if (x == NULL)
        return NULL;
    if (!ag_str_set_view(&c->env.alloc, &x->url, callback_url)) {
        ag_flow_free(&x->base);
        return NULL;
    }
    return &x->base;
}

const ag_json *ag_login_claims(const ag_flow *finish, bool *partial)
{
    const finish_flow *x = (const finish_flow *)finish;
    *partial = x->partial;
    return x->claims;
}
