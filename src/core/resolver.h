/* resolver: asking Authgear's resolver whose a token or a session cookie is, and reading the headers of its answer. It sees
 * what a token's own claims cannot show: a session that has ended. Must never let in what is not `true` to the letter. */
#ifndef AG_CORE_RESOLVER_H
#define AG_CORE_RESOLVER_H

#include "core/jwt.h"
#include "core/request.h"

typedef struct ag_resolver_query {
    ag_view url;        /* not there: the endpoint's own resolver */
    ag_view host;       /* Host header, by which an internal resolver knows the project; not there: the URL's */
    ag_view token;      /* a bearer token, or not there */
    ag_view cookie;     /* "name=value", or not there */
} ag_resolver_query;

/* The query's texts were checked by whoever made it. e: invalid_argument (nothing to ask about, or no text for a header),
 * invalid_url, insecure_url, memory. */
bool ag_resolver_request(const ag_alloc *a, ag_view endpoint, bool allow_http, const ag_resolver_query *q, ag_request *out,
                         ag_err *e);

/* Claims as a token has them; what the resolver does not say is not there (iss, aud, exp, scope, client_id ...). */
typedef struct ag_resolved {
    ag_jwt_claims claims;
    ag_str mem;         /* owned: all texts of the claims */
} ag_resolved;

/* Reads a header block. False: e is
 *   invalid_token, reason "session"    nobody is logged in with that
 *   invalid_response                   the headers are none that a resolver gives
 *   memory */
bool ag_resolver_read(const ag_alloc *a, ag_view headers, ag_resolved *out, ag_err *e);
void ag_resolved_free(const ag_alloc *a, ag_resolved *r);
/* The headers that ag_resolver_read reads and no others, to be kept and read again. */
void ag_resolver_copy(ag_buf *b, ag_view headers);

#endif
