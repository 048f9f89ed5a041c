/* token_test: token requests as bytes, and token answers that are taken or refused. */
#include "core/token.h"
#include "tap_client.h"

static ag_client *make_client(const ag_alloc *a, const char *secret, bool basic_only)
{
    ag_client *c = tap_client_new(a, "https://x.example", "my app");
    if (c == NULL)
        return NULL;
    c->metadata.secret_basic = basic_only;
    if (ag_str_set_view(a, &c->client_secret, ag_view_of(secret)))
        return c;
    ag_client_unref(c);
    return NULL;
}

static tap_outcome refresh_request(const ag_alloc *a, const char *secret, bool basic, const char *headers, const char *body)
{
    ag_client *c = make_client(a, secret, basic);
    ag_request r;
    ag_record rec;
    ag_err e;
    tap_outcome got = TAP_NO_MEMORY;
    ag_err_clear(&e);
    memset(&r, 0, sizeof r);
    memset(&rec, 0, sizeof rec);
    if (c != NULL && ag_str_set(a, &rec.refresh_token, "r+t", 3)) {
        got = tap_outcome_of(ag_token_refresh_request(c, &rec, &r, &e), &e);
        if (got == TAP_DONE && !(tap_str_is(&r.body, body) && tap_str_is(&r.headers, headers) && tap_str_is(&r.url, "https://x.example/t")
                                 && strcmp(r.method, "POST") == 0 && r.fresh && r.secret && r.keep_going))
            got = TAP_WRONG;
    }
    ag_request_free(a, &r);
    ag_record_free(a, &rec);
    tap_client_end(c);
    return got;
}

#define ACCEPT "Accept: application/json\r\n"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"

static tap_outcome public_refresh(const ag_alloc *a)
{
    return refresh_request(a, NULL, false, ACCEPT FORM, "grant_type=refresh_token&client_id=my%20app&refresh_token=r%2Bt");
}

static tap_outcome post_refresh(const ag_alloc *a)
{
    return refresh_request(a, "s&1", false, ACCEPT FORM,
                           "grant_type=refresh_token&client_id=my%20app&client_secret=s%261&refresh_token=r%2Bt");
}

static tap_outcome basic_refresh(const ag_alloc *a)
{
    return refresh_request(a, "s&1", true, ACCEPT "Authorization: Basic bXklMjBhcHA6cyUyNjE=\r\n" FORM,
                           "grant_type=refresh_token&refresh_token=r%2Bt");
}

/* A machine's request may arrive twice and says what the token is for. */
static tap_outcome machine_request(const ag_alloc *a, bool basic, const char *headers, const char *body)
{
    ag_client *user = make_client(a, "s&1", false), *c = NULL;
    ag_request r;
    ag_err e;
    tap_outcome got = TAP_NO_MEMORY;
    ag_err_clear(&e);
    memset(&r, 0, sizeof r);
    if (user != NULL) {
        user->basic_auth = basic;
        c = ag_client_new_machine(user, AG_LIT("https://api.example/v1?a=b"), AG_LIT("read write"));
    }
    if (c != NULL && ag_str_set(a, &c->metadata.token_endpoint, "https://x.example/t", 19)) {
        got = tap_outcome_of(ag_token_machine_request(c, &r, &e), &e);
        if (got == TAP_DONE && !(tap_str_is(&r.body, body) && tap_str_is(&r.headers, headers) && strcmp(r.method, "POST") == 0
                                 && !r.fresh && r.secret && !r.keep_going))
            got = TAP_WRONG;
    }
    ag_request_free(a, &r);
    if (c != NULL)
        ag_client_unref(c);
    if (user != NULL)
        ag_client_unref(user);
    return got;
}

static tap_outcome machine_post(const ag_alloc *a)
{
    return machine_request(a, false, ACCEPT FORM, "grant_type=client_credentials&client_id=my%20app&client_secret=s%261"
                           "&resource=https%3A%2F%2Fapi.example%2Fv1%3Fa%3Db&scope=read%20write");
}

static tap_outcome machine_basic(const ag_alloc *a)
{
    return machine_request(a, true, ACCEPT "Authorization: Basic bXklMjBhcHA6cyUyNjE=\r\n" FORM,
                           "grant_type=client_credentials&resource=https%3A%2F%2Fapi.example%2Fv1%3Fa%3Db&scope=read%20write");
}

