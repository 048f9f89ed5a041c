/* tap_client: the client that C tests ask things of: its server is https://x.example, its random bytes are all 7, so that
 * requests can be compared to the letter. Must never hold on to anything: who makes one ends it. */
#ifndef AG_SPEC_TAP_CLIENT_H
#define AG_SPEC_TAP_CLIENT_H

#include "core/client.h"
#include "tap.h"

static inline bool tap_sevens(void *ud, void *out, size_t n)
{
    (void)ud;
    memset(out, 7, n);
    return true;
}

/* NULL: an allocation failed. */
static inline ag_client *tap_client_new(const ag_alloc *a, const char *endpoint, const char *client_id)
{
    const ag_env env = { .alloc = *a, .random = tap_sevens };
    ag_client *c = ag_client_new(&env);
    ag_err e;
    if (c != NULL && ag_client_set_endpoint(c, ag_view_of(endpoint), &e) && ag_str_set_view(a, &c->client_id, ag_view_of(client_id))
            && ag_str_set_view(a, &c->metadata.token_endpoint, AG_LIT("https://x.example/t")))
        return c;
    if (c != NULL)
        ag_client_unref(c);
    return NULL;
}

static inline void tap_client_end(ag_client *c)
{
    if (c != NULL)
        ag_client_unref(c);
}

#endif
