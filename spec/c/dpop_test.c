/* dpop_test: keys in records, proofs to the letter, nonces and clocks of several servers, what answers complain about, and
 * each allocation failing. */
#include "core/crypto.h"
#include "core/dpop.h"
#include "core/http.h"
#include "tap.h"

/* RFC 7515 appendix A.3.1, and its thumbprint. */
#define SECRET "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
#define JKT "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"
#define HEAD "{\"alg\":\"ES256\",\"jwk\":{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},\"typ\":\"dpop+jwt\"}"
/* 32 bytes of 0x41, in base64url */
#define JTI "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE"

static bool same_bytes(void *ud, void *out, size_t n)
{
    (void)ud;
    memset(out, 'A', n);
    return true;
}

static ag_env env_of(const ag_alloc *a)
{
    return (ag_env){ .alloc = *a, .random = same_bytes, .boot_ms = 5000, .wall_ms = INT64_C(1700000000000) };
}

static const ag_view none = { NULL, 0 };

static ag_dpop *with_key(const ag_alloc *a, ag_err *e)
{
    ag_record r;
    ag_dpop *d = ag_dpop_new(a);
    bool ok;
    memset(&r, 0, sizeof r);
    (void)ag_fail(e, AG_E_MEMORY, "x");
    ok = d != NULL && ag_str_set(a, &r.dpop_key, SECRET, strlen(SECRET))
        && ag_dpop_use(a, d, &r, AG_LIT(JKT), e) == AG_DPOP_READY;
    ag_record_free(a, &r);
    if (ok)
        return d;
    ag_dpop_free(a, d);
    return NULL;
}

/* The part of a proof between its dots, decoded. */
static bool part_is(const ag_request *r, int which, const char *want)
{
    const char *p = r->dpop.p == NULL ? NULL : strchr(r->dpop.p, ' ');
    char text[1024];
    size_t n = 0;
    for (; p != NULL && which > 0; which--)
        p = strchr(p + 1, '.');
    if (p == NULL || !ag_b64url_decode(text, &n, p + 1, strcspn(p + 1, ".\r")))
        return false;
    if (n == strlen(want) && memcmp(text, want, n) == 0)
        return true;
    printf("# %.*s\n", (int)n, text);
    return false;
}

static bool is_signed(const ag_dpop *d, const ag_request *r)
{
    const char *p = strchr(r->dpop.p, ' ') + 1, *dot = strrchr(r->dpop.p, '.');
    const char *point = (const char *)ag_sign_key_point(d->key);
    unsigned char sig[AG_SIGNATURE + 2];
    size_t n = 0;
    ag_public_key *key = NULL;
    bool good = ag_b64url_decode(sig, &n, dot + 1, strlen(dot + 1) - 2) && n == AG_SIGNATURE
        && ag_public_key_new(&tap_alloc, AG_KEY_P256, (ag_view){ point, 32 }, (ag_view){ point + 32, 32 }, &key) == AG_CRYPTO_GOOD
        && ag_public_key_verify(key, AG_SIG_ES256, (ag_view){ (const char *)sig, n }, (ag_view){ p, (size_t)(dot - p) })
            == AG_CRYPTO_GOOD;
    ag_public_key_free(&tap_alloc, key);
    return good;
}

