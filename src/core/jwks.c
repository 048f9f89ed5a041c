/* jwks: see jwks.h. */
#include "core/jwks.h"

#include "core/jwt_check.h"

static bool read_keys(ag_jwks *set, const ag_json *doc, ag_err *e)
{
    const ag_json *keys = ag_json_get(doc, "keys");
    const ag_json *item;
    if (!ag_json_is_array(keys))
        return ag_fail(e, AG_E_JWKS, "the key set has no list of keys");
    for (item = ag_json_first(keys); item != NULL; item = ag_json_next(item)) {
        if (AG_BAD(JWKS_COUNT, set->n == AG_JWKS_MAX_KEYS))
            return ag_fail(e, AG_E_JWKS, "the key set has more than %d keys", AG_JWKS_MAX_KEYS);
        if (set->n == AG_JWKS_MAX_KEYS)
            break;
        if (!ag_json_is_object(item))
            return ag_fail(e, AG_E_JWKS, "the key set's list holds something that is no key");
        if (!ag_jwk_read(&set->alloc, item, &set->keys[set->n], e))
            return false;
        set->usable += set->keys[set->n].key != NULL ? 1 : 0;
        set->n++;
    }
    if (set->usable > 0)
        return true;
    return set->n == 0 ? ag_fail(e, AG_E_JWKS, "the key set is empty")
                       : ag_fail(e, AG_E_JWKS, "the key set has no usable key; the first: %s", set->keys[0].unusable);
}

ag_jwks *ag_jwks_read(const ag_alloc *a, ag_view text, ag_err *e)
{
    ag_jwks *set;
    ag_json *doc;
    ag_err why;
    bool ok;
    if (AG_BAD(JWKS_SIZE, text.n > AG_JWKS_MAX_BYTES)) {
        (void)ag_fail(e, AG_E_JWKS, "the key set is too large");
        return NULL;
    }
    doc = ag_json_parse(text.p, text.n, &why);
    if (doc == NULL) {
        (void)ag_fail(e, why.code == AG_E_MEMORY ? AG_E_MEMORY : AG_E_JWKS, "the key set cannot be read: %s", why.message);
        return NULL;
    }
    set = ag_new0(a, sizeof *set);
    if (set != NULL) {
        set->alloc = *a;
        ok = read_keys(set, doc, e);
    } else {
        ok = ag_fail(e, AG_E_MEMORY, "no memory for a key set");
    }
    ag_json_free(doc);
    if (ok)
        return set;
    ag_jwks_free(set);
    return NULL;
}

void ag_jwks_free(ag_jwks *set)
{
    ag_alloc a;
    size_t i;
    if (set == NULL)
        return;
    a = set->alloc;
    for (i = 0; i < set->n; i++)
        ag_jwk_free(&a, &set->keys[i]);
    ag_free(&a, set);
}

static bool suits(const ag_jwk *k, ag_sig_alg alg)
{
    return k->key != NULL && !AG_BAD(PICK_ALG, !k->any_alg && k->alg != alg)
        && !AG_BAD(PICK_KIND, k->kind != ag_sig_alg_kind(alg));
}

ag_jwks_found ag_jwks_find(ag_jwks *set, ag_view kid, ag_sig_alg alg, ag_jwk **out)
{
    size_t i, named = 0, suitable = 0;
    *out = NULL;
    for (i = 0; i < set->n; i++) {
        ag_jwk *k = &set->keys[i];
        if (AG_BAD(PICK_KID, kid.p != NULL && (k->kid.p == NULL || !ag_view_eq(kid, ag_str_view(&k->kid)))))
            continue;
        named++;
        if (!suits(k, alg))
            continue;
        suitable++;
        if (*out == NULL)
            *out = k;
    }
    if (named == 0 && kid.p != NULL)
        return AG_JWKS_UNKNOWN;
    if (suitable == 0)
        return AG_JWKS_UNSUITABLE;
    return AG_BAD(PICK_ONE, suitable > 1) ? AG_JWKS_MANY : AG_JWKS_ONE;
}
