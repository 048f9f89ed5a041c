/* id_token: the claims of an ID token that came straight from the token endpoint over TLS
 * (OpenID Connect Core section 3.1.3.7: its signature need not be checked then).
 * Must never be used for a token that came any other way. */
#ifndef AG_CORE_ID_TOKEN_H
#define AG_CORE_ID_TOKEN_H

#include "core/env.h"
#include "core/err.h"
#include "core/json.h"

#define AG_ID_TOKEN_SKEW_S 300
#define AG_CLAIM_CAN_REAUTHENTICATE "https://authgear.com/claims/user/can_reauthenticate"

/* The payload as JSON, owned by the caller; NULL: e is id_token (or memory). */
ag_json *ag_id_token_payload(const ag_alloc *a, ag_view token, ag_err *e);

/* What an ID token must say. All borrowed. */
typedef struct ag_id_token_want {
    ag_view issuer, client_id;
    ag_view nonce;              /* not there: any, or none */
    ag_view sub;                /* not there: anybody */
    double now_s;               /* seconds since 1970; 0: exp is not asked */
    double since_s;             /* auth_time is not before that; 0: it is not asked */
} ag_id_token_want;

/* sub: copied out when not NULL. e: id_token, user_mismatch (sub), memory. */
bool ag_id_token_check(const ag_alloc *a, ag_view token, const ag_id_token_want *want, ag_str *sub, ag_err *e);

#endif
