/* crypto_verify: see crypto_verify.h. Keys are handed to OpenSSL as SubjectPublicKeyInfo (RFC 5280
 * section 4.1.2.7), written here; a context per algorithm is kept with the key, since making one
 * costs as much as a fifth of an RSA signature's check. */
#include "core/crypto_verify.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#define MAX_RSA_BYTES 2056          /* a little more than 16384 bits, the limit of whoever reads keys */
#define MAX_EC_BYTES 66             /* P-521 */

typedef struct alg_facts {
    const char *name;
    ag_key_kind kind;
    const char *digest;
    bool pss;
} alg_facts;

static const alg_facts facts[AG_SIG_COUNT] = {
    { "RS256", AG_KEY_RSA, "SHA256", false },
    { "RS384", AG_KEY_RSA, "SHA384", false },
    { "RS512", AG_KEY_RSA, "SHA512", false },
    { "PS256", AG_KEY_RSA, "SHA256", true },
    { "PS384", AG_KEY_RSA, "SHA384", true },
    { "PS512", AG_KEY_RSA, "SHA512", true },
    { "ES256", AG_KEY_P256, "SHA256", false },
    { "ES384", AG_KEY_P384, "SHA384", false },
    { "ES512", AG_KEY_P521, "SHA512", false },
    { "EdDSA", AG_KEY_ED25519, NULL, false },
};

struct ag_public_key {
    EVP_PKEY *pkey;
    EVP_MD_CTX *hash;                   /* for whatever digest was used last */
    EVP_PKEY_CTX *ctx[AG_SIG_COUNT];    /* ready to verify; NULL: not used yet */
    EVP_MD *digest[AG_SIG_COUNT];
    ag_key_kind kind;
};

ag_sig_alg ag_sig_alg_of(ag_view name)
{
    int i = 0;
    while (i < AG_SIG_COUNT && !ag_view_eq(name, ag_view_of(facts[i].name)))
        i++;
    return (ag_sig_alg)i;
}

ag_key_kind ag_sig_alg_kind(ag_sig_alg alg)
{
    return facts[alg].kind;
}

size_t ag_key_kind_bytes(ag_key_kind kind)
{
    static const size_t bytes[] = { 0, 32, 48, MAX_EC_BYTES, 32 };
    return bytes[kind];
}

/* Did OpenSSL run out of memory since the mark was set? Forgets what it has said since. */
static ag_crypto_result judged(bool good)
{
    ag_crypto_result result = good ? AG_CRYPTO_GOOD : AG_CRYPTO_BAD;
    unsigned long last = ERR_peek_last_error();
    if (!good && ERR_GET_REASON(last) == ERR_R_MALLOC_FAILURE)
        result = AG_CRYPTO_MEMORY;
    (void)ERR_pop_to_mark();
    return result;
}

/* ---- DER (X.690), written from the end to the front ---- */

typedef struct der {
    unsigned char bytes[2 * MAX_RSA_BYTES + 64];
    size_t at;          /* where what is written begins */
} der;

static void der_bytes(der *d, const void *p, size_t n)
{
    d->at -= n;
    memcpy(d->bytes + d->at, p, n);
}

static void der_byte(der *d, size_t byte)
{
    d->bytes[--d->at] = (unsigned char)byte;
}

/* The head of a value that reaches from here to `end`. */
static void der_head(der *d, unsigned tag, size_t end)
{
    size_t n = end - d->at;
    if (n < 0x80) {
        der_byte(d, n);
    } else {
        der_byte(d, n & 0xFF);
        if (n > 0xFF)
            der_byte(d, n >> 8);
        der_byte(d, n > 0xFF ? 0x82 : 0x81);
    }
    der_byte(d, tag);
}

static void der_integer(der *d, const char *p, size_t n)
{
    size_t end = d->at;
    while (n > 1 && *p == 0) {
        p++;
        n--;
    }
    der_bytes(d, p, n);
    if ((unsigned char)*p >= 0x80)
        der_byte(d, 0);
    der_head(d, 0x02, end);
}

static void der_key(der *d, ag_key_kind kind, ag_view a, ag_view b)
{
    static const unsigned char rsa[] = "\x30\x0D\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x01\x01\x05\x00";
    static const unsigned char p256[] = "\x30\x13\x06\x07\x2A\x86\x48\xCE\x3D\x02\x01\x06\x08\x2A\x86\x48\xCE\x3D\x03\x01\x07";
    static const unsigned char p384[] = "\x30\x10\x06\x07\x2A\x86\x48\xCE\x3D\x02\x01\x06\x05\x2B\x81\x04\x00\x22";
    static const unsigned char p521[] = "\x30\x10\x06\x07\x2A\x86\x48\xCE\x3D\x02\x01\x06\x05\x2B\x81\x04\x00\x23";
    size_t end = d->at = sizeof d->bytes;
    if (kind == AG_KEY_RSA) {
        der_integer(d, b.p, b.n);
        der_integer(d, a.p, a.n);
        der_head(d, 0x30, end);
    } else {
        der_bytes(d, b.p, b.n);
        der_bytes(d, a.p, a.n);
        der_byte(d, 0x04);      /* both coordinates, uncompressed */
    }
    der_byte(d, 0);             /* no unused bits */
    der_head(d, 0x03, end);
    if (kind == AG_KEY_RSA)
        der_bytes(d, rsa, sizeof rsa - 1);
    else if (kind == AG_KEY_P256)
        der_bytes(d, p256, sizeof p256 - 1);
    else if (kind == AG_KEY_P384)
        der_bytes(d, p384, sizeof p384 - 1);
    else
        der_bytes(d, p521, sizeof p521 - 1);
    der_head(d, 0x30, end);
}

