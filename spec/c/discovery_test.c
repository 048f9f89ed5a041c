/* discovery_test: the metadata request and the documents that are taken or refused. */
#include "core/discovery.h"
#include "tap.h"

#define DOC(issuer, authz, token, more) "{\"issuer\":" issuer ",\"authorization_endpoint\":" authz ",\"token_endpoint\":" token more "}"
#define GOOD_ISSUER "\"https://x.example\""
#define GOOD_AUTHZ "\"https://x.example/a\""
#define GOOD_TOKEN "\"https://x.example/t\""
#define WITH(more) DOC(GOOD_ISSUER, GOOD_AUTHZ, GOOD_TOKEN, more)

static const struct {
    const char *body;
    int status;
    ag_err_code want;
} rows[] = {
    { WITH(""), 200, AG_E_NONE },
    { DOC("\"https://x.example/\"", GOOD_AUTHZ, GOOD_TOKEN, ""), 200, AG_E_NONE },
    { WITH(",\"userinfo_endpoint\":\"https://y.example/u\""), 200, AG_E_NONE },
    { WITH(",\"userinfo_endpoint\":\"http://127.0.0.1:1/u\""), 200, AG_E_NONE },
    { DOC("\"https://y.example\"", GOOD_AUTHZ, GOOD_TOKEN, ""), 200, AG_E_DISCOVERY },
    { DOC("\"https://x.example.\"", GOOD_AUTHZ, GOOD_TOKEN, ""), 200, AG_E_DISCOVERY },
    { DOC("\"https://X.example\"", GOOD_AUTHZ, GOOD_TOKEN, ""), 200, AG_E_DISCOVERY },
    { DOC("1", GOOD_AUTHZ, GOOD_TOKEN, ""), 200, AG_E_DISCOVERY },
    { DOC(GOOD_ISSUER, "\"http://x.example/a\"", GOOD_TOKEN, ""), 200, AG_E_DISCOVERY },
    { DOC(GOOD_ISSUER, GOOD_AUTHZ, "\"http://x.example/t\"", ""), 200, AG_E_DISCOVERY },
    { DOC(GOOD_ISSUER, "\"javascript:alert(1)\"", GOOD_TOKEN, ""), 200, AG_E_DISCOVERY },
    { DOC(GOOD_ISSUER, "\"/a\"", GOOD_TOKEN, ""), 200, AG_E_DISCOVERY },
    { DOC(GOOD_ISSUER, "\"https://x.example/a#f\"", GOOD_TOKEN, ""), 200, AG_E_DISCOVERY },
    { DOC(GOOD_ISSUER, "null", GOOD_TOKEN, ""), 200, AG_E_DISCOVERY },
    { DOC(GOOD_ISSUER, "[]", GOOD_TOKEN, ""), 200, AG_E_DISCOVERY },
    { "{\"issuer\":\"https://x.example\",\"authorization_endpoint\":\"https://x.example/a\"}", 200, AG_E_DISCOVERY },
    { "{\"issuer\":\"https://x.example\",\"token_endpoint\":\"https://x.example/t\"}", 200, AG_E_DISCOVERY },
    { WITH(",\"userinfo_endpoint\":\"http://y.example/u\""), 200, AG_E_DISCOVERY },
    { WITH(",\"revocation_endpoint\":7"), 200, AG_E_DISCOVERY },
    { WITH(",\"issuer\":\"https://x.example\""), 200, AG_E_INVALID_RESPONSE },
    { "[]", 200, AG_E_DISCOVERY },
    { "null", 200, AG_E_DISCOVERY },
    { "", 200, AG_E_INVALID_RESPONSE },
    { "<html>", 200, AG_E_INVALID_RESPONSE },
    { WITH(""), 404, AG_E_INVALID_RESPONSE },
    { WITH(""), 302, AG_E_INVALID_RESPONSE },
    { WITH(""), 503, AG_E_SERVER },
    { WITH(""), 429, AG_E_RATE_LIMITED },
};

static void documents(void)
{
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ag_metadata m;
        ag_err e;
        const ag_answer ans = { .status = rows[i].status, .headers = { "", 0 }, .body = ag_view_of(rows[i].body) };
        bool ok;
        ag_err_clear(&e);
        memset(&m, 0, sizeof m);
        ok = ag_discovery_read(&tap_alloc, AG_LIT("https://x.example"), false, &ans, 0, &m, &e);
        OK(ok == (rows[i].want == AG_E_NONE) && e.code == rows[i].want && ok == (m.issuer.p != NULL),
           tap_name("document", rows[i].body));
        ag_metadata_free(&tap_alloc, &m);
    }
}

static tap_outcome reads(const ag_alloc *a)
{
    static const char body[] = WITH(",\"userinfo_endpoint\":\"https://x.example/u\",\"revocation_endpoint\":\"https://x.example/r\","
        "\"jwks_uri\":\"https://x.example/j\",\"end_session_endpoint\":\"https://x.example/e\","
        "\"authorization_response_iss_parameter_supported\":true,\"token_endpoint_auth_methods_supported\":[\"client_secret_basic\"]");
    const ag_answer ans = { .status = 200, .headers = { "", 0 }, .body = AG_LIT(body) };
    ag_metadata m;
    ag_err e;
    tap_outcome got;
    ag_err_clear(&e);
    memset(&m, 0, sizeof m);
    got = tap_outcome_of(ag_discovery_read(a, AG_LIT("https://x.example"), false, &ans, 0, &m, &e), &e);
    if (got == TAP_DONE && !(tap_str_is(&m.userinfo_endpoint, "https://x.example/u") && tap_str_is(&m.jwks_uri, "https://x.example/j")
                             && m.iss_in_callback && m.secret_basic && !m.secret_post))
        got = TAP_WRONG;
    ag_metadata_free(a, &m);
    return got;
}

static tap_outcome asks(const ag_alloc *a)
{
    ag_request r;
    ag_err e;
    tap_outcome got;
    ag_err_clear(&e);
    memset(&r, 0, sizeof r);
    got = tap_outcome_of(ag_discovery_request(a, AG_LIT("https://x.example/p"), &r, &e), &e);
    if (got == TAP_DONE && !(tap_str_is(&r.url, "https://x.example/p/.well-known/openid-configuration")
                             && strcmp(r.method, "GET") == 0 && !r.fresh && r.body.p == NULL
                             && tap_str_is(&r.headers, "Accept: application/json\r\n")))
        got = TAP_WRONG;
    ag_request_free(a, &r);
    return got;
}

int main(void)
{
    documents();
    tap_each_alloc("a document", reads, 8);
    tap_each_alloc("the request", asks, 1);
    OK(tap_live == 0, "nothing is held at the end");
    return tap_end();
}
