/* id_token: the claims of an ID token that came straight from the token endpoint over TLS
 * (OpenID Connect Core section 3.1.3.7: its signature need not be checked then).
 * Must never be used for a token that came any other way. */
#ifndef AG_CORE_ID_TOKEN_H
#define AG_CORE_ID_TOKEN_H

#include "core/env.h"
#include "core/err.h"
#include "core/json.h"

#define AG_ID_TOKEN_SKEW_S 300

/* The payload as JSON, owned by the caller; NULL: e is id_token (or memory). */
ag_json *ag_id_token_payload(const ag_alloc *a, ag_view token, ag_err *e);
/* iss, aud, exp (against now_s, seconds since 1970), sub. sub: copied out when not NULL. */
bool ag_id_token_check(const ag_alloc *a, ag_view token, ag_view issuer, ag_view client_id,
                       int64_t now_s, ag_str *sub, ag_err *e);

#endif
