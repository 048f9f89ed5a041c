/* crypto: the only place in the core that knows OpenSSL (besides ag_wipe).
 * Must never fall back to a weaker source or algorithm. */
#ifndef AG_CORE_CRYPTO_H
#define AG_CORE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>

bool ag_sha256(unsigned char out[32], const void *in, size_t n);
/* The same for whoever does it all the time: what OpenSSL looks up and allocates for it is kept. One thread at a time.
 * NULL: no memory. */
typedef struct evp_md_ctx_st ag_sha256_kept;
ag_sha256_kept *ag_sha256_keep(void);
void ag_sha256_drop(ag_sha256_kept *kept);      /* NULL is well */
bool ag_sha256_by(ag_sha256_kept *kept, unsigned char out[32], const void *in, size_t n);
/* In constant time for a given length; lengths may differ (then false). */
bool ag_secret_eq(const char *a, size_t an, const char *b, size_t bn);
/* The system's random generator; an ag_random_fn (core/env.h). */
bool ag_crypto_random(void *ud, void *out, size_t n);

/* "3.0.14": the OpenSSL that is loaded. */
const char *ag_crypto_version(void);

#endif
