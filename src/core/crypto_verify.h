/* crypto_verify: public keys and checking signatures with them (RFC 7518, RFC 8037), by OpenSSL.
 * Must never take a symmetric algorithm, and never guess: the caller names the algorithm. */
#ifndef AG_CORE_CRYPTO_VERIFY_H
#define AG_CORE_CRYPTO_VERIFY_H

#include "core/alloc.h"

typedef enum ag_sig_alg {
    AG_SIG_RS256, AG_SIG_RS384, AG_SIG_RS512,
    AG_SIG_PS256, AG_SIG_PS384, AG_SIG_PS512,
    AG_SIG_ES256, AG_SIG_ES384, AG_SIG_ES512,
    AG_SIG_EDDSA,
    AG_SIG_COUNT
} ag_sig_alg;

typedef enum ag_key_kind { AG_KEY_RSA, AG_KEY_P256, AG_KEY_P384, AG_KEY_P521, AG_KEY_ED25519 } ag_key_kind;

/* "RS256" ...; AG_SIG_COUNT: no algorithm of ours. */
ag_sig_alg ag_sig_alg_of(ag_view name);
/* The one kind of key that goes with an algorithm. */
ag_key_kind ag_sig_alg_kind(ag_sig_alg alg);
/* Bytes of a coordinate (EC) or of the key itself (Ed25519); 0 for RSA. */
size_t ag_key_kind_bytes(ag_key_kind kind);

/* A key as it is used: everything that OpenSSL looks up is looked up once and kept. One thread at a time. */
typedef struct ag_public_key ag_public_key;

typedef enum ag_crypto_result { AG_CRYPTO_GOOD, AG_CRYPTO_BAD, AG_CRYPTO_MEMORY } ag_crypto_result;

/* RSA: a is the modulus, b the exponent, big-endian, no zero in front. EC: the coordinates, each of
 * ag_key_kind_bytes. Ed25519: a is the key, b is not there. BAD: no such key (a point off its curve). */
ag_crypto_result ag_public_key_new(const ag_alloc *alloc, ag_key_kind kind, ag_view a, ag_view b, ag_public_key **out);
void ag_public_key_free(const ag_alloc *alloc, ag_public_key *key);     /* NULL is well */
/* Is `sig` (as in a JWS: ECDSA's r and s one after the other) the signature of `text`? The key must be of the
 * algorithm's kind. Leaves OpenSSL's error queue as it was. */
ag_crypto_result ag_public_key_verify(ag_public_key *key, ag_sig_alg alg, ag_view sig, ag_view text);

#endif
