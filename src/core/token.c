/* token: token requests and answers. */
#include "core/token.h"

#include <math.h>
#include <string.h>

#include "core/form.h"
#include "core/http.h"

#define AG_MAX_LIFETIME_S (10.0 * 366 * 86400)  /* longer makes no sense */
#define AG_DEFAULT_LIFETIME_S 300.0             /* RFC 6749 section 5.1: may be left out */

void ag_token_answer_free(const ag_alloc *a, ag_token_answer *t)
{
    ag_str_free(a, &t->access_token);
    ag_str_free(a, &t->refresh_token);
    ag_str_free(a, &t->id_token);
    ag_str_free(a, &t->device_secret);
    ag_str_free(a, &t->scope);
    ag_str_free(a, &t->token_type);
    ag_str_free(a, &t->dpop_jkt);
    t->expires_in_ms = 0;
}

/* What all token requests have in common; the form goes on from there. */
static bool begin(const ag_client *c, const char *grant_type, ag_request *out, ag_buf *form)
{
    const ag_alloc *a = &c->env.alloc;
    ag_request_reset(a, out, "POST");
    out->fresh = out->secret = out->keep_going = true;
    out->proof = c->use_dpop;
    ag_buf_init(form, a, AG_BUF_NO_LIMIT);
    ag_form_add(form, 0, "grant_type", ag_view_of(grant_type));
    return ag_str_set_view(a, &out->url, ag_str_view(&c->metadata.token_endpoint))
        && ag_request_header(a, out, "Accept", AG_LIT("application/json"))
        && ag_client_authenticate(c, out, form);
}

/* What belongs to a session that is bound is of use with its key only. */
static void prove_for(const ag_record *r, ag_request *out)
{
    if (r->dpop_jkt.p != NULL)
        ag_request_prove(out, ag_str_view(&r->dpop_jkt));
}

static bool finish(const ag_client *c, bool ok, ag_request *out, ag_buf *form, ag_err *e)
{
    ok = ok && ag_request_form(&c->env.alloc, out, form);
    ag_buf_free(form);
    return ok || ag_fail(e, AG_E_MEMORY, "no memory for a token request");
}

bool ag_token_code_request(const ag_client *c, const ag_login *l, ag_view code, ag_request *out, ag_err *e)
{
    ag_buf form;
    bool ok = begin(c, l->kind == AG_AUTHZ_SETTINGS ? "urn:authgear:params:oauth:grant-type:settings-action"
                                                    : "authorization_code", out, &form);
    if (l->jkt[0] != '\0')
        ag_request_prove(out, ag_view_of(l->jkt));
    ag_form_add(&form, 0, "code", code);
    ag_form_add(&form, 0, "redirect_uri", ag_str_view(&l->redirect_uri));
    ag_form_add(&form, 0, "code_verifier", ag_view_of(l->verifier));
    return finish(c, ok, out, &form, e);
}

bool ag_token_refresh_request(const ag_client *c, const ag_record *r, ag_request *out, ag_err *e)
{
    ag_buf form;
    bool ok = begin(c, "refresh_token", out, &form);
    prove_for(r, out);
    ag_form_add(&form, 0, "refresh_token", ag_str_view(&r->refresh_token));
    ag_form_add(&form, 0, "device_secret", ag_str_view(&r->device_secret));
    return finish(c, ok, out, &form, e);
}

bool ag_token_machine_request(const ag_client *c, ag_request *out, ag_err *e)
{
    ag_buf form;
    bool ok = begin(c, "client_credentials", out, &form);
    out->fresh = out->keep_going = false;       /* nothing is lost with an answer: the next one is as good */
    ag_form_add(&form, 0, "resource", ag_str_view(&c->resource));
    ag_form_add(&form, 0, "scope", ag_str_view(&c->scopes));
    return finish(c, ok, out, &form, e);
}

bool ag_token_anonymous_request(const ag_client *c, ag_view jwt, ag_request *out, ag_err *e)
{
    ag_buf form;
    bool ok = begin(c, "urn:authgear:params:oauth:grant-type:anonymous-request", out, &form);
    ag_form_add(&form, 0, "jwt", jwt);
    return finish(c, ok, out, &form, e);
}

bool ag_token_id_request(const ag_client *c, const ag_record *r, ag_request *out, ag_err *e)
{
    ag_buf form;
    bool ok = begin(c, "urn:authgear:params:oauth:grant-type:id-token", out, &form);
    out->fresh = out->keep_going = false;       /* nothing is lost with an answer: the next one is as good */
    prove_for(&c->session.record, out);
    return finish(c, ok && ag_request_authorize(&c->env.alloc, out, r), out, &form, e);
}

