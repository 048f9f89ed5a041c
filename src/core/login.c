/* login: making, keeping and finding what was started. */
#include "core/login.h"

#include "core/crypto.h"

#define AG_MAX_LOGINS 16

ag_login *ag_login_new(const ag_env *env, ag_authz_kind kind, ag_view redirect_uri, ag_err *e)
{
    ag_login *l = ag_new0(&env->alloc, sizeof *l);
    if (l == NULL || !ag_str_set_view(&env->alloc, &l->redirect_uri, redirect_uri)) {
        (void)ag_fail(e, AG_E_MEMORY, "no memory for a login");
        goto fail;
    }
    if (!ag_random_text(env, l->state) || !ag_random_text(env, l->verifier) || !ag_random_text(env, l->nonce)) {
        (void)ag_fail(e, AG_E_RANDOM, "the system gave no random bytes");
        goto fail;
    }
    l->kind = kind;
    l->max_age_s = AG_ANY_AGE;
    l->started_ms = env->boot_ms;
    return l;
fail:
    if (l != NULL)
        ag_login_free(&env->alloc, l);
    return NULL;
}

void ag_login_free(const ag_alloc *a, ag_login *l)
{
    ag_str_free(a, &l->redirect_uri);
    ag_str_free(a, &l->sub);
    ag_str_free(a, &l->action);
    ag_str_free(a, &l->secret);
    ag_free_wiped(a, l, sizeof *l);
}

static void drop_old(const ag_env *env, ag_login **at)
{
    unsigned kept = 0;
    while (*at != NULL) {
        ag_login *l = *at;
        if (++kept < AG_MAX_LOGINS && env->boot_ms - l->started_ms < AG_LOGIN_LIFE_MS) {
            at = &l->next;
        } else {
            *at = l->next;
            ag_login_free(&env->alloc, l);
        }
    }
}

void ag_logins_add(const ag_env *env, ag_login **list, ag_login *l)
{
    drop_old(env, list);
    l->next = *list;
    *list = l;
}

ag_login *ag_logins_take(ag_login **list, ag_view state, ag_authz_kind kind)
{
    ag_login **at;
    for (at = list; *at != NULL; at = &(*at)->next) {
        ag_login *l = *at;
        if ((kind == AG_AUTHZ_KINDS || l->kind == kind) && ag_secret_eq(l->state, AG_RANDOM_TEXT_LEN, state.p, state.n)) {
            *at = l->next;
            l->next = NULL;
            return l;
        }
    }
    return NULL;
}
