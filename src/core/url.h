/* url: absolute http(s) URLs and what is needed of RFC 3986: splitting, origins,
 * references, percent-encoding. Must never repair a bad URL: it is refused. */
#ifndef AG_CORE_URL_H
#define AG_CORE_URL_H

#include "core/alloc.h"
#include "core/buf.h"
#include "core/err.h"

/* Borrowed pieces of the text that was parsed. */
typedef struct ag_url {
    ag_view scheme;     /* "http" or "https" as written (any case) */
    ag_view host;       /* without the brackets of an IPv6 literal */
    bool ipv6;
    unsigned port;      /* the scheme's default when none is written */
    ag_view path;       /* "" or starts with '/' */
    ag_view query;      /* without '?'; not there when there is none */
    ag_view fragment;   /* without '#'; not there when there is none */
} ag_url;

/* Only http and https; refuses user info, spaces, control characters, bytes over 0x7e,
 * backslashes, bad percent escapes, empty hosts, bad ports, over 64 KiB.
 * e: AG_E_INVALID_URL with a message that says what is wrong but shows nothing of the URL but scheme and host. */
bool ag_url_parse(ag_view text, ag_url *out, ag_err *e);
bool ag_url_is_https(const ag_url *u);
bool ag_url_is_loopback(const ag_url *u);       /* 127.0.0.0/8, ::1, localhost, *.localhost */
bool ag_url_same_origin(const ag_url *a, const ag_url *b);
/* https, or http to loopback, or http allowed by the user. e: AG_E_INSECURE_URL. */
bool ag_url_check_secure(const ag_url *u, bool allow_http, ag_err *e);
/* "scheme://host[:port]", lower case, default port left out. */
void ag_url_write_origin(ag_buf *b, const ag_url *u);
/* Resolves a reference (a Location header) against base, dot segments removed, into an absolute URL
 * without fragment, its origin written as ag_url_write_origin does. out must be initialised (what it held is freed).
 * False: e AG_E_INVALID_URL, or AG_E_MEMORY. */
bool ag_url_resolve(const ag_alloc *a, const ag_url *base, ag_view ref, ag_str *out, ag_err *e);

/* What no URL or reference may hold (spaces, backslashes, bad escapes ...), in words; NULL: nothing. */
const char *ag_url_bad_char(ag_view text);

/* Any scheme (custom app schemes as well): splits a redirect URL into what stands before '?' / '#', query and fragment. */
typedef struct ag_callback_url {
    ag_view base, query, fragment;
} ag_callback_url;
void ag_url_split_callback(ag_view text, ag_callback_url *out);

#endif
