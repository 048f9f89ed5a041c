/* jws: a signed token in compact form (RFC 7515 section 7.1), taken apart, and signed by us. Nothing of one that was read
 * is true before jwt.h has verified it. Must never accept a second way to write the same token. */
#ifndef AG_CORE_JWS_H
#define AG_CORE_JWS_H

#include "core/crypto_sign.h"
#include "core/err.h"

#define AG_JWT_MAX_TOKEN ((size_t)16 << 10)     /* bytes, unless the policy says otherwise */
#define AG_JWT_MAX_KID 512

typedef struct ag_jws {
    ag_view signed_text;            /* borrowed from the token */
    ag_view payload, signature;     /* bytes, in mem */
    ag_view alg, typ, kid;          /* decoded, in mem; typ and kid may be not there */
    char *mem;                      /* owned: all that was decoded */
    size_t mem_n;
    char *room;                     /* in mem: space for the payload's strings, payload.n + 1 bytes */
} ag_jws;

/* The token is borrowed while signed_text is used. False: e is invalid_token with a reason, or memory. */
bool ag_jws_read(const ag_alloc *a, ag_view token, size_t max_bytes, ag_jws *out, ag_err *e);
void ag_jws_free(const ag_alloc *a, ag_jws *jws);       /* wipes */

/* For whoever judges a token: sets invalid_token with a reason (static text) and a message. Always false. */
bool ag_jws_refuse(ag_err *e, const char *reason, const char *message);

/* Signs with ES256; head and body are JSON, and head says so. out must be initialised. e: memory. */
bool ag_jws_sign(const ag_alloc *a, const ag_sign_key *key, ag_view head, ag_view body, ag_str *out, ag_err *e);

#endif
