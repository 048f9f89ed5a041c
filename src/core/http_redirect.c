/* http_redirect: when to come back (Retry-After), and where an answer sends the
 * request next. What may go along is decided here, hop by hop. */
#include <string.h>

#include "core/http.h"

#define MAX_RETRY_AFTER 86400

double ag_http_retry_after(ag_view block, int64_t wall_ms)
{
    ag_view v;
    int64_t seconds = 0;
    size_t i = 0;
    if (!ag_http_header(block, "Retry-After", &v) || v.n == 0)
        return 0;
    for (; i < v.n && v.p[i] >= '0' && v.p[i] <= '9'; i++)
        if (seconds < MAX_RETRY_AFTER)
            seconds = seconds * 10 + (v.p[i] - '0');
    if (i == v.n)
        return seconds > MAX_RETRY_AFTER ? MAX_RETRY_AFTER : (double)seconds;
    if (!ag_http_date(v, &seconds) || wall_ms < 0 || seconds * 1000 <= wall_ms)
        return 0;
    if (seconds * 1000 - wall_ms > MAX_RETRY_AFTER * INT64_C(1000))
        return MAX_RETRY_AFTER;
    return (double)(seconds * 1000 - wall_ms) / 1000;
}

bool ag_http_is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool becomes_get(int status, ag_view method)
{
    if (status == 303)
        return !ag_view_eq(method, AG_LIT("HEAD"));
    return (status == 301 || status == 302) && ag_view_eq(method, AG_LIT("POST"));
}

/* The one Location; two that differ mean that somebody added one. */
static const char *find_location(ag_view headers, ag_view *location)
{
    ag_view name, value;
    size_t pos = 0;
    *location = (ag_view){ NULL, 0 };
    while (ag_http_next_header(headers, &pos, &name, &value)) {
        if (!ag_view_eq_nocase(name, AG_LIT("Location")))
            continue;
        if (location->p != NULL && !ag_view_eq(*location, value))
            return "the redirect has two different Location headers";
        *location = value;
    }
    return location->n == 0 ? "the redirect has no Location" : NULL;
}

/* What is wrong with going from one URL to the next, or NULL. */
static const char *check_hop(const ag_url *from, const ag_url *to, bool allow_http)
{
    ag_err ignored;
    if (ag_url_is_https(from) && !ag_url_is_https(to))
        return "the redirect goes from https to http";
    if (!ag_url_check_secure(to, allow_http, &ignored))
        return "the redirect goes to a plain http URL";
    return NULL;
}

static bool refuse(ag_err *e, int status, const char *why)
{
    ag_fail(e, AG_E_REDIRECT, "%s", why);
    e->status = status;
    return false;
}

bool ag_http_redirect(const ag_alloc *a, ag_view request_url, ag_view method, int status, ag_view headers,
                      bool allow_http, ag_http_hop *out, ag_err *e)
{
    ag_url from, to;
    ag_view location;
    const char *why;
    memset(out, 0, sizeof *out);
    if (!ag_http_is_redirect(status))
        return refuse(e, status, "the answer is not a redirect that can be followed");
    if (!ag_url_parse(request_url, &from, e))
        return refuse(e, status, "the redirected request's own URL is bad");
    why = find_location(headers, &location);
    if (why != NULL)
        return refuse(e, status, why);
    if (!ag_url_resolve(a, &from, location, &out->url, e))
        return e->code == AG_E_MEMORY ? false : refuse(e, status, "the redirect's Location is not a usable URL");
    if (!ag_url_parse(ag_str_view(&out->url), &to, e))
        why = "the redirect's Location is not a usable URL";
    else
        why = check_hop(&from, &to, allow_http);
    if (why != NULL) {
        ag_http_hop_free(a, out);
        return refuse(e, status, why);
    }
    out->same_origin = ag_url_same_origin(&from, &to);
    out->to_get = becomes_get(status, method);
    return true;
}

void ag_http_hop_free(const ag_alloc *a, ag_http_hop *hop)
{
    ag_str_free(a, &hop->url);
    memset(hop, 0, sizeof *hop);
}