bool ag_token_exchange_request(const ag_client *c, const ag_record *r, ag_request *out, ag_err *e)
{
    ag_buf form, origin;
    ag_url u;
    bool ok = begin(c, "urn:ietf:params:oauth:grant-type:token-exchange", out, &form);
    prove_for(r, out);
    ag_buf_init(&origin, &c->env.alloc, AG_BUF_NO_LIMIT);
    if (ag_url_parse(ag_str_view(&c->endpoint), &u, e))
        ag_url_write_origin(&origin, &u);
    ag_form_add(&form, 0, "audience", (ag_view){ origin.p, origin.n });
    ag_form_add(&form, 0, "subject_token", ag_str_view(&r->id_token));
    ag_form_add(&form, 0, "subject_token_type", AG_LIT("urn:ietf:params:oauth:token-type:id_token"));
    ag_form_add(&form, 0, "actor_token", ag_str_view(&r->device_secret));
    ag_form_add(&form, 0, "actor_token_type", AG_LIT("urn:x-oath:params:oauth:token-type:device-secret"));
    ag_form_add(&form, 0, "requested_token_type", AG_LIT("urn:authgear:params:oauth:token-type:pre-authenticated-url-token"));
    ok = ok && !origin.bad;
    ag_buf_free(&origin);
    return finish(c, ok, out, &form, e);
}

static bool bad(const ag_answer *ans, ag_err *e, const char *what)
{
    (void)ag_fail(e, AG_E_INVALID_RESPONSE, "the token answer is no good: %s", what);
    e->status = ans->status;
    return false;
}

/* Copies a token field. 1: copied, 0: not there, -1: unusable, -2: no memory. */
static int token_field(const ag_alloc *a, const ag_json *doc, const char *key, ag_str *out)
{
    ag_view v;
    if (ag_json_get(doc, key) == NULL)
        return 0;
    if (!ag_json_string(doc, key, &v) || !ag_http_is_credential(v))
        return -1;
    return ag_str_set_view(a, out, v) ? 1 : -2;
}

/* The scheme that goes with the access token. DPoP takes a key, so it is for answers to requests with a proof. */
static int type_field(const ag_alloc *a, const ag_json *doc, ag_view jkt, ag_token_answer *t)
{
    ag_view v;
    bool dpop;
    if (!ag_json_string(doc, "token_type", &v))
        return -1;
    dpop = jkt.p != NULL && ag_view_eq_nocase(v, AG_LIT("DPoP"));
    if (!dpop && !ag_view_eq_nocase(v, AG_LIT("Bearer")))
        return -1;
    if (dpop && !ag_str_set_view(a, &t->token_type, AG_LIT("DPoP")))
        return -2;
    return ag_str_set_view(a, &t->dpop_jkt, jkt) ? 1 : -2;
}

static bool read_lifetime(const ag_json *doc, int64_t *ms)
{
    double s = AG_DEFAULT_LIFETIME_S;
    if (ag_json_get(doc, "expires_in") != NULL && !ag_json_number(doc, "expires_in", &s))
        return false;
    if (!(s >= 1 && s <= AG_MAX_LIFETIME_S))
        return false;
    *ms = (int64_t)(floor(s) * 1000);
    return true;
}

static bool read_fields(const ag_client *c, const ag_answer *ans, const ag_json *doc, ag_token_answer *t, ag_err *e)
{
    static const char *const optional[] = { "refresh_token", "id_token", "device_secret" };
    ag_str *const out[] = { &t->refresh_token, &t->id_token, &t->device_secret };
    const ag_alloc *a = &c->env.alloc;
    ag_view v;
    size_t i;
    int got = token_field(a, doc, "access_token", &t->access_token);
    if (got == 0 || got == -1)
        return bad(ans, e, "no usable access_token");
    for (i = 0; got >= 0 && i < sizeof out / sizeof out[0]; i++) {
        got = token_field(a, doc, optional[i], out[i]);
        if (got == -1)
            return bad(ans, e, optional[i]);
    }
    if (got == -2)
        return ag_fail(e, AG_E_MEMORY, "no memory for the tokens");
    got = type_field(a, doc, ans->jkt, t);
    if (got == -1)
        return bad(ans, e, ans->jkt.p != NULL ? "the token_type is neither Bearer nor DPoP" : "the token_type is not Bearer");
    if (got == -2)
        return ag_fail(e, AG_E_MEMORY, "no memory for the tokens");
    if (!read_lifetime(doc, &t->expires_in_ms))
        return bad(ans, e, "expires_in makes no sense");
    if (ag_json_string(doc, "scope", &v) && !ag_str_set_view(a, &t->scope, v))
        return ag_fail(e, AG_E_MEMORY, "no memory for the tokens");
    return true;
}

