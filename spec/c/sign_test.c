/* sign_test: keys of our own: a standard's key and its public half, thumbprints, signatures that verify, secrets that are
 * none, randomness that is bad, and each allocation failing. */
#include "core/b64.h"
#include "core/crypto.h"
#include "core/jwk.h"
#include "core/jws.h"
#include "tap.h"

/* RFC 7515 appendix A.3.1. */
#define SECRET "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
#define X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define JWK "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" X "\",\"y\":\"" Y "\"}"

static ag_sign_key *key_of(const ag_alloc *a, const char *text, ag_crypto_result *result)
{
    char secret[64];
    size_t n = 0;
    ag_sign_key *key = NULL;
    *result = AG_CRYPTO_BAD;
    if (ag_b64url_decode(secret, &n, text, strlen(text)))
        *result = ag_sign_key_read(a, (ag_view){ secret, n }, &key);
    return key;
}

static void export(void)
{
    ag_crypto_result result;
    char jwk[AG_JWK_OWN_LEN + 1], jkt[AG_JKT_LEN + 1], want[AG_JKT_LEN];
    unsigned char hash[32];
    ag_sign_key *key = key_of(&tap_alloc, SECRET, &result);
    OK(key != NULL && result == AG_CRYPTO_GOOD, "RFC 7515's key is read");
    if (key == NULL)
        return;
    ag_jwk_write(key, jwk);
    OK(strcmp(jwk, JWK) == 0 && strlen(jwk) == AG_JWK_OWN_LEN, "its public half");
    OK(ag_jwk_thumbprint(key, jkt) && strlen(jkt) == AG_JKT_LEN, "its thumbprint");
    (void)ag_sha256(hash, JWK, strlen(JWK));
    ag_b64url_encode(want, hash, sizeof hash);
    OK(memcmp(jkt, want, sizeof want) == 0, "is the hash of the public half");
    OK(strcmp(jkt, "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U") == 0, "and what another implementation makes of it");
    ag_sign_key_free(&tap_alloc, key);
}

static bool verifies(const ag_sign_key *key, const char *text, const unsigned char *sig)
{
    const char *point = (const char *)ag_sign_key_point(key);
    ag_public_key *public = NULL;
    bool good = ag_public_key_new(&tap_alloc, AG_KEY_P256, (ag_view){ point, 32 }, (ag_view){ point + 32, 32 }, &public)
            == AG_CRYPTO_GOOD
        && ag_public_key_verify(public, AG_SIG_ES256, (ag_view){ (const char *)sig, AG_SIGNATURE }, ag_view_of(text))
            == AG_CRYPTO_GOOD;
    ag_public_key_free(&tap_alloc, public);
    return good;
}

/* Numbers with a zero in front come once in 128 signatures: they must be as long as any other. */
static void signatures(void)
{
    unsigned char sig[AG_SIGNATURE];
    ag_crypto_result result;
    ag_sign_key *key = key_of(&tap_alloc, SECRET, &result);
    int i, good = 0, zeros = 0;
    char text[32];
    if (key == NULL)
        return;
    for (i = 0; i < 600; i++) {
        (void)snprintf(text, sizeof text, "text %d", i);
        good += ag_sign_es256(key, ag_view_of(text), sig) && verifies(key, text, sig);
        zeros += sig[0] == 0 || sig[AG_SIGNATURE / 2] == 0;
    }
    OK(good == 600, "600 signatures verify");
    OK(zeros > 0, "some of them with a zero in front");
    OK(ag_sign_es256(key, AG_LIT("a"), sig) && !verifies(key, "b", sig), "another text's does not");
    ag_sign_key_free(&tap_alloc, key);
}

static void tokens(void)
{
    ag_str token = { NULL, 0 };
    ag_jws jws;
    ag_err e;
    ag_crypto_result result;
    ag_sign_key *key = key_of(&tap_alloc, SECRET, &result);
    if (key == NULL)
        return;
    OK(ag_jws_sign(&tap_alloc, key, AG_LIT("{\"alg\":\"ES256\"}"), AG_LIT("{\"a\":1}"), &token, &e), "a token is signed");
    if (OK(ag_jws_read(&tap_alloc, ag_str_view(&token), 4096, &jws, &e), "and read")) {
        char text[256] = "";
        memcpy(text, jws.signed_text.p, jws.signed_text.n);
        OK(tap_view_is(jws.alg, "ES256") && tap_view_is(jws.payload, "{\"a\":1}"), "as it was written");
        OK(jws.signature.n == AG_SIGNATURE && verifies(key, text, (const unsigned char *)jws.signature.p), "and verified");
        ag_jws_free(&tap_alloc, &jws);
    }
    ag_str_free(&tap_alloc, &token);
    ag_sign_key_free(&tap_alloc, key);
}

