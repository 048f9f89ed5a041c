/* crypto_test: known answers, and that randomness is not the same twice. */
#include "core/b64.h"
#include "core/crypto.h"
#include "tap.h"

static bool sha_is(const char *text, size_t n, const char *hex)
{
    unsigned char out[32];
    char got[65];
    int i;
    if (!ag_sha256(out, text, n))
        return false;
    for (i = 0; i < 32; i++)
        (void)snprintf(got + 2 * i, 3, "%02x", out[i]);
    return strcmp(got, hex) == 0;
}

static void hashes(void)
{
    unsigned char out[32];
    char challenge[AG_B64URL_LEN(32)];
    static const char verifier[] = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    OK(sha_is("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), "SHA-256 of abc");
    OK(sha_is(NULL, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), "SHA-256 of nothing");
    OK(ag_sha256(out, verifier, 43), "SHA-256 of a verifier");
    ag_b64url_encode(challenge, out, 32);
    OK(memcmp(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", 43) == 0, "RFC 7636 appendix B");
}

static void equality(void)
{
    OK(ag_secret_eq("abc", 3, "abc", 3), "the same");
    OK(!ag_secret_eq("abc", 3, "abd", 3), "the last byte differs");
    OK(!ag_secret_eq("abc", 3, "abcd", 4), "longer");
    OK(!ag_secret_eq("abc", 3, "ab", 2), "shorter");
    OK(!ag_secret_eq("a\0c", 3, "a\0d", 3), "behind a NUL");
    OK(ag_secret_eq("", 0, NULL, 0), "both empty");
}

static void randomness(void)
{
    unsigned char a[32], b[32];
    unsigned char *large = calloc(1, 100000);
    size_t i, zeros = 0;
    OK(ag_crypto_random(NULL, a, 32) && ag_crypto_random(NULL, b, 32) && memcmp(a, b, 32) != 0, "not the same twice");
    OK(ag_crypto_random(NULL, a, 0), "none at all");
    OK(large != NULL && ag_crypto_random(NULL, large, 100000), "100,000 bytes");
    for (i = 0; large != NULL && i < 100000; i++)
        zeros += large[i] == 0 ? 1 : 0;
    OK(zeros > 200 && zeros < 600, "all of them filled");
    free(large);
}

int main(void)
{
    hashes();
    equality();
    randomness();
    return tap_end();
}
