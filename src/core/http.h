/* http: header blocks, and what a redirect may carry on. Must never touch a socket.
 * A header block is "Name: value\r\n" repeated, with no status line and no empty line. */
#ifndef AG_CORE_HTTP_H
#define AG_CORE_HTTP_H

#include <stdint.h>

#include "core/alloc.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/url.h"

/* The first value of a header, without surrounding white space; borrowed from block. */
bool ag_http_header(ag_view block, const char *name, ag_view *value);
/* Walks a block: *pos starts at 0. False at the end. Lines without a colon, or whose name is no
 * token (folded lines, "Name :"), are skipped; "\n" alone ends a line too. */
bool ag_http_next_header(ag_view block, size_t *pos, ag_view *name, ag_view *value);
/* A header that may be sent: name is a token, value has no control character but tab, no CR, LF, NUL.
 * e: AG_E_INVALID_ARGUMENT, naming the header but showing no value. */
bool ag_http_check_header(ag_view name, ag_view value, ag_err *e);
/* A token that may stand in a header: one to 128 KiB of printable ASCII without spaces (RFC 6750's b64token and more). */
bool ag_http_is_credential(ag_view v);
bool ag_http_is_token(ag_view v);                             /* RFC 9110 section 5.6.2 */
bool ag_http_check_method(ag_view method, ag_err *e);         /* a token, at most 32 bytes; not CONNECT or TRACE */
void ag_http_add_header(ag_buf *b, const char *name, ag_view value);
bool ag_http_is_redirect(int status);                          /* 301 302 303 307 308 */
/* The `error` of the challenge of that scheme (RFC 9110 section 11.6.1), as it is written; borrowed from block. */
bool ag_http_challenge_error(ag_view block, const char *scheme, ag_view *error);
/* An HTTP date (RFC 9110 section 5.6.7) as seconds since 1970. False: not one. */
bool ag_http_date(ag_view text, int64_t *unix_s);
/* Seconds of a Retry-After header (delta or HTTP date against now), 0 when there is none that is sane; at most 86400. */
double ag_http_retry_after(ag_view block, int64_t wall_ms);

typedef struct ag_http_hop {
    ag_str url;             /* owned: the next absolute URL, no fragment */
    bool same_origin;       /* as the request's URL: else credentials and cookies must go */
    bool to_get;            /* the method becomes GET and the body goes (303; 301/302 from POST) */
} ag_http_hop;
/* Decides the next hop. out is overwritten (must own nothing); on failure it is empty. method: of the request that got the answer. allow_http: the user's option;
 * https to http is refused always (also to loopback). e: AG_E_REDIRECT (with the status), or AG_E_MEMORY. */
bool ag_http_redirect(const ag_alloc *a, ag_view request_url, ag_view method, int status, ag_view headers,
                      bool allow_http, ag_http_hop *out, ag_err *e);
void ag_http_hop_free(const ag_alloc *a, ag_http_hop *hop);
/* Copies a header block without the named headers (NULL-terminated list, any case). */
void ag_http_copy_without(ag_buf *b, ag_view block, const char *const *names);

#endif