static const struct {
    const char *name, *method, *url, *headers, *answer, *claims;
} proofs[] = {
    { "a token request", "POST", "https://Issuer.example:443/oauth2/token", "Accept: x\r\n", NULL,
      "{\"jti\":\"" JTI "\",\"htm\":\"POST\",\"htu\":\"https://issuer.example/oauth2/token\",\"iat\":1700000000}" },
    { "a resource, with query and fragment", "GET", "http://127.0.0.1:8080/a%2Fb/..;c?x=1#y", "A: b\r\nAuthorization: DPoP abc\r\n", NULL,
      "{\"jti\":\"" JTI "\",\"htm\":\"GET\",\"htu\":\"http://127.0.0.1:8080/a%2Fb/..;c\",\"iat\":1700000000,"
      "\"ath\":\"ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0\"}" },
    { "no path", "GET", "https://issuer.example?x", "Authorization: Bearer abc\r\n", NULL,
      "{\"jti\":\"" JTI "\",\"htm\":\"GET\",\"htu\":\"https://issuer.example/\",\"iat\":1700000000}" },
    { "a nonce and a clock", "GET", "https://issuer.example/", "Authorization: Basic DPoP\r\n",
      "DPoP-Nonce: n.1\r\nDate: Tue, 14 Nov 2023 23:13:20 GMT\r\n",
      "{\"jti\":\"" JTI "\",\"htm\":\"GET\",\"htu\":\"https://issuer.example/\",\"iat\":1700003600,\"nonce\":\"n.1\"}" },
    { "from a cache, ten minutes ago", "GET", "https://issuer.example/", "A: b\r\n",
      "Age: 600\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n",
      "{\"jti\":\"" JTI "\",\"htm\":\"GET\",\"htu\":\"https://issuer.example/\",\"iat\":1700000600}" },
    { "from a cache, ages ago", "GET", "https://issuer.example/", "A: b\r\n",
      "Age: 99999999999\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n",
      "{\"jti\":\"" JTI "\",\"htm\":\"GET\",\"htu\":\"https://issuer.example/\",\"iat\":1700000000}" },
    { "no nonce, no date", "GET", "https://issuer.example/", "A: b\r\n", "DPoP-Nonce: a b\r\nDate: yesterday\r\n",
      "{\"jti\":\"" JTI "\",\"htm\":\"GET\",\"htu\":\"https://issuer.example/\",\"iat\":1700000000}" },
    { "no nonce that could get out of its quotes", "GET", "https://issuer.example/", "A: b\r\n", "DPoP-Nonce: a\"b\r\n",
      "{\"jti\":\"" JTI "\",\"htm\":\"GET\",\"htu\":\"https://issuer.example/\",\"iat\":1700000000}" },
    { "another server's nonce is not for this one", "GET", "https://issuer.example:444/", "A: b\r\n", NULL,
      "{\"jti\":\"" JTI "\",\"htm\":\"GET\",\"htu\":\"https://issuer.example:444/\",\"iat\":1700000000}" },
};

static bool set_request(const ag_alloc *a, ag_request *r, const char *method, const char *url, const char *headers)
{
    ag_request_reset(a, r, method);
    ag_request_prove(r, none);
    return ag_str_set_view(a, &r->url, ag_view_of(url)) && ag_str_set_view(a, &r->headers, ag_view_of(headers));
}

static void proving(void)
{
    size_t i;
    ag_err e;
    for (i = 0; i < sizeof proofs / sizeof proofs[0]; i++) {
        const ag_env env = env_of(&tap_alloc);
        ag_dpop *d = with_key(&tap_alloc, &e);
        ag_request r;
        memset(&r, 0, sizeof r);
        OK(d != NULL && set_request(&tap_alloc, &r, proofs[i].method, proofs[i].url, proofs[i].headers)
           && ag_dpop_learn(&env, d, AG_LIT("https://issuer.example/b"), ag_view_of(proofs[i].answer == NULL ? "" : proofs[i].answer))
           && ag_dpop_prove(&env, d, &r, &e), proofs[i].name);
        OK(part_is(&r, 0, HEAD) && part_is(&r, 1, proofs[i].claims), "its parts");
        OK(is_signed(d, &r) && strcmp(r.jkt, JKT) == 0 && strncmp(r.dpop.p, "DPoP: ", 6) == 0
           && strcmp(r.dpop.p + r.dpop.n - 2, "\r\n") == 0, "and its signature");
        ag_request_free(&tap_alloc, &r);
        ag_dpop_free(&tap_alloc, d);
    }
}

