/* jwt_cache: see jwt_cache.h. Sets of four places; the hash says which set. */
#include "core/jwt_cache.h"

#include <stdint.h>
#include <string.h>

#include "core/crypto.h"

#define WAYS 4

typedef struct place {
    ag_jwt_key key;
    ag_jwt_claims times;        /* nothing else of it is set */
    uint64_t used;              /* 0: free */
} place;

struct ag_jwt_cache {
    ag_alloc alloc;
    ag_sha256_kept *sha256;     /* owned */
    size_t sets;
    uint64_t clock;
    place places[];
};

ag_jwt_cache *ag_jwt_cache_new(const ag_alloc *a, size_t n)
{
    size_t sets = n / WAYS + (n % WAYS != 0 ? 1 : 0), size;
    ag_jwt_cache *c = NULL;
    if (sets == 0)
        sets = 1;
    if (ag_size_mul(sets, WAYS * sizeof(place), &size) && ag_size_add(size, sizeof *c, &size))
        c = ag_new0(a, size);
    if (c == NULL)
        return NULL;
    c->alloc = *a;
    c->sets = sets;
    c->sha256 = ag_sha256_keep();
    if (c->sha256 != NULL)
        return c;
    ag_jwt_cache_free(c);
    return NULL;
}

void ag_jwt_cache_free(ag_jwt_cache *c)
{
    ag_alloc a;
    if (c == NULL)
        return;
    a = c->alloc;
    ag_sha256_drop(c->sha256);
    ag_free(&a, c);
}

bool ag_jwt_cache_key(ag_view token, ag_jwt_key *out)
{
    return ag_sha256(out->hash, token.p, token.n);
}

bool ag_jwt_cache_hash(ag_jwt_cache *c, ag_view token, ag_jwt_key *out)
{
    return ag_sha256_by(c->sha256, out->hash, token.p, token.n);
}

static place *set_of(ag_jwt_cache *c, const ag_jwt_key *key)
{
    uint32_t n;
    memcpy(&n, key->hash, sizeof n);
    return &c->places[n % c->sets * WAYS];
}

static place *find(ag_jwt_cache *c, const ag_jwt_key *key)
{
    place *p = set_of(c, key);
    int i;
    for (i = 0; i < WAYS; i++)
        if (p[i].used != 0 && memcmp(&p[i].key, key, sizeof *key) == 0)
            return &p[i];
    return NULL;
}

static size_t number_of(const ag_jwt_cache *c, const place *p)
{
    return (size_t)(p - c->places) + 1;
}

size_t ag_jwt_cache_find(ag_jwt_cache *c, const ag_jwt_key *key, const ag_jwt_claims **times)
{
    place *p = find(c, key);
    if (p == NULL)
        return 0;
    p->used = ++c->clock;
    *times = &p->times;
    return number_of(c, p);
}

size_t ag_jwt_cache_clear(ag_jwt_cache *c, const ag_jwt_key *key)
{
    place *p = find(c, key), *set = set_of(c, key);
    int i;
    if (p == NULL)
        for (p = set, i = 1; i < WAYS; i++)
            if (set[i].used < p->used)
                p = &set[i];
    p->used = 0;
    return number_of(c, p);
}

void ag_jwt_cache_put(ag_jwt_cache *c, size_t number, const ag_jwt_key *key, const ag_jwt_claims *claims)
{
    place *p = &c->places[number - 1];
    p->key = *key;
    p->times = (ag_jwt_claims){
        .exp = claims->exp, .nbf = claims->nbf, .iat = claims->iat, .auth_time = claims->auth_time
    };
    p->used = ++c->clock;
}
