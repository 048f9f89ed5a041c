/* err: what went wrong, in a struct the caller owns.
 * Must never hold a token, code, verifier, secret, or a URL with its query,
 * and never allocates, so that it can report that memory ran out. */
#ifndef AG_CORE_ERR_H
#define AG_CORE_ERR_H

#include <stdbool.h>
#include <stddef.h>

/* X(name, stable string, may the same call succeed later without a change?) */
#define AG_ERR_CODES(X) \
    X(NONE, "none", false) \
    X(MEMORY, "memory", true) \
    X(INVALID_ARGUMENT, "invalid_argument", false) \
    X(NOT_CONFIGURED, "not_configured", false) \
    X(CLOSED, "closed", false) \
    X(INSECURE_URL, "insecure_url", false) \
    X(INVALID_URL, "invalid_url", false) \
    X(NETWORK, "network", true) \
    X(DNS, "dns", true) \
    X(TLS, "tls", false) \
    X(TIMEOUT, "timeout", true) \
    X(CANCELLED, "cancelled", false) \
    X(PENDING, "pending", true) \
    X(TOO_LARGE, "too_large", false) \
    X(REDIRECT, "redirect", false) \
    X(SERVER, "server", true) \
    X(RATE_LIMITED, "rate_limited", true) \
    X(INVALID_RESPONSE, "invalid_response", false) \
    X(JSON, "json", false) \
    X(DISCOVERY, "discovery", false) \
    X(OAUTH, "oauth", false) \
    X(CALLBACK, "callback", false) \
    X(STATE_MISMATCH, "state_mismatch", false) \
    X(ISSUER_MISMATCH, "issuer_mismatch", false) \
    X(ID_TOKEN, "id_token", false) \
    X(INVALID_TOKEN, "invalid_token", false) \
    X(UNKNOWN_KEY, "unknown_key", false) \
    X(INSUFFICIENT_SCOPE, "insufficient_scope", false) \
    X(INSUFFICIENT_AUTHENTICATION, "insufficient_user_authentication", false) \
    X(JWKS, "jwks", false) \
    X(USER_MISMATCH, "user_mismatch", false) \
    X(DPOP_KEY, "dpop_key", false) \
    X(NOT_ANONYMOUS, "not_anonymous", false) \
    X(PROMOTION_CONFLICT, "promotion_conflict", false) \
    X(NO_LOGIN, "no_login", false) \
    X(NO_SESSION, "no_session", false) \
    X(NO_DEVICE_SECRET, "no_device_secret", false) \
    X(CANNOT_REAUTHENTICATE, "cannot_reauthenticate", false) \
    X(SESSION_REVOKED, "session_revoked", false) \
    X(STORAGE, "storage", true) \
    X(STORAGE_DAMAGED, "storage_damaged", false) \
    X(STORAGE_VERSION, "storage_version", false) \
    X(STORAGE_FOREIGN, "storage_foreign", false) \
    X(STORAGE_INSECURE, "storage_insecure", false) \
    X(STORAGE_KEY, "storage_key", false) \
    X(KEYRING, "keyring", true) \
    X(LOCK_TIMEOUT, "lock_timeout", true) \
    X(LISTENER, "listener", false) \
    X(BROWSER, "browser", false) \
    X(RANDOM, "random", true) \
    X(HOST, "host", false) \
    X(PHASE, "phase", false) \
    X(USER_CODE, "user_code", false)

typedef enum ag_err_code {
#define AG_ERR_ENUM(name, text, retry) AG_E_##name,
    AG_ERR_CODES(AG_ERR_ENUM)
#undef AG_ERR_ENUM
    AG_E_COUNT
} ag_err_code;

typedef struct ag_err {
    ag_err_code code;
    int status;             /* HTTP status of the answer, 0: there was none */
    bool retryable;
    bool unsent;            /* the request surely did not reach the server */
    double retry_after;     /* seconds the server asked for, 0: it did not */
    const char *reason;     /* static: what exactly is wrong with a token, for programs; NULL: nothing of the kind */
    char message[160];
    char oauth_error[64];
    char oauth_error_description[160];
} ag_err;

/* Resets e, sets code, its default retryability and the message (printf-like;
 * cut at the buffer's end). Always returns false: `return ag_fail(e, ...)`. */
bool ag_fail(ag_err *e, ag_err_code code, const char *fmt, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

void ag_err_clear(ag_err *e);

/* The stable string of a code, and back (AG_E_COUNT: unknown). */
const char *ag_err_name(ag_err_code code);
ag_err_code ag_err_from_name(const char *name);
bool ag_err_default_retryable(ag_err_code code);

#endif
