/* grants_test: the token requests that a session in use makes beside refreshes, their answers as bytes, and the record that
 * goes on with what they bring. */
#include "core/b64.h"
#include "core/end_session.h"
#include "core/renew.h"
#include "core/token.h"
#include "tap_client.h"

/* header.PAYLOAD.signature */
static void id_token(char *out, const char *sub)
{
    char claims[128];
    int n = snprintf(claims, sizeof claims, "{\"iss\":\"https://x.example\",\"aud\":\"app\",\"exp\":9,\"iat\":1,\"sub\":\"%s\"}", sub);
    memcpy(out, "e30.", 4);
    ag_b64url_encode(out + 4, claims, (size_t)n);
    strcpy(out + 4 + AG_B64URL_LEN((size_t)n), ".sig");
}

/* Logged in as u. */
static ag_client *make_client(const ag_alloc *a)
{
    ag_client *c = tap_client_new(a, "https://X.example:443/tenant", "app");
    ag_record *r;
    char token[256];
    if (c == NULL)
        return NULL;
    r = &c->session.record;
    id_token(token, "u");
    if (ag_str_set_view(a, &c->metadata.issuer, AG_LIT("https://x.example"))
            && ag_str_set_view(a, &r->refresh_token, AG_LIT("r")) && ag_str_set_view(a, &r->access_token, AG_LIT("at"))
            && ag_str_set_view(a, &r->id_token, ag_view_of(token)) && ag_str_set_view(a, &r->device_secret, AG_LIT("d+s")))
        return c;
    ag_client_unref(c);
    return NULL;
}

typedef bool (*ask)(const ag_client *c, ag_request *out, ag_err *e);

static bool ask_id(const ag_client *c, ag_request *out, ag_err *e)
{
    return ag_token_id_request(c, &c->session.record, out, e);
}

static bool ask_exchange(const ag_client *c, ag_request *out, ag_err *e)
{
    ag_record r = c->session.record;
    char short_one[] = "i.d.t";
    r.id_token = (ag_str){ short_one, 5 };
    return ag_token_exchange_request(c, &r, out, e);
}

static bool ask_action(const ag_client *c, ag_request *out, ag_err *e)
{
    ag_login *l = ag_login_new(&c->env, AG_AUTHZ_SETTINGS, AG_LIT("a:b"), e);
    bool ok = l != NULL && ag_token_code_request(c, l, AG_LIT("c"), out, e);
    if (l != NULL)
        ag_login_free(&c->env.alloc, l);
    return ok;
}

/* kept: it may not be sent twice, and its answer must be read. */
static tap_outcome request(const ag_alloc *a, ask fn, bool kept, const char *more_headers, const char *body)
{
    ag_client *c = make_client(a);
    ag_request r;
    ag_err e;
    tap_outcome got = TAP_NO_MEMORY;
    ag_err_clear(&e);
    memset(&r, 0, sizeof r);
    if (c != NULL)
        got = tap_outcome_of(fn(c, &r, &e), &e);
    if (got == TAP_DONE && !(tap_str_is(&r.body, body) && strstr(r.headers.p, more_headers) != NULL && r.fresh == kept
                             && r.keep_going == kept && r.secret && tap_str_is(&r.url, "https://x.example/t")))
        got = TAP_WRONG;
    ag_request_free(a, &r);
    tap_client_end(c);
    return got;
}

static tap_outcome id_request(const ag_alloc *a)
{
    return request(a, ask_id, false, "Authorization: Bearer at\r\n",
                   "grant_type=urn%3Aauthgear%3Aparams%3Aoauth%3Agrant-type%3Aid-token&client_id=app");
}

static tap_outcome exchange_request(const ag_alloc *a)
{
    return request(a, ask_exchange, true, "",
                   "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&client_id=app"
                   "&audience=https%3A%2F%2Fx.example&subject_token=i.d.t"
                   "&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aid_token&actor_token=d%2Bs"
                   "&actor_token_type=urn%3Ax-oath%3Aparams%3Aoauth%3Atoken-type%3Adevice-secret"
                   "&requested_token_type=urn%3Aauthgear%3Aparams%3Aoauth%3Atoken-type%3Apre-authenticated-url-token");
}

static tap_outcome action_request(const ag_alloc *a)
{
    return request(a, ask_action, true, "",
                   "grant_type=urn%3Aauthgear%3Aparams%3Aoauth%3Agrant-type%3Asettings-action&client_id=app&code=c"
                   "&redirect_uri=a%3Ab&code_verifier=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc");
}