static tap_outcome code_request(const ag_alloc *a)
{
    ag_client *c = make_client(a, NULL, false);
    ag_login *l = NULL;
    ag_request r;
    ag_err e;
    tap_outcome got = TAP_NO_MEMORY;
    ag_err_clear(&e);
    memset(&r, 0, sizeof r);
    if (c != NULL)
        l = ag_login_new(&c->env, AG_AUTHZ_LOGIN, AG_LIT("http://127.0.0.1:1/cb"), &e);
    if (l != NULL) {
        got = tap_outcome_of(ag_token_code_request(c, l, AG_LIT("c d"), &r, &e), &e);
        if (got == TAP_DONE && !tap_str_is(&r.body, "grant_type=authorization_code&client_id=my%20app&code=c%20d"
                "&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb&code_verifier=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"))
            got = TAP_WRONG;
        ag_login_free(a, l);
    }
    ag_request_free(a, &r);
    tap_client_end(c);
    return got;
}

#define T(more) "{\"access_token\":\"at\",\"token_type\":\"Bearer\"" more "}"

static const struct {
    const char *body;
    int status;
    ag_err_code want;
} rows[] = {
    { T(",\"expires_in\":3600"), 200, AG_E_NONE },
    { T(""), 200, AG_E_NONE },
    { T(",\"expires_in\":1"), 200, AG_E_NONE },
    { T(",\"expires_in\":3.9"), 200, AG_E_NONE },
    { T(",\"refresh_token\":\"r\",\"id_token\":\"i\",\"scope\":\"a b\""), 200, AG_E_NONE },
    { "{\"access_token\":\"at\",\"token_type\":\"bearer\"}", 200, AG_E_NONE },
    { T(",\"expires_in\":0"), 200, AG_E_INVALID_RESPONSE },
    { T(",\"expires_in\":-1"), 200, AG_E_INVALID_RESPONSE },
    { T(",\"expires_in\":1e300"), 200, AG_E_INVALID_RESPONSE },
    { T(",\"expires_in\":1e999"), 200, AG_E_INVALID_RESPONSE },
    { T(",\"expires_in\":\"3600\""), 200, AG_E_INVALID_RESPONSE },
    { T(",\"expires_in\":null"), 200, AG_E_INVALID_RESPONSE },
    { T(",\"expires_in\":01"), 200, AG_E_INVALID_RESPONSE },
    { T(",\"refresh_token\":7"), 200, AG_E_INVALID_RESPONSE },
    { T(",\"refresh_token\":\"\""), 200, AG_E_INVALID_RESPONSE },
    { T(",\"refresh_token\":null"), 200, AG_E_INVALID_RESPONSE },
    { T(",\"refresh_token\":\"a b\""), 200, AG_E_INVALID_RESPONSE },
    { T(",\"refresh_token\":\"a\\r\\nX: y\""), 200, AG_E_INVALID_RESPONSE },
    { T(",\"refresh_token\":\"a\\u0000b\""), 200, AG_E_INVALID_RESPONSE },
    { T(",\"access_token\":\"at\""), 200, AG_E_INVALID_RESPONSE },
    { "{\"access_token\":\"a\\u00fc\",\"token_type\":\"Bearer\"}", 200, AG_E_INVALID_RESPONSE },
    { "{\"access_token\":\"\",\"token_type\":\"Bearer\"}", 200, AG_E_INVALID_RESPONSE },
    { "{\"access_token\":1,\"token_type\":\"Bearer\"}", 200, AG_E_INVALID_RESPONSE },
    { "{\"token_type\":\"Bearer\"}", 200, AG_E_INVALID_RESPONSE },
    { "{\"access_token\":\"at\"}", 200, AG_E_INVALID_RESPONSE },
    { "{\"access_token\":\"at\",\"token_type\":\"DPoP\"}", 200, AG_E_INVALID_RESPONSE },
    { "{\"access_token\":\"at\",\"token_type\":1}", 200, AG_E_INVALID_RESPONSE },
    { "[" T("") "]", 200, AG_E_INVALID_RESPONSE },
    { "", 200, AG_E_INVALID_RESPONSE },
    { "<html>", 200, AG_E_INVALID_RESPONSE },
    { T(""), 201, AG_E_INVALID_RESPONSE },
    { T(""), 302, AG_E_INVALID_RESPONSE },
    { "{\"error\":\"invalid_grant\"}", 400, AG_E_OAUTH },
    { "{\"error\":\"invalid_grant\"}", 401, AG_E_OAUTH },
    { "{\"error\":\"invalid_grant\"}", 200, AG_E_INVALID_RESPONSE },
    { "{\"error\":\"invalid_grant\"}", 500, AG_E_SERVER },
    { "{\"error\":\"invalid_grant\"}", 429, AG_E_RATE_LIMITED },
    { "{\"error\":7}", 400, AG_E_INVALID_RESPONSE },
    { "not json", 400, AG_E_INVALID_RESPONSE },
};

