/* crypto_sign: see crypto_sign.h. The secret is drawn here, so that randomness can be handed in; OpenSSL is given it
 * as an ECPrivateKey (RFC 5915) without its public half, which it works out. */
#include "core/crypto_sign.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#define DRAWS 8                 /* one in four thousand million is no secret of the curve */
#define MAX_DER_SIGNATURE 80

struct ag_sign_key {
    EVP_PKEY *pkey;
    unsigned char secret[AG_SIGN_SECRET];
    unsigned char point[AG_SIGN_POINT];
};

/* From 1 to the order of the curve, less one. */
static bool is_secret(const unsigned char d[AG_SIGN_SECRET])
{
    static const unsigned char order[AG_SIGN_SECRET] = {
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51
    };
    static const unsigned char zero[AG_SIGN_SECRET];
    return memcmp(d, zero, sizeof zero) != 0 && memcmp(d, order, sizeof order) < 0;
}

static EVP_PKEY *make_pkey(const unsigned char d[AG_SIGN_SECRET])
{
    static const unsigned char head[] = { 0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20 };
    static const unsigned char curve[] = { 0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
    unsigned char der[sizeof head + AG_SIGN_SECRET + sizeof curve];
    const unsigned char *at = der;
    EVP_PKEY *pkey;
    memcpy(der, head, sizeof head);
    memcpy(der + sizeof head, d, AG_SIGN_SECRET);
    memcpy(der + sizeof head + AG_SIGN_SECRET, curve, sizeof curve);
    pkey = d2i_PrivateKey(EVP_PKEY_EC, NULL, &at, (long)sizeof der);
    ag_wipe(der, sizeof der);
    return pkey;
}

/* The public point, uncompressed: 04, x, y. */
static bool copy_point(ag_sign_key *key)
{
    unsigned char *bytes = NULL;
    size_t n = EVP_PKEY_get1_encoded_public_key(key->pkey, &bytes);
    bool ok = n == 1 + AG_SIGN_POINT && bytes[0] == 0x04;
    if (ok)
        memcpy(key->point, bytes + 1, AG_SIGN_POINT);
    OPENSSL_free(bytes);
    return ok;
}

static ag_crypto_result make_key(const ag_alloc *a, const unsigned char d[AG_SIGN_SECRET], ag_sign_key **out)
{
    ag_sign_key *key = ag_new0(a, sizeof *key);
    bool ok;
    if (key == NULL)
        return AG_CRYPTO_MEMORY;
    memcpy(key->secret, d, sizeof key->secret);
    (void)ERR_set_mark();
    key->pkey = make_pkey(d);
    ok = key->pkey != NULL && copy_point(key);
    (void)ERR_pop_to_mark();
    if (!ok) {
        ag_sign_key_free(a, key);
        return AG_CRYPTO_MEMORY;
    }
    *out = key;
    return AG_CRYPTO_GOOD;
}

ag_crypto_result ag_sign_key_read(const ag_alloc *a, ag_view secret, ag_sign_key **out)
{
    *out = NULL;
    if (secret.n != AG_SIGN_SECRET || !is_secret((const unsigned char *)secret.p))
        return AG_CRYPTO_BAD;
    return make_key(a, (const unsigned char *)secret.p, out);
}

ag_crypto_result ag_sign_key_make(const ag_env *env, ag_sign_key **out)
{
    unsigned char d[AG_SIGN_SECRET];
    ag_crypto_result result = AG_CRYPTO_BAD;
    int draws = 0;
    bool drawn;
    *out = NULL;
    do
        drawn = env->random(env->random_ud, d, sizeof d);
    while (drawn && !is_secret(d) && ++draws < DRAWS);
    if (drawn && draws < DRAWS)
        result = make_key(&env->alloc, d, out);
    ag_wipe(d, sizeof d);
    return result;
}

void ag_sign_key_free(const ag_alloc *a, ag_sign_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pkey);
    ag_free_wiped(a, key, sizeof *key);
}

const unsigned char *ag_sign_key_secret(const ag_sign_key *key)
{
    return key->secret;
}

const unsigned char *ag_sign_key_point(const ag_sign_key *key)
{
    return key->point;
}

/* OpenSSL writes a signature as DER; a JWS has both numbers one after the other, each with its zeros in front. */
static bool flatten(const unsigned char *der, size_t n, unsigned char out[AG_SIGNATURE])
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
    bool ok = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, AG_SIGNATURE / 2) == AG_SIGNATURE / 2
        && BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + AG_SIGNATURE / 2, AG_SIGNATURE / 2) == AG_SIGNATURE / 2;
    ECDSA_SIG_free(sig);
    return ok;
}

bool ag_sign_es256(const ag_sign_key *key, ag_view text, unsigned char out[AG_SIGNATURE])
{
    unsigned char der[MAX_DER_SIGNATURE];
    size_t n = sizeof der;
    EVP_MD_CTX *ctx;
    bool ok;
    (void)ERR_set_mark();
    ctx = EVP_MD_CTX_new();
    ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key->pkey) == 1
        && EVP_DigestSign(ctx, der, &n, (const unsigned char *)text.p, text.n) == 1 && flatten(der, n, out);
    EVP_MD_CTX_free(ctx);
    (void)ERR_pop_to_mark();
    return ok;
}
