/* jwt_cache: claims that were verified a moment ago, found by their token's hash. It belongs to one policy and one key
 * set: whoever changes either makes a new one. Bounded. Must never hold a token, only what it says;
 * whoever finds claims here checks their times again (ag_jwt_check_times). */
#ifndef AG_CORE_JWT_CACHE_H
#define AG_CORE_JWT_CACHE_H

#include "core/jwt.h"

typedef struct ag_jwt_cache ag_jwt_cache;

typedef struct ag_jwt_key {
    unsigned char hash[32];
} ag_jwt_key;

/* Room for about n tokens. NULL: out of memory. */
ag_jwt_cache *ag_jwt_cache_new(const ag_alloc *a, size_t n);
void ag_jwt_cache_free(ag_jwt_cache *c);        /* NULL is well */
bool ag_jwt_cache_key(ag_view token, ag_jwt_key *out);
/* Borrowed until the next put or drop; NULL: not there. */
const ag_jwt_claims *ag_jwt_cache_find(ag_jwt_cache *c, const ag_jwt_key *key);
/* Takes over what jws owns (which is empty afterwards), and forgets what was used longest ago. */
void ag_jwt_cache_put(ag_jwt_cache *c, const ag_jwt_key *key, ag_jws *jws, const ag_jwt_claims *claims);
void ag_jwt_cache_drop(ag_jwt_cache *c, const ag_jwt_key *key);

#endif
