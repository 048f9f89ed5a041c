/* listen_http: reads what arrives at the loopback listener, as bytes. Takes only the one
 * expected redirect; everything else is answered and forgotten. Must never allocate. */
#ifndef AG_CORE_LISTEN_HTTP_H
#define AG_CORE_LISTEN_HTTP_H

#include "core/alloc.h"

#define AG_LISTEN_MAX_LINE 8192     /* a longer request line is refused (414) */
#define AG_LISTEN_MAX_HEAD 32768    /* more header bytes than this: refused (431) */

typedef enum ag_listen_verdict {
    AG_LISTEN_MORE,         /* not all there yet */
    AG_LISTEN_TAKE,         /* the redirect: target is "/path?query" */
    AG_LISTEN_REFUSE        /* answer with status, close, go on listening */
} ag_listen_verdict;

/* p[0..n): what one connection has sent so far. path: the redirect URI's path; state: the state parameter that must
 * stand in the query (percent-decoded, compared in constant time). Only GET (RFC 8252), only HTTP/1.x.
 * TAKE needs the complete head (up to the empty line). status: 400 404 405 414 431 505. target borrowed from p. */
ag_listen_verdict ag_listen_read(const char *p, size_t n, ag_view path, ag_view state, ag_view *target, int *status);

#endif
