/* crypto_seal: see crypto_seal.h. */
#include "core/crypto_seal.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "core/crypto.h"

enum { MAGIC = 8, VERSION = MAGIC, SALT = 9, SALT_N = 16, NONCE = 25, NONCE_N = 12, CHECK = 37, CHECK_N = 16, HEAD = 53,
       TAG_N = 16, DIGEST_N = 32 };
_Static_assert(HEAD + TAG_N + DIGEST_N == AG_SEAL_MORE, "the parts of a seal");
_Static_assert(SALT_N + NONCE_N == AG_SEAL_RANDOM, "the randomness of a seal");

static const unsigned char magic[MAGIC + 1] = { 0x89, 'A', 'G', 'S', 'E', 'A', 'L', '\n', 1 };

/* What HMAC makes of the key for one purpose. */
static bool derive(const unsigned char *key, const char *label, const unsigned char *salt, unsigned char out[32])
{
    unsigned char text[32 + SALT_N];
    size_t n = strlen(label);
    unsigned int size = 0;
    memcpy(text, label, n);
    memcpy(text + n, salt, SALT_N);
    return HMAC(EVP_sha256(), key, AG_SEAL_KEY, text, n + SALT_N, out, &size) != NULL && size == 32;
}

static bool key_check(const unsigned char *key, const unsigned char *salt, unsigned char out[32])
{
    return derive(key, "authgear seal 1 check", salt, out);
}

/* GCM in or out of place: head and context are authenticated too. When it opens, tag is what must come out. */
static bool gcm(bool close, const unsigned char key[32], const unsigned char *head, ag_view context,
                const unsigned char *in, size_t n, unsigned char *out, unsigned char *tag)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    unsigned char none[1];
    int got = 0;
    bool ok = c != NULL && n <= INT_MAX && context.n <= INT_MAX &&
              EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, head + NONCE, close ? 1 : 0) == 1 &&
              EVP_CipherUpdate(c, NULL, &got, head, HEAD) == 1 &&
              EVP_CipherUpdate(c, NULL, &got, (const unsigned char *)context.p, (int)context.n) == 1 &&
              (n == 0 || EVP_CipherUpdate(c, out, &got, in, (int)n) == 1) &&
              (close || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_N, tag) == 1) &&
              EVP_CipherFinal_ex(c, none, &got) == 1 &&
              (!close || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_N, tag) == 1);
    EVP_CIPHER_CTX_free(c);
    return ok;
}

/* Derives the key of one seal and runs GCM with it. */
static bool crypt(bool close, const unsigned char *key, const unsigned char *head, ag_view context,
                  const unsigned char *in, size_t n, unsigned char *out, unsigned char *tag)
{
    unsigned char once[32];
    bool ok;
    (void)ERR_set_mark();
    ok = derive(key, "authgear seal 1 key", head + SALT, once) && gcm(close, once, head, context, in, n, out, tag);
    (void)ERR_pop_to_mark();
    ag_wipe(once, sizeof once);
    return ok;
}

ag_seal_result ag_seal(const ag_alloc *a, const unsigned char key[AG_SEAL_KEY], ag_view context,
                       const unsigned char random[AG_SEAL_RANDOM], ag_view plain, ag_str *out)
{
    unsigned char *p, check[32];
    size_t size;
    bool ok;
    if (!ag_size_add(plain.n, AG_SEAL_MORE + 1, &size))
        return AG_SEAL_FAILED;
    p = ag_new0(a, size);
    if (p == NULL)
        return AG_SEAL_FAILED;
    size--;
    memcpy(p, magic, sizeof magic);
    memcpy(p + SALT, random, AG_SEAL_RANDOM);
    ok = key_check(key, p + SALT, check);
    memcpy(p + CHECK, check, CHECK_N);
    ok = ok && crypt(true, key, p, context, (const unsigned char *)plain.p, plain.n, p + HEAD, p + HEAD + plain.n) &&
         ag_sha256(p + size - DIGEST_N, p, size - DIGEST_N);
    if (!ok) {
        ag_free_wiped(a, p, size + 1);
        return AG_SEAL_FAILED;
    }
    out->p = (char *)p;
    out->n = size;
    return AG_SEAL_GOOD;
}

ag_seal_result ag_seal_look(const unsigned char *key, ag_view sealed)
{
    const unsigned char *p = (const unsigned char *)sealed.p;
    unsigned char now[32];
    if (sealed.n < MAGIC || memcmp(p, magic, MAGIC) != 0)
        return AG_SEAL_NONE;
    if (sealed.n < AG_SEAL_MORE)
        return AG_SEAL_DAMAGED;
    if (!ag_sha256(now, p, sealed.n - DIGEST_N))
        return AG_SEAL_FAILED;
    if (memcmp(now, p + sealed.n - DIGEST_N, DIGEST_N) != 0)
        return AG_SEAL_DAMAGED;
    if (p[VERSION] != magic[VERSION])
        return AG_SEAL_NEWER;
    if (key == NULL)
        return AG_SEAL_GOOD;
    if (!key_check(key, p + SALT, now))
        return AG_SEAL_FAILED;
    return ag_secret_eq((const char *)now, CHECK_N, sealed.p + CHECK, CHECK_N) ? AG_SEAL_GOOD : AG_SEAL_OTHER_KEY;
}

ag_seal_result ag_unseal(const ag_alloc *a, const unsigned char key[AG_SEAL_KEY], ag_view context, ag_view sealed,
                         ag_str *out)
{
    ag_seal_result result = ag_seal_look(key, sealed);
    const unsigned char *head = (const unsigned char *)sealed.p;
    unsigned char tag[TAG_N], *p;
    size_t n;
    if (result != AG_SEAL_GOOD)
        return result;
    n = sealed.n - AG_SEAL_MORE;
    p = ag_new0(a, n + 1);
    if (p == NULL)
        return AG_SEAL_FAILED;
    memcpy(tag, head + HEAD + n, TAG_N);
    if (!crypt(false, key, head, context, head + HEAD, n, p, tag)) {
        ag_free_wiped(a, p, n + 1);
        return AG_SEAL_DAMAGED;
    }
    out->p = (char *)p;
    out->n = n;
    return AG_SEAL_GOOD;
}
