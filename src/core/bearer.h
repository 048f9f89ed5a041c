/* bearer: what an incoming request shows to be let in: a token in its Authorization header (RFC 6750 section 2.1, RFC 9110
 * section 11.4), or a cookie. Must never make one token of two, nor repair what is not written to the letter. */
#ifndef AG_CORE_BEARER_H
#define AG_CORE_BEARER_H

#include "core/alloc.h"

#define AG_BEARER_MAX ((size_t)16 << 10)        /* bytes of a token, or of a cookie's value */

typedef enum ag_shown {
    AG_SHOWN_NONE,      /* nothing of the kind: another scheme, no such cookie */
    AG_SHOWN_GOOD,
    AG_SHOWN_BAD        /* meant to be one and malformed, or there twice */
} ag_shown;

/* The value of the one Authorization header. token is borrowed from it. */
ag_shown ag_bearer_read(ag_view header, ag_view *token);
/* b64token: the only characters a bearer token may have. */
bool ag_bearer_is_token(ag_view v);
/* A cookie of that name (in any case none other) in the value of Cookie headers, joined by "; " if there were several. value has
 * no quotes, spaces or separators. */
ag_shown ag_cookie_read(ag_view header, ag_view name, ag_view *value);

#endif