/* ---- keys ---- */

static EVP_PKEY *make_pkey(ag_key_kind kind, ag_view a, ag_view b)
{
    der d;
    const unsigned char *at;
    if (kind == AG_KEY_ED25519)
        return a.n != 32 ? NULL : EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)a.p, a.n);
    if (kind == AG_KEY_RSA ? a.n == 0 || b.n == 0 || a.n > MAX_RSA_BYTES || b.n > MAX_RSA_BYTES
                           : a.n != ag_key_kind_bytes(kind) || b.n != a.n)
        return NULL;
    der_key(&d, kind, a, b);
    at = d.bytes + d.at;
    return d2i_PUBKEY(NULL, &at, (long)(sizeof d.bytes - d.at));
}

ag_crypto_result ag_public_key_new(const ag_alloc *alloc, ag_key_kind kind, ag_view a, ag_view b, ag_public_key **out)
{
    ag_public_key *key = ag_new0(alloc, sizeof *key);
    ag_crypto_result result;
    *out = NULL;
    if (key == NULL)
        return AG_CRYPTO_MEMORY;
    (void)ERR_set_mark();
    key->kind = kind;
    key->pkey = make_pkey(kind, a, b);
    key->hash = EVP_MD_CTX_new();
    result = judged(key->pkey != NULL && key->hash != NULL);
    if (result == AG_CRYPTO_GOOD)
        *out = key;
    else
        ag_public_key_free(alloc, key);
    return result;
}

void ag_public_key_free(const ag_alloc *alloc, ag_public_key *key)
{
    int i;
    if (key == NULL)
        return;
    for (i = 0; i < AG_SIG_COUNT; i++) {
        EVP_PKEY_CTX_free(key->ctx[i]);
        EVP_MD_free(key->digest[i]);
    }
    EVP_MD_CTX_free(key->hash);
    EVP_PKEY_free(key->pkey);
    ag_free(alloc, key);
}

/* ---- verifying ---- */

/* The digest and the context for one algorithm, kept from then on. */
static bool prepare(ag_public_key *key, ag_sig_alg alg)
{
    const alg_facts *f = &facts[alg];
    EVP_PKEY_CTX *ctx;
    if (key->ctx[alg] != NULL)
        return true;
    if (key->digest[alg] == NULL)
        key->digest[alg] = EVP_MD_fetch(NULL, f->digest, NULL);
    ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
    if (ctx != NULL && key->digest[alg] != NULL && EVP_PKEY_verify_init(ctx) == 1
            && (f->kind != AG_KEY_RSA
                || EVP_PKEY_CTX_set_rsa_padding(ctx, f->pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1)
            && EVP_PKEY_CTX_set_signature_md(ctx, key->digest[alg]) == 1
            && (!f->pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1)) {
        key->ctx[alg] = ctx;
        return true;
    }
    EVP_PKEY_CTX_free(ctx);
    return false;
}

/* r and s as OpenSSL wants them. False: not of the right length. */
static bool der_of_ecdsa(der *d, ag_key_kind kind, ag_view sig)
{
    size_t n = ag_key_kind_bytes(kind);
    d->at = sizeof d->bytes;
    if (sig.n != 2 * n)
        return false;
    der_integer(d, sig.p + n, n);
    der_integer(d, sig.p, n);
    der_head(d, 0x30, sizeof d->bytes);
    return true;
}

static bool verify_digest(ag_public_key *key, ag_sig_alg alg, ag_view sig, ag_view text)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    const unsigned char *p = (const unsigned char *)sig.p;
    size_t len = sig.n;
    der d;
    if (key->kind != AG_KEY_RSA) {
        if (!der_of_ecdsa(&d, key->kind, sig))
            return false;
        p = d.bytes + d.at;
        len = sizeof d.bytes - d.at;
    }
    if (!prepare(key, alg) || EVP_DigestInit_ex2(key->hash, key->digest[alg], NULL) != 1
            || EVP_DigestUpdate(key->hash, text.p, text.n) != 1 || EVP_DigestFinal_ex(key->hash, digest, &n) != 1)
        return false;
    return EVP_PKEY_verify(key->ctx[alg], p, len, digest, n) == 1;
}

static bool verify_ed25519(const ag_public_key *key, ag_view sig, ag_view text)
{
    return EVP_DigestVerifyInit(key->hash, NULL, NULL, NULL, key->pkey) == 1
        && EVP_DigestVerify(key->hash, (const unsigned char *)sig.p, sig.n, (const unsigned char *)text.p, text.n) == 1;
}

ag_crypto_result ag_public_key_verify(ag_public_key *key, ag_sig_alg alg, ag_view sig, ag_view text)
{
    bool good;
    if (facts[alg].kind != key->kind || sig.n == 0)
        return AG_CRYPTO_BAD;
    (void)ERR_set_mark();
    good = key->kind == AG_KEY_ED25519 ? verify_ed25519(key, sig, text) : verify_digest(key, alg, sig, text);
    return judged(good);
}
