/* anonymous_test: what is asked and told about anonymous users, as bytes: the device key and what it signs, challenges,
 * signing up without a key, promotion codes; answers that are taken or refused; each allocation failing. */
#include "core/anonymous.h"
#include "core/b64.h"
#include "core/jwk.h"
#include "core/jws.h"
#include "tap_client.h"

#define JSON_HEADERS "Content-Type: application/json\r\nAccept: application/json\r\n"
#define NOW 1700000000

static bool counting(void *ud, void *out, size_t n)
{
    unsigned char *b = out;
    size_t i;
    (void)ud;
    for (i = 0; i < n; i++)
        b[i] = (unsigned char)(i + 1);
    return true;
}

static bool no_bytes(void *ud, void *out, size_t n)
{
    (void)ud;
    (void)out;
    (void)n;
    return false;
}

static ag_client *make_client(const ag_alloc *a)
{
    ag_client *c = tap_client_new(a, "https://x.example", "app");
    if (c != NULL)
        c->env.random = counting;
    return c;
}

/* ---- requests ---- */

typedef bool (*asker)(const ag_client *c, ag_request *out, ag_err *e);

static bool ask_signup(const ag_client *c, ag_request *out, ag_err *e)
{
    return ag_anonymous_signup_request(c, (ag_view){ NULL, 0 }, out, e);
}

static bool ask_signup_again(const ag_client *c, ag_request *out, ag_err *e)
{
    return ag_anonymous_signup_request(c, AG_LIT("r\"t"), out, e);
}

static bool ask_code(const ag_client *c, ag_request *out, ag_err *e)
{
    return ag_promotion_code_request(c, AG_LIT("rt"), out, e);
}

static bool ask_token(const ag_client *c, ag_request *out, ag_err *e)
{
    return ag_token_anonymous_request(c, AG_LIT("a.b.c"), out, e);
}

static const struct {
    asker ask;
    bool once;
    const char *url, *headers, *body;
} requests[] = {
    { ag_challenge_request, false, "https://x.example/oauth2/challenge", JSON_HEADERS, "{\"purpose\":\"anonymous_request\"}" },
    { ask_signup, true, "https://x.example/api/anonymous_user/signup", JSON_HEADERS,
      "{\"client_id\":\"app\",\"session_type\":\"refresh_token\"}" },
    { ask_signup_again, true, "https://x.example/api/anonymous_user/signup", JSON_HEADERS,
      "{\"client_id\":\"app\",\"session_type\":\"refresh_token\",\"refresh_token\":\"r\\\"t\"}" },
    { ask_code, false, "https://x.example/api/anonymous_user/promotion_code", JSON_HEADERS,
      "{\"session_type\":\"refresh_token\",\"refresh_token\":\"rt\"}" },
    { ask_token, true, "https://x.example/t", "Accept: application/json\r\nContent-Type: application/x-www-form-urlencoded\r\n",
      "grant_type=urn%3Aauthgear%3Aparams%3Aoauth%3Agrant-type%3Aanonymous-request&client_id=app&jwt=a.b.c" },
};

static size_t row;

static tap_outcome asks(const ag_alloc *a)
{
    ag_client *c = make_client(a);
    ag_request r;
    ag_err e;
    tap_outcome got = TAP_NO_MEMORY;
    memset(&r, 0, sizeof r);
    ag_err_clear(&e);
    if (c != NULL)
        got = tap_outcome_of(requests[row].ask(c, &r, &e), &e);
    if (got == TAP_DONE && !(tap_str_is(&r.url, requests[row].url) && tap_str_is(&r.headers, requests[row].headers)
                             && tap_str_is(&r.body, requests[row].body) && strcmp(r.method, "POST") == 0 && r.secret
                             && r.fresh == requests[row].once && r.keep_going == requests[row].once))
        got = TAP_WRONG;
    ag_request_free(a, &r);
    tap_client_end(c);
    return got;
}

/* ---- the key and its JWT ---- */