/* The answer of the token endpoint as an object, owned by the caller; NULL: e. */
static ag_json *read_object(const ag_client *c, const ag_answer *ans, const ag_view *withhold, ag_err *e)
{
    ag_json *doc;
    ag_err why;
    if (ans->status != 200) {
        (void)ag_answer_fail(ans, withhold, c->env.wall_ms, e);
        return NULL;
    }
    doc = ag_json_parse(ans->body.p, ans->body.n, &why);
    if (doc != NULL && ag_json_is_object(doc))
        return doc;
    if (doc == NULL && why.code == AG_E_MEMORY)
        *e = why;
    else
        (void)bad(ans, e, doc == NULL ? why.message : "not a JSON object");
    ag_json_free(doc);
    return NULL;
}

bool ag_token_read_done(const ag_client *c, const ag_answer *ans, const ag_view *withhold, ag_err *e)
{
    ag_json *doc = read_object(c, ans, withhold, e);
    ag_json_free(doc);
    return doc != NULL;
}

bool ag_token_read_id(const ag_client *c, const ag_answer *ans, const ag_view *withhold, ag_str *id_token, ag_err *e)
{
    ag_json *doc = read_object(c, ans, withhold, e);
    int got = doc == NULL ? 1 : token_field(&c->env.alloc, doc, "id_token", id_token);
    const bool ok = doc != NULL && got == 1;
    if (got == -2)
        (void)ag_fail(e, AG_E_MEMORY, "no memory for an ID token");
    else if (got != 1)
        (void)bad(ans, e, "no usable id_token");
    ag_json_free(doc);
    return ok;
}

bool ag_token_read_json(const ag_client *c, const ag_answer *ans, const ag_json *doc, ag_token_answer *out, ag_err *e)
{
    ag_token_answer t;
    bool ok;
    memset(&t, 0, sizeof t);
    ok = read_fields(c, ans, doc, &t, e);
    ag_token_answer_free(&c->env.alloc, ok ? out : &t);
    if (ok)
        *out = t;
    return ok;
}

bool ag_token_read(const ag_client *c, const ag_answer *ans, const ag_view *withhold, ag_token_answer *out, ag_err *e)
{
    ag_json *doc = read_object(c, ans, withhold, e);
    const bool ok = doc != NULL && ag_token_read_json(c, ans, doc, out, e);
    ag_json_free(doc);
    return ok;
}

bool ag_token_read_rotated(const ag_client *c, const ag_answer *ans, ag_token_answer *out, ag_err *e)
{
    const ag_alloc *a = &c->env.alloc;
    ag_json *doc;
    ag_err why;
    int got = 0;
    ag_err_clear(&why);
    doc = read_object(c, ans, NULL, &why);
    if (doc != NULL && ag_json_get(doc, "error") == NULL)
        got = token_field(a, doc, "refresh_token", &out->refresh_token);
    if (got == 1 && token_field(a, doc, "device_secret", &out->device_secret) == -2)
        got = -2;
    ag_json_free(doc);
    if (got == 1)
        return true;
    ag_token_answer_free(a, out);
    if (got == -2 || why.code == AG_E_MEMORY)
        (void)ag_fail(e, AG_E_MEMORY, "no memory for the tokens");
    return false;
}

void ag_token_apply(const ag_env *env, ag_token_answer *t, ag_record *r)
{
    const ag_alloc *a = &env->alloc;
    ag_str_move(a, &r->access_token, &t->access_token);
    ag_str_move(a, &r->token_type, &t->token_type);
    if (t->dpop_jkt.p != NULL)
        ag_str_move(a, &r->dpop_jkt, &t->dpop_jkt);
    if (t->refresh_token.p != NULL)
        ag_str_move(a, &r->refresh_token, &t->refresh_token);
    if (t->id_token.p != NULL)
        ag_str_move(a, &r->id_token, &t->id_token);
    if (t->device_secret.p != NULL)
        ag_str_move(a, &r->device_secret, &t->device_secret);
    if (t->scope.p != NULL)
        ag_str_move(a, &r->scope, &t->scope);
    ag_record_stamp(env, r, t->expires_in_ms);
}