static void keys(void)
{
    const ag_env env = { .alloc = tap_alloc, .random = ag_crypto_random };
    ag_dpop *d = ag_dpop_new(&tap_alloc);
    ag_record r, other;
    ag_err e;
    char jkt[AG_JKT_LEN + 1];
    memset(&r, 0, sizeof r);
    memset(&other, 0, sizeof other);
    OK(ag_dpop_use(&tap_alloc, d, &r, none, &e) == AG_DPOP_NO_KEY, "no key yet");
    OK(ag_dpop_use(&tap_alloc, d, &r, AG_LIT(JKT), &e) == AG_DPOP_FAILED && e.code == AG_E_DPOP_KEY, "no key, though one is bound");
    (void)ag_str_set(&tap_alloc, &r.dpop_key, "damaged", 7);
    OK(ag_dpop_use(&tap_alloc, d, &r, none, &e) == AG_DPOP_NO_KEY, "a damaged one is none");
    OK(ag_dpop_use(&tap_alloc, d, &r, AG_LIT(JKT), &e) == AG_DPOP_FAILED && e.code == AG_E_DPOP_KEY, "and not the bound one");
    OK(ag_dpop_make_key(&env, &r, &e) && ag_dpop_use(&tap_alloc, d, &r, none, &e) == AG_DPOP_READY, "a new one");
    memcpy(jkt, d->jkt, sizeof jkt);
    OK(ag_dpop_use(&tap_alloc, d, &r, ag_view_of(jkt), &e) == AG_DPOP_READY, "that is bound");
    OK(ag_dpop_use(&tap_alloc, d, &r, AG_LIT(JKT), &e) == AG_DPOP_FAILED && e.code == AG_E_DPOP_KEY, "another is bound");
    (void)ag_str_set(&tap_alloc, &other.dpop_key, SECRET, strlen(SECRET));
    (void)ag_str_set(&tap_alloc, &r.dpop_jkt, jkt, AG_JKT_LEN);
    OK(ag_dpop_keep_key(&tap_alloc, d, &r, &other) && ag_view_eq(ag_str_view(&r.dpop_key), ag_str_view(&d->text)),
       "tokens keep the key that they are bound to");
    (void)ag_str_set(&tap_alloc, &r.dpop_jkt, JKT, AG_JKT_LEN);
    OK(ag_dpop_keep_key(&tap_alloc, d, &r, &other) && tap_str_is(&r.dpop_key, SECRET), "else the stored one stays");
    OK(ag_dpop_use(&tap_alloc, d, &r, AG_LIT(JKT), &e) == AG_DPOP_READY && strcmp(d->jkt, JKT) == 0, "a record's other key is used");
    ag_record_free(&tap_alloc, &r);
    ag_record_free(&tap_alloc, &other);
    ag_dpop_free(&tap_alloc, d);
}

/* More servers than are remembered: the oldest is forgotten, the others are not. */
static void servers(void)
{
    const ag_env env = env_of(&tap_alloc);
    ag_err e;
    ag_dpop *d = with_key(&tap_alloc, &e);
    ag_request r;
    int i, known = 0;
    char url[64];
    memset(&r, 0, sizeof r);
    for (i = 0; i < AG_DPOP_ORIGINS + 1; i++) {
        (void)snprintf(url, sizeof url, "https://h%d.example/x", i);
        (void)ag_dpop_learn(&env, d, ag_view_of(url), AG_LIT("DPoP-Nonce: n\r\n"));
        (void)ag_dpop_learn(&env, d, ag_view_of(url), AG_LIT("DPoP-Nonce: m\r\n"));
    }
    for (i = 0; i < AG_DPOP_ORIGINS + 1; i++) {
        (void)snprintf(url, sizeof url, "https://H%d.example:443/y", i);
        (void)set_request(&tap_alloc, &r, "GET", url, "A: b\r\n");
        OK(ag_dpop_prove(&env, d, &r, &e), "proved");
        known += tap_str_is(&r.nonce, "m") ? 1 : 0;
    }
    OK(known == AG_DPOP_ORIGINS, "the newest of each of the last servers");
    OK(ag_dpop_difference(&env, d, &r) == 0, "no other proof would differ");
    (void)ag_dpop_learn(&env, d, ag_view_of(url), AG_LIT("DPoP-Nonce: o\r\nDate: Tue, 14 Nov 2023 22:13:30 GMT\r\n"));
    OK(ag_dpop_difference(&env, d, &r) == AG_DPOP_NONCE, "another nonce; ten seconds make no difference");
    (void)ag_dpop_learn(&env, d, ag_view_of(url), AG_LIT("DPoP-Nonce: m\r\nDate: Tue, 14 Nov 2023 22:13:31 GMT\r\n"));
    OK(ag_dpop_difference(&env, d, &r) == AG_DPOP_TIME, "another time");
    ag_request_free(&tap_alloc, &r);
    ag_dpop_free(&tap_alloc, d);
}