static void answers(void)
{
    ag_client *c = make_client(&tap_alloc, NULL, false);
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const ag_answer ans = { .status = rows[i].status, .headers = { "", 0 }, .body = ag_view_of(rows[i].body) };
        ag_token_answer t;
        ag_err e;
        bool ok;
        ag_err_clear(&e);
        memset(&t, 0, sizeof t);
        ok = ag_token_read(c, &ans, NULL, &t, &e);
        OK(ok == (rows[i].want == AG_E_NONE) && e.code == rows[i].want && ok == (t.access_token.p != NULL),
           tap_name("answer", rows[i].body));
        ag_token_answer_free(&tap_alloc, &t);
    }
    ag_client_unref(c);
}

/* What a refused answer says of the refresh token: `want`, or nothing. */
static const struct {
    const char *body;
    int status;
    const char *want, *device_secret;
} rotated_rows[] = {
    { T(",\"expires_in\":-1,\"refresh_token\":\"r2\""), 200, "r2", NULL },
    { "{\"refresh_token\":\"r2\",\"device_secret\":\"d2\"}", 200, "r2", "d2" },
    { "{\"refresh_token\":\"r2\",\"device_secret\":7}", 200, "r2", NULL },
    { "{\"refresh_token\":\"r2\",\"error\":\"invalid_grant\"}", 200, NULL, NULL },
    { "{\"refresh_token\":\"r2\",\"refresh_token\":\"r3\"}", 200, NULL, NULL },
    { "{\"refresh_token\":\"r2\"", 200, NULL, NULL },
    { "{\"refresh_token\":\"r 2\"}", 200, NULL, NULL },
    { "{\"refresh_token\":null}", 200, NULL, NULL },
    { "[\"refresh_token\",\"r2\"]", 200, NULL, NULL },
    { "{}", 200, NULL, NULL },
    { "{\"refresh_token\":\"r2\"}", 201, NULL, NULL },
    { "{\"refresh_token\":\"r2\"}", 400, NULL, NULL },
};

static void rotated(void)
{
    ag_client *c = make_client(&tap_alloc, NULL, false);
    size_t i;
    for (i = 0; i < sizeof rotated_rows / sizeof rotated_rows[0]; i++) {
        const ag_answer ans = { .status = rotated_rows[i].status, .body = ag_view_of(rotated_rows[i].body) };
        ag_token_answer t;
        ag_err e;
        bool ok;
        ag_err_clear(&e);
        memset(&t, 0, sizeof t);
        ok = ag_token_read_rotated(c, &ans, &t, &e);
        OK(ok == (rotated_rows[i].want != NULL) && e.code == AG_E_NONE && t.access_token.p == NULL
           && tap_str_is(&t.refresh_token, rotated_rows[i].want) && tap_str_is(&t.device_secret, rotated_rows[i].device_secret),
           tap_name("a refresh token in a refused answer", rotated_rows[i].body));
        ag_token_answer_free(&tap_alloc, &t);
    }
    ag_client_unref(c);
}

static tap_outcome reads_rotated(const ag_alloc *a)
{
    const ag_answer ans = { .status = 200, .body = AG_LIT("{\"refresh_token\":\"r2\",\"device_secret\":\"d2\"}") };
    ag_client *c = make_client(a, NULL, false);
    ag_token_answer t;
    ag_err e;
    tap_outcome got = TAP_NO_MEMORY;
    ag_err_clear(&e);
    memset(&t, 0, sizeof t);
    if (c != NULL)
        got = tap_outcome_of(ag_token_read_rotated(c, &ans, &t, &e), &e);
    ag_token_answer_free(a, &t);
    tap_client_end(c);
    return got;
}