static bool part_is(ag_view text, const char *want)
{
    char bytes[600];
    size_t n;
    return text.n <= sizeof bytes && ag_b64url_decode(bytes, &n, text.p, text.n) && n == strlen(want) && memcmp(bytes, want, n) == 0;
}

/* Does the public half that the head shows verify what the key has signed? */
static bool is_signed(const ag_str *jwt, ag_view key_text)
{
    unsigned char secret[AG_SIGN_SECRET + 1], sig[AG_SIGNATURE + 1];
    ag_sign_key *key = NULL;
    ag_public_key *public = NULL;
    const char *dot = jwt->p + jwt->n;
    const char *point;
    size_t n;
    bool good;
    while (dot[-1] != '.')
        dot--;
    if (!ag_b64url_decode(secret, &n, key_text.p, key_text.n)
            || ag_sign_key_read(&tap_alloc, (ag_view){ (char *)secret, n }, &key) != AG_CRYPTO_GOOD)
        return false;
    point = (const char *)ag_sign_key_point(key);
    good = ag_public_key_new(&tap_alloc, AG_KEY_P256, (ag_view){ point, 32 }, (ag_view){ point + 32, 32 }, &public) == AG_CRYPTO_GOOD
        && ag_b64url_decode(sig, &n, dot, (size_t)(jwt->p + jwt->n - dot))
        && ag_public_key_verify(public, AG_SIG_ES256, (ag_view){ (char *)sig, n }, (ag_view){ jwt->p, (size_t)(dot - 1 - jwt->p) })
            == AG_CRYPTO_GOOD;
    ag_public_key_free(&tap_alloc, public);
    ag_sign_key_free(&tap_alloc, key);
    return good;
}

#define KEY "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA"
#define KID "01020304-0506-4708-890a-0b0c0d0e0f10"
#define HEAD "{\"alg\":\"ES256\",\"typ\":\"vnd.authgear.anonymous-request\",\"kid\":\"" KID "\",\"jwk\":{\"alg\":\"ES256\",\"kid\":\"" KID "\"," \
    "\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"UVw9brnjlrkE0_7Kf1T9zQzB6Ze_N13KUVrQpsO0A18\",\"y\":\"RTa-OlDzGPv5pUdZAqIhUCvvDVfgjFOyzApW8X2fk1Q\"}}"
#define BODY "{\"iat\":1700000000,\"exp\":1700000300,\"challenge\":\"CH\",\"action\":\"promote\",\"device_info\":{}}"

static tap_outcome signs(const ag_alloc *a)
{
    ag_client *c = make_client(a);
    ag_record r;
    ag_str jwt = { NULL, 0 };
    ag_err e;
    tap_outcome got = TAP_NO_MEMORY;
    memset(&r, 0, sizeof r);
    ag_err_clear(&e);
    if (c != NULL) {
        bool ok = ag_anonymous_make_key(&c->env, &r, &e) && ag_anonymous_jwt(c, &r, AG_LIT("CH"), "promote", NOW, &jwt, &e);
        got = tap_outcome_of(ok, &e);
    }
    if (got == TAP_DONE) {
        const char *dot = strchr(jwt.p, '.'), *last = strrchr(jwt.p, '.');
        if (!(tap_str_is(&r.anonymous_key, KEY) && tap_str_is(&r.anonymous_key_id, KID) && r.anonymous_sub.p == NULL
              && part_is((ag_view){ jwt.p, (size_t)(dot - jwt.p) }, HEAD)
              && part_is((ag_view){ dot + 1, (size_t)(last - dot - 1) }, BODY)))
            got = TAP_WRONG;
    }
    ag_str_free(a, &jwt);
    ag_record_free(a, &r);
    tap_client_end(c);
    return got;
}

