/* jwt_cache: see jwt_cache.h. Sets of four places; the hash says which set. */
#include "core/jwt_cache.h"

#include <stdint.h>
#include <string.h>

#include "core/crypto.h"

#define WAYS 4

typedef struct place {
    ag_jwt_key key;
    ag_jws jws;                 /* owned; mem NULL: free. Its signature is wiped: with it there would be a token */
    ag_jwt_claims claims;
    uint64_t used;
} place;

struct ag_jwt_cache {
    ag_alloc alloc;
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
    if (c != NULL) {
        c->alloc = *a;
        c->sets = sets;
    }
    return c;
}

void ag_jwt_cache_free(ag_jwt_cache *c)
{
    ag_alloc a;
    size_t i;
    if (c == NULL)
        return;
    a = c->alloc;
    for (i = 0; i < c->sets * WAYS; i++)
        ag_jws_free(&a, &c->places[i].jws);
    ag_free(&a, c);
}

bool ag_jwt_cache_key(ag_view token, ag_jwt_key *out)
{
    return ag_sha256(out->hash, token.p, token.n);
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
        if (p[i].jws.mem != NULL && memcmp(&p[i].key, key, sizeof *key) == 0)
            return &p[i];
    return NULL;
}

const ag_jwt_claims *ag_jwt_cache_find(ag_jwt_cache *c, const ag_jwt_key *key)
{
    place *p = find(c, key);
    if (p == NULL)
        return NULL;
    p->used = ++c->clock;
    return &p->claims;
}

void ag_jwt_cache_put(ag_jwt_cache *c, const ag_jwt_key *key, ag_jws *jws, const ag_jwt_claims *claims)
{
    place *p = find(c, key), *set = set_of(c, key);
    int i;
    if (p == NULL)
        for (p = set, i = 1; i < WAYS; i++)
            if (set[i].used < p->used)
                p = &set[i];
    ag_jws_free(&c->alloc, &p->jws);
    p->key = *key;
    p->jws = *jws;
    p->jws.signed_text = (ag_view){ NULL, 0 };
    ag_wipe(p->jws.mem + (p->jws.signature.p - p->jws.mem), p->jws.signature.n);
    p->claims = *claims;
    p->used = ++c->clock;
    memset(jws, 0, sizeof *jws);
}

void ag_jwt_cache_drop(ag_jwt_cache *c, const ag_jwt_key *key)
{
    place *p = find(c, key);
    if (p == NULL)
        return;
    ag_jws_free(&c->alloc, &p->jws);
    p->used = 0;
}