/* What a server, or somebody between, sends back of the secrets in a request must not reach the error. */
static void withholds(void)
{
    static const ag_view secrets[] = { { "SeCrEtToKeN-0123456789", 22 }, { NULL, 0 } };
    static const struct {
        const char *body;
        bool shown;
    } echoes[] = {
        { "{\"error\":\"e\",\"error_description\":\"fine words\"}", true },
        { "{\"error\":\"e\",\"error_description\":\"token SeCrEtToKeN-0123456789\"}", false },
        { "{\"error\":\"e\",\"error_description\":\"token SeCrEtTo\"}", false },
        { "{\"error\":\"e\",\"error_description\":\"...0123456789\"}", false },
        { "{\"error\":\"SeCrEtToKeN-0123456789\"}", false },
    };
    ag_client *c = make_client(&tap_alloc, NULL, false);
    size_t i;
    for (i = 0; i < sizeof echoes / sizeof echoes[0]; i++) {
        const ag_answer ans = { .status = 400, .headers = { "", 0 }, .body = ag_view_of(echoes[i].body) };
        ag_token_answer t;
        ag_err e;
        ag_err_clear(&e);
        memset(&t, 0, sizeof t);
        (void)ag_token_read(c, &ans, secrets, &t, &e);
        OK(e.code == AG_E_OAUTH && strstr(e.oauth_error_description, "SeCrEtTo") == NULL
           && strstr(e.oauth_error_description, "23456789") == NULL && strstr(e.oauth_error, "SeCrEtTo") == NULL
           && (strcmp(e.oauth_error_description, "fine words") == 0) == echoes[i].shown, tap_name("echo", echoes[i].body));
    }
    ag_client_unref(c);
}

static tap_outcome reads(const ag_alloc *a)
{
    static const char body[] = T(",\"expires_in\":60,\"refresh_token\":\"r\",\"id_token\":\"i\",\"device_secret\":\"d\",\"scope\":\"s\"");
    const ag_answer ans = { .status = 200, .headers = { "", 0 }, .body = AG_LIT(body) };
    ag_client *c = make_client(a, NULL, false);
    ag_token_answer t;
    ag_record r;
    ag_err e;
    tap_outcome got = TAP_NO_MEMORY;
    ag_err_clear(&e);
    memset(&t, 0, sizeof t);
    memset(&r, 0, sizeof r);
    if (c != NULL)
        got = tap_outcome_of(ag_token_read(c, &ans, NULL, &t, &e), &e);
    if (got == TAP_DONE) {
        ag_token_apply(&c->env, &t, &r);
        if (!(tap_str_is(&r.access_token, "at") && tap_str_is(&r.refresh_token, "r") && tap_str_is(&r.id_token, "i")
              && tap_str_is(&r.device_secret, "d") && tap_str_is(&r.scope, "s") && r.expires_in_ms == 60000))
            got = TAP_WRONG;
    }
    ag_token_answer_free(a, &t);
    ag_record_free(a, &r);
    tap_client_end(c);
    return got;
}

/* Without rotation the answer brings no refresh token: the old one stays. */
static void keeps_what_is_not_there(void)
{
    ag_client *c = make_client(&tap_alloc, NULL, false);
    const ag_answer ans = { .status = 200, .headers = { "", 0 }, .body = AG_LIT("{\"access_token\":\"new\",\"token_type\":\"Bearer\",\"expires_in\":60}") };
    ag_token_answer t;
    ag_record r;
    ag_err e;
    memset(&t, 0, sizeof t);
    memset(&r, 0, sizeof r);
    (void)ag_str_set(&tap_alloc, &r.refresh_token, "old", 3);
    (void)ag_str_set(&tap_alloc, &r.id_token, "oldid", 5);
    OK(ag_token_read(c, &ans, NULL, &t, &e), "an answer without a refresh token is read");
    ag_token_apply(&c->env, &t, &r);
    OK(tap_str_is(&r.access_token, "new") && tap_str_is(&r.refresh_token, "old") && tap_str_is(&r.id_token, "oldid"),
       "what the answer lacks stays");
    ag_token_answer_free(&tap_alloc, &t);
    ag_record_free(&tap_alloc, &r);
    ag_client_unref(c);
}

int main(void)
{
    tap_each_alloc("a public client's refresh request", public_refresh, 5);
    tap_each_alloc("client_secret_post", post_refresh, 5);
    tap_each_alloc("client_secret_basic", basic_refresh, 5);
    tap_each_alloc("a machine's request", machine_post, 10);
    tap_each_alloc("a machine's request with client_secret_basic", machine_basic, 10);
    tap_each_alloc("the code request", code_request, 5);
    tap_each_alloc("an answer", reads, 6);
    answers();
    rotated();
    tap_each_alloc("a refresh token in a refused answer", reads_rotated, 4);
    withholds();
    keeps_what_is_not_there();
    OK(tap_live == 0, "nothing is held at the end");
    return tap_end();
}