static void keys(void)
{
    static const char *const bad[] = { "", "x", KEY "A", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", KEY "=" };
    ag_client *c = make_client(&tap_alloc);
    ag_record r, other;
    ag_str jwt = { NULL, 0 };
    ag_err e;
    size_t i;
    memset(&r, 0, sizeof r);
    memset(&other, 0, sizeof other);
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)ag_str_set_view(&tap_alloc, &r.anonymous_key, ag_view_of(bad[i]));
        OK(!ag_anonymous_jwt(c, &r, AG_LIT("CH"), "auth", NOW, &jwt, &e) && e.code == AG_E_STORAGE_DAMAGED && jwt.p == NULL,
           tap_name("no key", bad[i]));
    }
    ag_record_free(&tap_alloc, &r);
    OK(ag_anonymous_make_key(&c->env, &r, &e) && ag_anonymous_jwt(c, &r, AG_LIT("CH"), "auth", NOW, &jwt, &e)
       && is_signed(&jwt, AG_LIT(KEY)), "what the key signs verifies");
    ag_str_free(&tap_alloc, &jwt);
    c->env.random = no_bytes;
    OK(!ag_anonymous_make_key(&c->env, &r, &e) && e.code == AG_E_RANDOM, "no key without randomness");
    OK(tap_str_is(&r.anonymous_key, KEY), "and the old one stays");
    (void)ag_str_set(&tap_alloc, &r.anonymous_sub, "sub", 3);
    OK(ag_anonymous_keep_key(&tap_alloc, &other, &r) && tap_str_is(&other.anonymous_sub, "sub")
       && ag_anonymous_is_of_key(&other, AG_LIT("sub")) && !ag_anonymous_is_of_key(&other, AG_LIT("bus")), "a key is kept with whose it is");
    ag_anonymous_drop_key(&tap_alloc, &other);
    OK(!ag_record_has_keys(&other) && ag_record_has_keys(&r) && !ag_anonymous_is_of_key(&other, (ag_view){ NULL, 0 }), "and dropped");
    ag_record_free(&tap_alloc, &r);
    ag_record_free(&tap_alloc, &other);
    ag_client_unref(c);
}

/* ---- answers ---- */

static const struct {
    int status;
    const char *body;
    ag_err_code want;
} challenges[] = {
    { 200, "{\"result\":{\"token\":\"M16Z\",\"expire_at\":\"2026-11-23T19:05:02Z\"}}", AG_E_NONE },
    { 200, "{\"result\":{\"token\":\"\"}}", AG_E_INVALID_RESPONSE },
    { 200, "{\"result\":{\"token\":1}}", AG_E_INVALID_RESPONSE },
    { 200, "{\"result\":{\"token\":\"a\\u0007\"}}", AG_E_INVALID_RESPONSE },
    { 200, "{\"token\":\"M16Z\"}", AG_E_INVALID_RESPONSE },
    { 503, "", AG_E_SERVER },
}, signups[] = {
    { 200, "{\"result\":{\"access_token\":\"a\",\"expires_in\":300,\"refresh_token\":\"r\",\"token_type\":\"Bearer\"}}", AG_E_NONE },
    { 200, "{\"result\":{\"access_token\":\"a\",\"expires_in\":300,\"token_type\":\"Bearer\"}}", AG_E_NONE },
    { 200, "{\"result\":{\"expires_in\":300,\"refresh_token\":\"r\",\"token_type\":\"Bearer\"}}", AG_E_INVALID_RESPONSE },
    { 200, "{\"result\":{\"access_token\":\"a\",\"expires_in\":0,\"token_type\":\"Bearer\"}}", AG_E_INVALID_RESPONSE },
    { 200, "{\"access_token\":\"a\",\"expires_in\":300,\"token_type\":\"Bearer\"}", AG_E_INVALID_RESPONSE },
    { 400, "{\"error\":{\"name\":\"Invalid\",\"reason\":\"Invalid\",\"message\":\"invalid client ID\",\"code\":400}}", AG_E_OAUTH },
}, codes[] = {
    { 200, "{\"result\":{\"promotion_code\":\"qvLe\",\"expire_at\":\"2026-11-23T19:05:02Z\"}}", AG_E_NONE },
    { 200, "{\"result\":{\"promotion_code\":[\"qvLe\"]}}", AG_E_INVALID_RESPONSE },
    { 200, "{\"result\":{}}", AG_E_INVALID_RESPONSE },
    { 400, "{\"error\":{\"name\":\"Invalid\",\"reason\":\"Invalid\",\"message\":\"user logged in as normal user: Sec.ReT\"}}", AG_E_OAUTH },
};