static const struct {
    const char *name, *secret;
    ag_crypto_result result;
} secrets[] = {
    { "zero", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", AG_CRYPTO_BAD },
    { "one", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE", AG_CRYPTO_GOOD },
    { "the order, less one", "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVA", AG_CRYPTO_GOOD },
    { "the order", "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE", AG_CRYPTO_BAD },
    { "more", "__________________________________________8", AG_CRYPTO_BAD },
    { "a byte short", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQ", AG_CRYPTO_BAD },
    { "nothing", "", AG_CRYPTO_BAD },
};

static void bad_secrets(void)
{
    size_t i;
    for (i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        ag_crypto_result result;
        ag_sign_key *key = key_of(&tap_alloc, secrets[i].secret, &result);
        OK(result == secrets[i].result && (key != NULL) == (result == AG_CRYPTO_GOOD), secrets[i].name);
        ag_sign_key_free(&tap_alloc, key);
    }
}

typedef struct dice {
    int calls, bad;         /* the first `bad` calls give what is no secret */
    bool none;
} dice;

static bool roll(void *ud, void *out, size_t n)
{
    dice *d = ud;
    memset(out, d->calls++ < d->bad ? 0xff : 0x11, n);
    return !d->none;
}

static void randomness(void)
{
    static const unsigned char drawn[AG_SIGN_SECRET] = {
        0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
        0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11
    };
    dice d = { 0, 3, false };
    ag_env env = { .alloc = tap_alloc, .random = roll, .random_ud = &d };
    ag_sign_key *key = NULL, *other = NULL;
    OK(ag_sign_key_make(&env, &key) == AG_CRYPTO_GOOD && d.calls == 4, "drawn again until it is a secret");
    OK(key != NULL && memcmp(ag_sign_key_secret(key), drawn, sizeof drawn) == 0, "and that is the secret");
    ag_sign_key_free(&tap_alloc, key);
    d = (dice){ 0, 1000, false };
    OK(ag_sign_key_make(&env, &key) == AG_CRYPTO_BAD && key == NULL, "but not for ever");
    d = (dice){ 0, 0, true };
    OK(ag_sign_key_make(&env, &key) == AG_CRYPTO_BAD && key == NULL, "no randomness, no key");
    env.random = ag_crypto_random;
    OK(ag_sign_key_make(&env, &key) == AG_CRYPTO_GOOD && ag_sign_key_make(&env, &other) == AG_CRYPTO_GOOD
       && memcmp(ag_sign_key_secret(key), ag_sign_key_secret(other), AG_SIGN_SECRET) != 0, "not the same key twice");
    ag_sign_key_free(&tap_alloc, key);
    ag_sign_key_free(&tap_alloc, other);
}

static tap_outcome sign_something(const ag_alloc *a)
{
    ag_env env = { .alloc = *a, .random = ag_crypto_random };
    ag_str token = { NULL, 0 };
    ag_sign_key *key;
    ag_err e;
    ag_crypto_result made = ag_sign_key_make(&env, &key);
    tap_outcome outcome;
    if (made != AG_CRYPTO_GOOD)
        return made == AG_CRYPTO_MEMORY ? TAP_NO_MEMORY : TAP_WRONG;
    outcome = tap_outcome_of(ag_jws_sign(a, key, AG_LIT("{\"alg\":\"ES256\"}"), AG_LIT("{}"), &token, &e), &e);
    ag_str_free(a, &token);
    ag_sign_key_free(a, key);
    return outcome;
}

int main(void)
{
    export();
    signatures();
    tokens();
    bad_secrets();
    randomness();
    tap_each_alloc("making a key and signing", sign_something, 1);
    OK(tap_live == 0, "nothing is held");
    return tap_end();
}