static const struct {
    int status;
    const char *body;
    ag_err_code id, done;
} answers[] = {
    { 200, "{\"id_token\":\"i.d.t\"}", AG_E_NONE, AG_E_NONE },
    { 200, "{\"id_token\":\"\"}", AG_E_INVALID_RESPONSE, AG_E_NONE },
    { 200, "{\"id_token\":null}", AG_E_INVALID_RESPONSE, AG_E_NONE },
    { 200, "{\"id_token\":\"a b\"}", AG_E_INVALID_RESPONSE, AG_E_NONE },
    { 200, "{}", AG_E_INVALID_RESPONSE, AG_E_NONE },
    { 200, "[]", AG_E_INVALID_RESPONSE, AG_E_INVALID_RESPONSE },
    { 200, "", AG_E_INVALID_RESPONSE, AG_E_INVALID_RESPONSE },
    { 204, "{}", AG_E_INVALID_RESPONSE, AG_E_INVALID_RESPONSE },
    { 400, "{\"error\":\"invalid_grant\"}", AG_E_OAUTH, AG_E_OAUTH },
    { 500, "{}", AG_E_SERVER, AG_E_SERVER },
};

static void reads(void)
{
    ag_client *c = make_client(&tap_alloc);
    size_t i;
    for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const ag_answer ans = { .status = answers[i].status, .headers = { NULL, 0 }, .body = ag_view_of(answers[i].body) };
        ag_str token = { NULL, 0 };
        ag_err e;
        ag_err_clear(&e);
        OK(ag_token_read_id(c, &ans, NULL, &token, &e) == (answers[i].id == AG_E_NONE) && e.code == answers[i].id
           && (token.p != NULL) == (answers[i].id == AG_E_NONE), tap_name("an ID token", answers[i].body));
        ag_err_clear(&e);
        OK(ag_token_read_done(c, &ans, NULL, &e) == (answers[i].done == AG_E_NONE) && e.code == answers[i].done,
           tap_name("nothing", answers[i].body));
        ag_str_free(&tap_alloc, &token);
    }
    ag_client_unref(c);
}

static tap_outcome renews(const ag_alloc *a)
{
    ag_client *c = make_client(a);
    ag_record r;
    ag_str sub = { NULL, 0 };
    ag_err e;
    tap_outcome got = TAP_NO_MEMORY;
    ag_err_clear(&e);
    memset(&r, 0, sizeof r);
    if (c != NULL)
        got = tap_outcome_of(ag_session_sub(c, &sub, &e), &e);
    if (got == TAP_DONE)
        got = tap_outcome_of(ag_session_renew(c, ag_str_view(&sub), AG_LIT("new"), (ag_view){ NULL, 0 }, &r, &e), &e);
    if (got == TAP_DONE && !(tap_str_is(&r.id_token, "new") && tap_str_is(&r.device_secret, "d+s") && tap_str_is(&r.access_token, "at")
                             && tap_str_is(&r.refresh_token, "r")))
        got = TAP_WRONG;
    ag_str_free(a, &sub);
    ag_record_free(a, &r);
    tap_client_end(c);
    return got;
}

static void keeps_the_user(void)
{
    ag_client *c = make_client(&tap_alloc);
    ag_record r;
    ag_err e;
    memset(&r, 0, sizeof r);
    OK(!ag_session_renew(c, AG_LIT("v"), AG_LIT("new"), AG_LIT("ds"), &r, &e) && e.code == AG_E_USER_MISMATCH, "not another user's");
    OK(ag_session_renew(c, AG_LIT("u"), AG_LIT("new"), AG_LIT("ds"), &r, &e) && tap_str_is(&r.device_secret, "ds"),
       "with a new device secret");
    ag_record_free(&tap_alloc, &r);
    ag_str_free(&tap_alloc, &c->session.record.refresh_token);
    OK(!ag_session_renew(c, AG_LIT("u"), AG_LIT("new"), AG_LIT("ds"), &r, &e) && e.code == AG_E_NO_SESSION && r.id_token.p == NULL,
       "not one that has ended");
    ag_client_unref(c);
}

static tap_outcome end_session(const ag_alloc *a)
{
    ag_client *c = make_client(a);
    ag_str url = { NULL, 0 };
    ag_err e;
    tap_outcome got = TAP_NO_MEMORY;
    ag_err_clear(&e);
    if (c != NULL && ag_str_set_view(a, &c->metadata.end_session_endpoint, AG_LIT("https://x.example/end?a=b")))
        got = tap_outcome_of(ag_end_session_url(c, AG_LIT("i.d.t"), AG_LIT("app:/o?x"), AG_LIT("s t"), &url, &e), &e);
    if (got == TAP_DONE && !tap_str_is(&url, "https://x.example/end?a=b&client_id=app&id_token_hint=i.d.t"
                                             "&post_logout_redirect_uri=app%3A%2Fo%3Fx&state=s%20t"))
        got = TAP_WRONG;
    ag_str_free(a, &url);
    tap_client_end(c);
    return got;
}

int main(void)
{
    tap_each_alloc("an ID token's request", id_request, 5);
    tap_each_alloc("an exchange's request", exchange_request, 5);
    tap_each_alloc("a settings action's request", action_request, 5);
    tap_each_alloc("the end session URL", end_session, 5);
    tap_each_alloc("a session that goes on", renews, 10);
    reads();
    keeps_the_user();
    OK(tap_live == 0, "nothing is held at the end");
    return tap_end();
}