#define COUNT(list) (sizeof (list) / sizeof (list)[0])

static void reads(void)
{
    ag_client *c = make_client(&tap_alloc);
    ag_str text = { NULL, 0 };
    ag_token_answer t;
    ag_err e;
    size_t i;
    memset(&t, 0, sizeof t);
    for (i = 0; i < COUNT(challenges); i++) {
        const ag_answer ans = { .status = challenges[i].status, .headers = { "", 0 }, .body = ag_view_of(challenges[i].body) };
        ag_err_clear(&e);
        OK(ag_challenge_read(c, &ans, &text, &e) == (challenges[i].want == AG_E_NONE) && e.code == challenges[i].want,
           tap_name("challenge", challenges[i].body));
    }
    OK(tap_str_is(&text, "M16Z"), "a refused answer changes nothing");
    for (i = 0; i < COUNT(signups); i++) {
        const ag_answer ans = { .status = signups[i].status, .headers = { "", 0 }, .body = ag_view_of(signups[i].body) };
        ag_err_clear(&e);
        OK(ag_anonymous_signup_read(c, &ans, AG_LIT("Sec.ReT"), &t, &e) == (signups[i].want == AG_E_NONE)
           && e.code == signups[i].want, tap_name("signup", signups[i].body));
    }
    for (i = 0; i < COUNT(codes); i++) {
        const ag_answer ans = { .status = codes[i].status, .headers = { "", 0 }, .body = ag_view_of(codes[i].body) };
        ag_err_clear(&e);
        OK(ag_promotion_code_read(c, &ans, AG_LIT("Sec.ReT"), &text, &e) == (codes[i].want == AG_E_NONE)
           && e.code == codes[i].want, tap_name("promotion code", codes[i].body));
    }
    OK(strcmp(e.oauth_error, "Invalid") == 0 && strstr(e.oauth_error_description, "Sec.ReT") == NULL, "no secret in the server's words");
    ag_token_answer_free(&tap_alloc, &t);
    ag_str_free(&tap_alloc, &text);
    ag_client_unref(c);
}

static tap_outcome reads_one(const ag_alloc *a)
{
    const ag_answer challenge = { .status = 200, .headers = { "", 0 }, .body = ag_view_of(challenges[0].body) };
    const ag_answer signup = { .status = 200, .headers = { "", 0 }, .body = ag_view_of(signups[0].body) };
    ag_client *c = make_client(a);
    ag_str text = { NULL, 0 }, hint = { NULL, 0 };
    ag_token_answer t;
    ag_err e;
    tap_outcome got = TAP_NO_MEMORY;
    memset(&t, 0, sizeof t);
    ag_err_clear(&e);
    if (c != NULL) {
        bool ok = ag_challenge_read(c, &challenge, &text, &e) && ag_anonymous_signup_read(c, &signup, (ag_view){ NULL, 0 }, &t, &e);
        got = tap_outcome_of(ok, &e);
    }
    if (got == TAP_DONE && !ag_anonymous_hint(a, "jwt", AG_LIT("a+b"), &hint))
        got = TAP_NO_MEMORY;
    if (got == TAP_DONE && !(tap_str_is(&hint, "https://authgear.com/login_hint?type=anonymous&jwt=a%2Bb") && tap_str_is(&t.refresh_token, "r")))
        got = TAP_WRONG;
    ag_str_free(a, &text);
    ag_str_free(a, &hint);
    ag_token_answer_free(a, &t);
    tap_client_end(c);
    return got;
}

int main(void)
{
    for (row = 0; row < COUNT(requests); row++)
        tap_each_alloc(requests[row].url, asks, 3);
    tap_each_alloc("a key, and what it signs", signs, 8);
    tap_each_alloc("answers and a hint", reads_one, 8);
    keys();
    reads();
    OK(tap_live == 0, "nothing is held at the end");
    return tap_end();
}
