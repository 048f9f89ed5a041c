/* jwt_cache: which tokens were verified a moment ago, by their hash, and until when that holds. It belongs to one policy and
 * one key set: whoever changes either makes a new one. Bounded. Must never hold a token, nor what it says: that is kept by
 * the caller, under the number of the token's place; who finds a token here checks its times again (ag_jwt_check_times). */
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
/* The same, with what the cache keeps for that. */
bool ag_jwt_cache_hash(ag_jwt_cache *c, ag_view token, ag_jwt_key *out);
/* The number of a token's place, from 1; 0: not there. *times has the token's times alone, and is borrowed until the place
 * is used for another. */
size_t ag_jwt_cache_find(ag_jwt_cache *c, const ag_jwt_key *key, const ag_jwt_claims **times);
/* Frees the place that a token is to have: its own, or that of the one used longest ago. */
size_t ag_jwt_cache_clear(ag_jwt_cache *c, const ag_jwt_key *key);
/* Into a place that was cleared for it, once what is kept under its number is the token's. */
void ag_jwt_cache_put(ag_jwt_cache *c, size_t number, const ag_jwt_key *key, const ag_jwt_claims *claims);

#endif
