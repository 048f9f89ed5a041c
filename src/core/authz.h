/* authz: the authorization request (RFC 6749 section 4.1.1, RFC 7636, OpenID Connect)
 * and what comes back on the redirect URI. Must never take an answer whose state it did not send. */
#ifndef AG_CORE_AUTHZ_H
#define AG_CORE_AUTHZ_H

#include "core/discovery.h"
#include "core/login.h"

/* What a request can carry besides what its kind is made of: X(name, in options, on the wire). */
#define AG_AUTHZ_PARAMS(X) \
    X(X_STATE, "x_state", "x_state") \
    X(PROMPT, "prompt", "prompt") \
    X(LOGIN_HINT, "login_hint", "login_hint") \
    X(ID_TOKEN_HINT, "id_token_hint", "id_token_hint") \
    X(UI_LOCALES, "ui_locales", "ui_locales") \
    X(COLOR_SCHEME, "color_scheme", "x_color_scheme") \
    X(PAGE, "page", "x_page") \
    X(OAUTH_PROVIDER_ALIAS, "oauth_provider_alias", "x_oauth_provider_alias") \
    X(FLOW_GROUP, "authentication_flow_group", "x_authentication_flow_group") \
    X(SETTINGS_ACTION, "settings_action", "x_settings_action") \
    X(SETTINGS_QUERY, "settings_action_query", "x_settings_action_query") \
    X(DPOP_JKT, "dpop_jkt", "dpop_jkt") \
    X(STATE, "page_state", "state") \
    X(RESPONSE_MODE, "response_mode", "response_mode") \
    X(PRE_TOKEN, "pre_authenticated_url_token", "x_pre_authenticated_url_token")

typedef enum ag_authz_param {
#define AG_AUTHZ_ENUM(name, option, wire) AG_PARAM_##name,
    AG_AUTHZ_PARAMS(AG_AUTHZ_ENUM)
#undef AG_AUTHZ_ENUM
    AG_PARAM_COUNT
} ag_authz_param;

/* One request; all borrowed, any text may be 'not there'. */
typedef struct ag_authz_options {
    ag_authz_kind kind;
    ag_view redirect_uri;
    ag_view params[AG_PARAM_COUNT];
    double max_age_s;           /* or AG_ANY_AGE */
    bool sso_enabled;
    bool stays;                 /* the callback will come to this process: no other has to know of it */
} ag_authz_options;

/* The name of a parameter in options. */
const char *ag_authz_option_name(ag_authz_param p);

/* l: what is remembered of it; NULL: for kinds that bring nothing back. e: invalid_url (redirect URI), memory. */
bool ag_authz_url(const ag_alloc *a, const ag_metadata *m, ag_view client_id, ag_view scopes,
                  const ag_authz_options *o, const ag_login *l, ag_str *out, ag_err *e);
/* The state parameter of a callback URL; e: callback. */
bool ag_callback_state(const ag_alloc *a, ag_view url, ag_str *state, ag_err *e);
/* Checks the callback of this login and takes its code out. e: callback (not the redirect URI, no code, doubled
 * parameters), state_mismatch, issuer_mismatch, oauth (with oauth_error: access_denied, login_required ...), memory. */
bool ag_callback_read(const ag_alloc *a, const ag_metadata *m, const ag_login *l, ag_view url, ag_str *code, ag_err *e);

#endif
