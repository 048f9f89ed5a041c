/* jwk: one public key as JSON (RFC 7517, RFC 7518 section 6, RFC 8037), made ready for use; and the public half of a key of
 * ours, as others want it. Must never make a key of one that is private, symmetric, weak, or meant for something else. */
#ifndef AG_CORE_JWK_H
#define AG_CORE_JWK_H

#include "core/b64.h"
#include "core/crypto_sign.h"
#include "core/json.h"

#define AG_JWK_MIN_RSA_BITS 2048
#define AG_JWK_MAX_RSA_BITS 16384

typedef struct ag_jwk {
    ag_str kid;                 /* may be not there */
    ag_key_kind kind;
    bool any_alg;
    ag_sig_alg alg;             /* the only one, unless any_alg */
    ag_public_key *key;         /* owned; NULL: cannot be used */
    const char *unusable;       /* why not: static text */
} ag_jwk;

/* One that cannot be used is read all the same, so that its kid is known. False: out of memory. */
bool ag_jwk_read(const ag_alloc *a, const ag_json *doc, ag_jwk *out, ag_err *e);
void ag_jwk_free(const ag_alloc *a, ag_jwk *k);

#define AG_JWK_OWN_LEN (40 + 2 * AG_B64URL_LEN(AG_SIGN_POINT / 2))
#define AG_JKT_LEN AG_B64URL_LEN(32)

/* The public half of a key of ours: what is needed and no more, in the order that RFC 7638 hashes. */
void ag_jwk_write(const ag_sign_key *key, char out[AG_JWK_OWN_LEN + 1]);
/* Its thumbprint (RFC 7638), with SHA-256. False: out of memory. */
bool ag_jwk_thumbprint(const ag_sign_key *key, char out[AG_JKT_LEN + 1]);

#endif
