/* jwks: a set of public keys (RFC 7517 section 5), read once and used for many tokens.
 * Must never give a key when more than one would do: which one is not for the token to say. */
#ifndef AG_CORE_JWKS_H
#define AG_CORE_JWKS_H

#include "core/jwk.h"

#define AG_JWKS_MAX_BYTES ((size_t)256 << 10)
#define AG_JWKS_MAX_KEYS 64

typedef struct ag_jwks {
    ag_alloc alloc;
    size_t n, usable;
    ag_jwk keys[AG_JWKS_MAX_KEYS];
} ag_jwks;

typedef enum ag_jwks_found { AG_JWKS_ONE, AG_JWKS_UNKNOWN, AG_JWKS_UNSUITABLE, AG_JWKS_MANY } ag_jwks_found;

/* NULL: e is jwks (no set, no usable key in it, too large) or memory. Keys that cannot be used are kept by name. */
ag_jwks *ag_jwks_read(const ag_alloc *a, ag_view text, ag_err *e);
void ag_jwks_free(ag_jwks *set);        /* NULL is well */
/* The one key that may check `alg` under this kid (not there: under any). UNKNOWN: no key has this kid, so newer
 * keys may help. UNSUITABLE: there are keys, none for this. */
ag_jwks_found ag_jwks_find(ag_jwks *set, ag_view kid, ag_sig_alg alg, ag_jwk **out);

#endif
