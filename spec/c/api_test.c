/* api_test: requests to Authgear's own endpoints as bytes, and their answers; the app session token among them. */
#include "core/app_session.h"
#include "tap_client.h"

static ag_client *make_client(const ag_alloc *a)
{
    return tap_client_new(a, "https://x.example/", "app");
}

static tap_outcome asks(const ag_alloc *a)
{
    ag_client *c = make_client(a);
    ag_request r;
    ag_err e;
    tap_outcome got = TAP_NO_MEMORY;
    memset(&r, 0, sizeof r);
    ag_err_clear(&e);
    if (c != NULL)
        got = tap_outcome_of(ag_app_session_request(c, AG_LIT("re\"fresh"), &r, &e), &e);
    if (got == TAP_DONE && !(tap_str_is(&r.url, "https://x.example/oauth2/app_session_token") && strcmp(r.method, "POST") == 0
                             && tap_str_is(&r.body, "{\"refresh_token\":\"re\\\"fresh\"}") && r.secret && !r.keep_going
                             && tap_str_is(&r.headers, "Content-Type: application/json\r\nAccept: application/json\r\n")))
        got = TAP_WRONG;
    ag_request_free(a, &r);
    tap_client_end(c);
    return got;
}

static const struct {
    int status;
    const char *body;
    ag_err_code want;
} answers[] = {
    { 200, "{\"result\":{\"app_session_token\":\"t-o+k\",\"expire_at\":\"2026-11-23T19:04:58Z\"}}", AG_E_NONE },
    { 200, "{\"result\":{\"app_session_token\":\"\"}}", AG_E_INVALID_RESPONSE },
    { 200, "{\"result\":{\"app_session_token\":\"a b\"}}", AG_E_INVALID_RESPONSE },
    { 200, "{\"result\":{\"app_session_token\":7}}", AG_E_INVALID_RESPONSE },
    { 200, "{\"result\":{}}", AG_E_INVALID_RESPONSE },
    { 200, "{\"result\":[]}", AG_E_INVALID_RESPONSE },
    { 200, "{\"result\":\"t\"}", AG_E_INVALID_RESPONSE },
    { 200, "{\"app_session_token\":\"t\"}", AG_E_INVALID_RESPONSE },
    { 200, "[]", AG_E_INVALID_RESPONSE },
    { 200, "{", AG_E_INVALID_RESPONSE },
    { 200, "", AG_E_INVALID_RESPONSE },
    { 204, "{\"result\":{\"app_session_token\":\"t\"}}", AG_E_INVALID_RESPONSE },
    { 403, "{\"error\":{\"name\":\"Forbidden\",\"reason\":\"InvalidGrant\",\"message\":\"invalid refresh token\",\"code\":403}}", AG_E_OAUTH },
    { 403, "{\"error\":{\"name\":\"Forbidden\"}}", AG_E_INVALID_RESPONSE },
    { 400, "{\"error\":\"InvalidGrant\",\"error_description\":\"invalid refresh token\"}", AG_E_OAUTH },
    { 500, "{\"error\":{\"reason\":\"X\",\"message\":\"y\"}}", AG_E_SERVER },
    { 429, "", AG_E_RATE_LIMITED },
};

static void reads(void)
{
    ag_client *c = make_client(&tap_alloc);
    size_t i;
    for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const size_t n = strlen(answers[i].body);
        char *exact = tap_exact(answers[i].body, n);
        const ag_answer ans = { .status = answers[i].status, .headers = { NULL, 0 }, .body = { exact, n } };
        ag_str token = { NULL, 0 };
        ag_err e;
        bool ok;
        ag_err_clear(&e);
        ok = ag_app_session_read(c, &ans, AG_LIT("0c6f11d2.jv71EeihyzZC"), &token, &e);
        OK(ok == (answers[i].want == AG_E_NONE) && e.code == answers[i].want && (!ok || tap_str_is(&token, "t-o+k")),
           tap_name("answer", answers[i].body));
        if (answers[i].want == AG_E_OAUTH)
            OK(strcmp(e.oauth_error, "InvalidGrant") == 0 && strcmp(e.oauth_error_description, "invalid refresh token") == 0
               && e.status == answers[i].status, tap_name("its words", answers[i].body));
        ag_str_free(&tap_alloc, &token);
        free(exact);
    }
    ag_client_unref(c);
}

static tap_outcome reads_one(const ag_alloc *a)
{
    const ag_answer ans = { .status = 200, .headers = { NULL, 0 }, .body = ag_view_of(answers[0].body) };
    ag_client *c = make_client(a);
    ag_str token = { NULL, 0 }, hint = { NULL, 0 };
    ag_err e;
    tap_outcome got = TAP_NO_MEMORY;
    ag_err_clear(&e);
    if (c != NULL)
        got = tap_outcome_of(ag_app_session_read(c, &ans, AG_LIT("0c6f11d2.jv71EeihyzZC"), &token, &e), &e);
    if (got == TAP_DONE && !ag_app_session_hint(a, ag_str_view(&token), &hint))
        got = TAP_NO_MEMORY;
    if (got == TAP_DONE
            && !tap_str_is(&hint, "https://authgear.com/login_hint?type=app_session_token&app_session_token=t-o%2Bk"))
        got = TAP_WRONG;
    ag_str_free(a, &token);
    ag_str_free(a, &hint);
    tap_client_end(c);
    return got;
}

int main(void)
{
    tap_each_alloc("an app session token's request", asks, 3);
    tap_each_alloc("its answer", reads_one, 3);
    reads();
    OK(tap_live == 0, "nothing is held at the end");
    return tap_end();
}
