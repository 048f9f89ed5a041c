/* crypto: see crypto.h. */
#include "core/crypto.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

bool ag_sha256(unsigned char out[32], const void *in, size_t n)
{
    unsigned int size = 0;
    return EVP_Digest(n == 0 ? "" : in, n, out, &size, EVP_sha256(), NULL) == 1 && size == 32;
}

const char *ag_crypto_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION_STRING);
}

ag_sha256_kept *ag_sha256_keep(void)
{
    EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx != NULL && (md == NULL || EVP_DigestInit_ex2(ctx, md, NULL) != 1)) {
        EVP_MD_CTX_free(ctx);
        ctx = NULL;
    }
    EVP_MD_free(md);        /* the context has a reference of its own */
    return ctx;
}

void ag_sha256_drop(ag_sha256_kept *kept)
{
    EVP_MD_CTX_free(kept);
}

bool ag_sha256_by(ag_sha256_kept *kept, unsigned char out[32], const void *in, size_t n)
{
    unsigned int size = 0;
    return EVP_DigestInit_ex2(kept, NULL, NULL) == 1 && EVP_DigestUpdate(kept, n == 0 ? "" : in, n) == 1
        && EVP_DigestFinal_ex(kept, out, &size) == 1 && size == 32;
}

bool ag_secret_eq(const char *a, size_t an, const char *b, size_t bn)
{
    if (an != bn)
        return false;
    return an == 0 || CRYPTO_memcmp(a, b, an) == 0;
}

bool ag_crypto_random(void *ud, void *out, size_t n)
{
    unsigned char *to = out;
    (void)ud;
    while (n > 0) {
        int part = n > INT_MAX ? INT_MAX : (int)n;
        if (RAND_bytes(to, part) != 1)
            return false;
        to += part;
        n -= (size_t)part;
    }
    return true;
}
