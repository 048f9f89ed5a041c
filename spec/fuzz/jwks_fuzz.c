/* jwks_fuzz: whatever a key set is, it is read without harm; a key that can be used is one that may be used, and it
 * takes no signature of nobody's. Run from the root:
 *   clang -std=c11 -DAG_TEST -g -O1 -Isrc -fsanitize=fuzzer,address,undefined spec/fuzz/jwks_fuzz.c \
 *     src/core/{jw*,json*,crypto*,b64,utf8,buf,alloc,alloc_test,err}.c -lcjson -lcrypto -lm -o /tmp/jwks_fuzz && \
 *   nice -n 19 /tmp/jwks_fuzz -max_total_time=1800 -dict=spec/fuzz/jwks.dict -max_len=3000 CORPUS
 * where CORPUS is a directory with what corpus/jwks.tar.gz holds.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/jwks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

static void check_key(ag_jwks *set, ag_jwk *k)
{
    static const char sig[512];
    ag_jwk *found;
    int alg;
    must((k->key == NULL) == (k->unusable != NULL));
    if (k->key == NULL)
        return;
    must(k->any_alg || ag_sig_alg_kind(k->alg) == k->kind);
    for (alg = 0; alg < AG_SIG_COUNT; alg++) {
        ag_jwks_found what = ag_jwks_find(set, ag_str_view(&k->kid), (ag_sig_alg)alg, &found);
        must(what != AG_JWKS_UNKNOWN);
        if (what != AG_JWKS_ONE)
            continue;
        must(found->kind == ag_sig_alg_kind((ag_sig_alg)alg) && found->key != NULL);
        must(ag_public_key_verify(found->key, (ag_sig_alg)alg, (ag_view){ sig, 256 }, AG_LIT("x")) == AG_CRYPTO_BAD);
        if (found->kind == AG_KEY_P256)
            must(ag_public_key_verify(found->key, (ag_sig_alg)alg, (ag_view){ sig, 64 }, AG_LIT("x")) == AG_CRYPTO_BAD);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ag_err e;
    char *copy = malloc(size == 0 ? 1 : size);
    ag_jwks *set;
    size_t i, usable = 0;
    must(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    ag_err_clear(&e);
    set = ag_jwks_read(&ag_alloc_default, (ag_view){ copy, size }, &e);
    free(copy);
    if (set == NULL) {
        must(e.code == AG_E_JWKS && e.message[0] != '\0');
        return 0;
    }
    for (i = 0; i < set->n; i++) {
        usable += set->keys[i].key != NULL ? 1 : 0;
        check_key(set, &set->keys[i]);
    }
    must(usable == set->usable && usable > 0 && set->n <= AG_JWKS_MAX_KEYS);
    ag_jwks_free(set);
    return 0;
}
