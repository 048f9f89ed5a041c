/* login: what is remembered of an authorization request until its callback comes: the half of a log-in (or of a
 * reauthentication, a settings action ...) that the browser must not see. Must never be finished twice, nor as another
 * kind than it was started as. */
#ifndef AG_CORE_LOGIN_H
#define AG_CORE_LOGIN_H

#include "core/env.h"
#include "core/err.h"
#include "core/jwk.h"
#include "core/pkce.h"

/* What an authorization request is for. */
typedef enum ag_authz_kind {
    AG_AUTHZ_LOGIN,             /* a session */
    AG_AUTHZ_PROMOTION,         /* a session for who was anonymous so far */
    AG_AUTHZ_REAUTHENTICATION,  /* the same user shows who they are once more: a new ID token */
    AG_AUTHZ_SETTINGS,          /* one settings action */
    AG_AUTHZ_PAGE,              /* a page of the server's, logged in; nothing comes back */
    AG_AUTHZ_PRE_AUTHENTICATED, /* another application's page, logged in; nothing comes back to us */
    AG_AUTHZ_KINDS
} ag_authz_kind;

#define AG_ANY_AGE (-1.0)
#define AG_LOGIN_LIFE_MS (60 * 60 * 1000)

typedef struct ag_login {
    struct ag_login *next;
    ag_authz_kind kind;
    ag_str redirect_uri;
    ag_str sub;                 /* whose it must be; not there: anybody's */
    ag_str action;              /* SETTINGS: which */
    ag_str secret;              /* what the login_hint in the URL carries, or not there: kept out of errors */
    char jkt[AG_JKT_LEN + 1];   /* the thumbprint of the key that the code is bound to, or "" */
    double max_age_s;           /* how long ago the user may have shown who they are, or AG_ANY_AGE */
    char state[AG_RANDOM_TEXT_LEN + 1];
    char verifier[AG_RANDOM_TEXT_LEN + 1];
    char nonce[AG_RANDOM_TEXT_LEN + 1];
    int64_t started_ms;         /* boot clock */
} ag_login;

/* e: memory, random. */
ag_login *ag_login_new(const ag_env *env, ag_authz_kind kind, ag_view redirect_uri, ag_err *e);
void ag_login_free(const ag_alloc *a, ag_login *l);     /* wipes */

/* A client's list of those under way, newest first. Adding one drops the oldest of too many, and those of long ago. */
void ag_logins_add(const ag_env *env, ag_login **list, ag_login *l);
/* Takes the one with this state and of this kind out of the list, for the caller to free; AG_AUTHZ_KINDS: of any
 * kind. NULL: there is none. */
ag_login *ag_logins_take(ag_login **list, ag_view state, ag_authz_kind kind);

#endif
