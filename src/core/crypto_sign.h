/* crypto_sign: keys of our own and signing with them: ES256, on the curve P-256 (RFC 7518 section 3.4), by OpenSSL.
 * Must never hand out the secret but to be stored, nor keep a copy of it that is not wiped. */
#ifndef AG_CORE_CRYPTO_SIGN_H
#define AG_CORE_CRYPTO_SIGN_H

#include "core/crypto_verify.h"
#include "core/env.h"

#define AG_SIGN_SECRET 32       /* bytes of the secret number */
#define AG_SIGN_POINT 64        /* of the public point: x, then y */
#define AG_SIGNATURE 64         /* r, then s */

typedef struct ag_sign_key ag_sign_key;

/* A new key, from the env's randomness. BAD: there was none. */
ag_crypto_result ag_sign_key_make(const ag_env *env, ag_sign_key **out);
/* The key with this secret. BAD: there is no such key. */
ag_crypto_result ag_sign_key_read(const ag_alloc *a, ag_view secret, ag_sign_key **out);
void ag_sign_key_free(const ag_alloc *a, ag_sign_key *key);     /* wipes; NULL is well */
/* Borrowed from the key. */
const unsigned char *ag_sign_key_secret(const ag_sign_key *key);        /* AG_SIGN_SECRET bytes */
const unsigned char *ag_sign_key_point(const ag_sign_key *key);         /* AG_SIGN_POINT bytes */
/* Signs text as a JWS wants it: both numbers at their full length. False: out of memory. Leaves OpenSSL's error
 * queue as it was. */
bool ag_sign_es256(const ag_sign_key *key, ag_view text, unsigned char out[AG_SIGNATURE]);

#endif
