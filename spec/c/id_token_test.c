/* id_token_test: the claims of an ID token, each defect beside its good twin. */
#include "core/b64.h"
#include "core/id_token.h"
#include "tap.h"

#define CLAIMS(iss, aud, exp, iat, sub, more) \
    "{\"iss\":" iss ",\"aud\":" aud ",\"exp\":" exp ",\"iat\":" iat ",\"sub\":" sub more "}"
#define GOOD CLAIMS("\"https://x\"", "\"app\"", "2000", "1000", "\"u\"", "")

static const struct {
    const char *claims;
    bool good;
} rows[] = {
    { GOOD, true },
    { CLAIMS("\"https://x\"", "[\"app\"]", "2000", "1000", "\"u\"", ""), true },
    { CLAIMS("\"https://x\"", "[\"other\",\"app\"]", "2000", "1000", "\"u\"", ",\"azp\":\"app\""), true },
    { CLAIMS("\"https://x\"", "\"app\"", "1001", "1000", "\"u\"", ""), true },
    { CLAIMS("\"https://y\"", "\"app\"", "2000", "1000", "\"u\"", ""), false },
    { CLAIMS("\"https://x/\"", "\"app\"", "2000", "1000", "\"u\"", ""), false },
    { CLAIMS("1", "\"app\"", "2000", "1000", "\"u\"", ""), false },
    { CLAIMS("\"https://x\"", "\"other\"", "2000", "1000", "\"u\"", ""), false },
    { CLAIMS("\"https://x\"", "[\"other\"]", "2000", "1000", "\"u\"", ""), false },
    { CLAIMS("\"https://x\"", "[]", "2000", "1000", "\"u\"", ""), false },
    { CLAIMS("\"https://x\"", "{\"app\":1}", "2000", "1000", "\"u\"", ""), false },
    { CLAIMS("\"https://x\"", "[\"other\",\"app\"]", "2000", "1000", "\"u\"", ",\"azp\":\"other\""), false },
    { CLAIMS("\"https://x\"", "\"app\"", "1000", "900", "\"u\"", ""), false },
    { CLAIMS("\"https://x\"", "\"app\"", "\"2000\"", "1000", "\"u\"", ""), false },
    { CLAIMS("\"https://x\"", "\"app\"", "2000", "null", "\"u\"", ""), false },
    { CLAIMS("\"https://x\"", "\"app\"", "2000", "1000", "\"\"", ""), false },
    { CLAIMS("\"https://x\"", "\"app\"", "2000", "1000", "7", ""), false },
    { CLAIMS("\"https://x\"", "\"app\"", "2000", "1000", "\"u\"", ",\"sub\":\"v\""), false },
    { "[" GOOD "]", false },
    { "\"text\"", false },
    { "", false },
};

/* header.PAYLOAD.signature; returns the length. */
static size_t make(char *out, const char *claims)
{
    size_t n = strlen(claims), len = AG_B64URL_LEN(n);
    memcpy(out, "e30.", 4);
    ag_b64url_encode(out + 4, claims, n);
    memcpy(out + 4 + len, ".sig", 4);
    return len + 8;
}

static bool check(const ag_alloc *a, const char *p, size_t n, ag_str *sub, ag_err *e)
{
    const ag_id_token_want want = {
        .issuer = AG_LIT("https://x"), .client_id = AG_LIT("app"), .now_s = 1000 + AG_ID_TOKEN_SKEW_S
    };
    return ag_id_token_check(a, (ag_view){ p, n }, &want, sub, e);
}

static tap_outcome checks(const ag_alloc *a)
{
    char token[512];
    size_t n = make(token, GOOD);
    ag_str sub = { NULL, 0 };
    ag_err e;
    tap_outcome got;
    ag_err_clear(&e);
    got = tap_outcome_of(check(a, token, n, &sub, &e), &e);
    if (got == TAP_DONE && !tap_str_is(&sub, "u"))
        got = TAP_WRONG;
    ag_str_free(a, &sub);
    return got;
}

static const char *const shapes[] = { "", ".", "..", "e30", "e30.", "e30.e30", "e30.e30.a.b", "e30.!!!.a", "e30.e30=.a", "e30.e30 .a", "." };

#define MORE(text) CLAIMS("\"https://x\"", "\"app\"", "9000", "1000", "\"u\"", text)

/* What only some requests ask for. */
static void more(void)
{
    static const struct {
        const char *claims;
        const char *nonce, *sub;
        double since_s;
        ag_err_code want;
    } wants[] = {
        { MORE(",\"nonce\":\"n\""), "n", "u", 0, AG_E_NONE },
        { MORE(",\"nonce\":\"m\""), "n", "u", 0, AG_E_ID_TOKEN },
        { MORE(",\"nonce\":1"), "n", "u", 0, AG_E_ID_TOKEN },
        { MORE(""), "n", "u", 0, AG_E_ID_TOKEN },
        { MORE(",\"nonce\":\"m\""), NULL, NULL, 0, AG_E_NONE },
        { MORE(""), NULL, "v", 0, AG_E_USER_MISMATCH },
        { MORE(",\"auth_time\":5000"), NULL, NULL, 5000 + AG_ID_TOKEN_SKEW_S, AG_E_NONE },
        { MORE(",\"auth_time\":5000"), NULL, NULL, 5001 + AG_ID_TOKEN_SKEW_S, AG_E_ID_TOKEN },
        { MORE(",\"auth_time\":\"5000\""), NULL, NULL, 5000, AG_E_ID_TOKEN },
        { MORE(""), NULL, NULL, 5000, AG_E_ID_TOKEN },
    };
    char token[512];
    size_t i;
    for (i = 0; i < sizeof wants / sizeof wants[0]; i++) {
        const ag_id_token_want want = {
            .issuer = AG_LIT("https://x"), .client_id = AG_LIT("app"), .now_s = 5000, .since_s = wants[i].since_s,
            .nonce = ag_view_of(wants[i].nonce), .sub = ag_view_of(wants[i].sub)
        };
        const size_t n = make(token, wants[i].claims);
        ag_err e;
        ag_err_clear(&e);
        OK(ag_id_token_check(&tap_alloc, (ag_view){ token, n }, &want, NULL, &e) == (wants[i].want == AG_E_NONE)
           && e.code == wants[i].want, tap_name("asked for more", wants[i].claims));
    }
}

int main(void)
{
    char token[512];
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ag_err e;
        size_t n = make(token, rows[i].claims);
        char *exact = tap_exact(token, n);
        bool ok = check(&tap_alloc, exact, n, NULL, &e);
        OK(ok == rows[i].good && (ok || e.code == AG_E_ID_TOKEN), tap_name("claims", rows[i].claims));
        free(exact);
    }
    for (i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        ag_err e;
        size_t n = strlen(shapes[i]);
        char *exact = tap_exact(shapes[i], n);
        OK(!check(&tap_alloc, exact, n, NULL, &e) && e.code == AG_E_ID_TOKEN, tap_name("shape", shapes[i]));
        free(exact);
    }
    more();
    tap_each_alloc("an ID token", checks, 3);
    OK(tap_live == 0, "nothing is held at the end");
    return tap_end();
}
