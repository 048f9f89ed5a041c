/* authz: the authorization request (RFC 6749 section 4.1.1, RFC 7636, OpenID Connect)
 * and what comes back on the redirect URI. Must never take an answer whose state it did not send. */
#ifndef AG_CORE_AUTHZ_H
#define AG_CORE_AUTHZ_H

#include "core/discovery.h"
#include "core/env.h"
#include "core/pkce.h"

/* What the caller of authenticate may set; all borrowed, any may be 'not there'. */
typedef struct ag_authz_options {
    ag_view redirect_uri;
    ag_view x_state, prompt, login_hint, ui_locales, color_scheme, page;
    ag_view oauth_provider_alias, authentication_flow_group;
    bool sso_enabled;
} ag_authz_options;

/* One login between its two halves. */
typedef struct ag_login {
    struct ag_login *next;
    ag_str redirect_uri;
    char state[AG_RANDOM_TEXT_LEN + 1];
    char verifier[AG_RANDOM_TEXT_LEN + 1];
    int64_t started_ms;         /* boot clock */
} ag_login;

ag_login *ag_login_new(const ag_env *env, ag_view redirect_uri, ag_err *e);
void ag_login_free(const ag_alloc *a, ag_login *l);     /* wipes */

/* e: invalid_url (redirect URI), memory. */
bool ag_authz_url(const ag_alloc *a, const ag_metadata *m, ag_view client_id, ag_view scopes,
                  const ag_authz_options *o, const ag_login *l, ag_str *out, ag_err *e);
/* The state parameter of a callback URL; e: callback. */
bool ag_callback_state(const ag_alloc *a, ag_view url, ag_str *state, ag_err *e);
/* Checks the callback of this login and takes its code out. e: callback (not the redirect URI, no code, doubled
 * parameters), state_mismatch, issuer_mismatch, oauth (with oauth_error: access_denied, login_required ...), memory. */
bool ag_callback_read(const ag_alloc *a, const ag_metadata *m, const ag_login *l, ag_view url, ag_str *code, ag_err *e);

#endif