static const struct {
    int status;
    const char *headers, *body;
    bool is;
} answers[] = {
    { 400, "", "{\"error\":\"use_dpop_nonce\"}", true },
    { 400, "", "{\"error\":\"invalid_dpop_proof\",\"error_description\":\"Invalid DPoP key binding\"}", true },
    { 400, "", "{\"error\":\"invalid_grant\"}", false },
    { 400, "", "{\"error\":[\"use_dpop_nonce\"]}", false },
    { 400, "", "use_dpop_nonce", false },
    { 500, "", "{\"error\":\"use_dpop_nonce\"}", false },
    { 200, "", "{\"error\":\"use_dpop_nonce\"}", false },
    { 401, "WWW-Authenticate: DPoP error=\"use_dpop_nonce\", error_description=\"x\"\r\n", NULL, true },
    { 401, "WWW-Authenticate: dpop realm=\"a, DPoP error=no\" , algs=\"ES256\",ERROR = invalid_dpop_proof\r\n", NULL, true },
    { 401, "WWW-Authenticate: Bearer error=\"invalid_token\", DPoP error=\"use_dpop_nonce\"\r\n", NULL, true },
    { 401, "WWW-Authenticate: Bearer abc==\r\nwww-authenticate: DPoP error=\"use_dpop_nonce\"\r\n", NULL, true },
    { 401, "WWW-Authenticate: DPoP algs=\"ES256\", Bearer error=\"use_dpop_nonce\"\r\n", NULL, false },
    { 401, "WWW-Authenticate: DPoP realm=\"x error=use_dpop_nonce\"\r\n", NULL, false },
    { 401, "WWW-Authenticate: DPoP realm=\"x\\\", error=use_dpop_nonce\"\r\n", NULL, false },
    { 401, "WWW-Authenticate: DPoP error=\"invalid_token\"\r\n", "{\"error\":\"use_dpop_nonce\"}", false },
    { 401, "WWW-Authenticate: DPoP error=\"use_dpop_nonce\r\n", NULL, true },
    { 401, "WWW-Authenticate: DPoP \"=,;=\"use_dpop_nonce\", error\r\n", NULL, false },
    { 401, "WWW-Authenticate: error=use_dpop_nonce\r\n", NULL, false },
    { 401, "", NULL, false },
};

static void complaints(void)
{
    size_t i;
    for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const ag_answer ans = { .status = answers[i].status, .headers = ag_view_of(answers[i].headers),
                                .body = ag_view_of(answers[i].body) };
        ag_err e;
        OK(ag_dpop_is_refused(&ans, &e) == answers[i].is, tap_name("an answer", answers[i].body != NULL ? answers[i].body : answers[i].headers));
    }
}

static tap_outcome prove_something(const ag_alloc *a)
{
    const ag_env env = { .alloc = *a, .random = ag_crypto_random };
    ag_err e;
    ag_dpop *d = with_key(a, &e);
    ag_record made;
    ag_request r;
    bool ok;
    memset(&made, 0, sizeof made);
    memset(&r, 0, sizeof r);
    if (d == NULL)
        return tap_outcome_of(false, &e);
    (void)ag_fail(&e, AG_E_MEMORY, "x");
    ok = set_request(a, &r, "GET", "https://issuer.example/", "Authorization: DPoP abc\r\n")
        && ag_dpop_learn(&env, d, ag_str_view(&r.url), AG_LIT("DPoP-Nonce: n\r\n")) && ag_dpop_prove(&env, d, &r, &e)
        && ag_dpop_make_key(&env, &made, &e) && ag_dpop_use(a, d, &made, none, &e) == AG_DPOP_READY;
    ag_record_free(a, &made);
    ag_request_free(a, &r);
    ag_dpop_free(a, d);
    return tap_outcome_of(ok, &e);
}

int main(void)
{
    tap_canary = SECRET;
    proving();
    keys();
    servers();
    complaints();
    tap_each_alloc("proving", prove_something, 8);
    OK(tap_live == 0 && tap_unwiped == 0, "nothing is held, nothing secret is left behind");
    return tap_end();
}
