/* discovery: the provider's metadata (OpenID Connect Discovery 1.0, RFC 8414).
 * Must never accept another issuer's document or an endpoint that is not secure. */
#ifndef AG_CORE_DISCOVERY_H
#define AG_CORE_DISCOVERY_H

#include "core/err.h"
#include "core/request.h"

typedef struct ag_metadata {
    ag_str issuer, authorization_endpoint, token_endpoint;      /* always there once read */
    ag_str userinfo_endpoint, revocation_endpoint, end_session_endpoint, jwks_uri;  /* or not there */
    bool iss_in_callback;       /* authorization_response_iss_parameter_supported (RFC 9207) */
    bool secret_post, secret_basic;     /* token_endpoint_auth_methods_supported */
} ag_metadata;

void ag_metadata_free(const ag_alloc *a, ag_metadata *m);
/* endpoint has no trailing slash. */
bool ag_discovery_request(const ag_alloc *a, ag_view endpoint, ag_request *out, ag_err *e);
bool ag_discovery_read(const ag_alloc *a, ag_view endpoint, bool allow_http, const ag_answer *ans,
                       int64_t wall_ms, ag_metadata *out, ag_err *e);

#endif
