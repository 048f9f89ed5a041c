/* resolver: see resolver.h. */
#include "core/resolver.h"

#include <string.h>

#include "core/http.h"
#include "core/jwt_check.h"
#include "core/url.h"

#define MAX_USER_ID 255
#define MAX_TIME_DIGITS 11
#define MAX_BODY ((size_t)64 << 10)     /* a resolver's has none */

enum { VALID, USER_ID, ANONYMOUS, VERIFIED, CAN_REAUTHENTICATE, ROLES, AUTHENTICATED_AT, AMR, KNOWN };

static const char *const names[KNOWN] = {
    "X-Authgear-Session-Valid", "X-Authgear-User-Id", "X-Authgear-User-Anonymous", "X-Authgear-User-Verified",
    "X-Authgear-User-Can-Reauthenticate", "X-Authgear-User-Roles", "X-Authgear-Session-Authenticated-At", "X-Authgear-Session-Amr"
};

/* ---- the question ---- */

static bool check_query(const ag_resolver_query *q, bool allow_http, ag_err *e)
{
    ag_url u;
    if (q->token.p == NULL && q->cookie.p == NULL)
        return ag_fail(e, AG_E_INVALID_ARGUMENT, "the resolver is asked about a token or a cookie");
    if (q->url.p != NULL && (!ag_url_parse(q->url, &u, e) || !ag_url_check_secure(&u, allow_http, e)))
        return false;
    return (q->host.p == NULL || ag_http_check_header(AG_LIT("Host"), q->host, e))
        && (q->token.p == NULL || ag_http_check_header(AG_LIT("Authorization"), q->token, e))
        && (q->cookie.p == NULL || ag_http_check_header(AG_LIT("Cookie"), q->cookie, e));
}

static bool write_url(const ag_alloc *a, ag_view endpoint, ag_view url, ag_str *out)
{
    ag_buf b;
    if (url.p != NULL)
        return ag_str_set_view(a, out, url);
    ag_buf_init(&b, a, AG_BUF_NO_LIMIT);
    ag_buf_view(&b, endpoint);
    ag_buf_cstr(&b, "/_resolver/resolve");
    if (ag_buf_take(&b, out))
        return true;
    ag_buf_free(&b);
    return false;
}

bool ag_resolver_request(const ag_alloc *a, ag_view endpoint, bool allow_http, const ag_resolver_query *q, ag_request *out,
                         ag_err *e)
{
    if (!check_query(q, allow_http, e))
        return false;
    ag_request_reset(a, out, "GET");
    out->max_body = MAX_BODY;
    out->secret = true;
    if (write_url(a, endpoint, q->url, &out->url)
            && (q->host.p == NULL || ag_request_header(a, out, "Host", q->host))
            && (q->token.p == NULL || ag_request_bearer(a, out, q->token))
            && (q->cookie.p == NULL || ag_request_header(a, out, "Cookie", q->cookie)))
        return true;
    return ag_fail(e, AG_E_MEMORY, "no memory for the resolver's request");
}

/* ---- the answer ---- */

static bool bad(ag_err *e, const char *what)
{
    return ag_fail(e, AG_E_INVALID_RESPONSE, "the resolver's answer: %s", what);
}

/* Each known header's value; twice is once too often: which one counts is nobody's to guess. */
static bool find_headers(ag_view block, ag_view *values, ag_err *e)
{
    ag_view name, value;
    size_t pos = 0, i;
    memset(values, 0, KNOWN * sizeof *values);
    while (ag_http_next_header(block, &pos, &name, &value))
        for (i = 0; i < KNOWN; i++) {
            if (!ag_view_eq_nocase(name, ag_view_of(names[i])))
                continue;
            if (AG_BAD(RESOLVER_ONCE, values[i].p != NULL))
                return bad(e, "a header is there twice");
            values[i] = value;
        }
    return true;
}

/* Printable ASCII without spaces; cut at `separator` by a NUL, if it is one. Counts the pieces, none of which may be empty. */
static bool cut(char *p, size_t n, char separator, size_t *pieces)
{
    size_t i, length = 0;
    *pieces = n == 0 ? 0 : 1;
    for (i = 0; i < n; i++) {
        if (separator != '\0' && p[i] == separator) {
            if (length == 0)
                return false;
            p[i] = '\0';
            length = 0;
            ++*pieces;
        } else if (p[i] > 0x20 && p[i] < 0x7F) {
            length++;
        } else {
            return false;
        }
    }
    return n == 0 || length > 0;
}

static bool read_flag(ag_view v, ag_flag *out)
{
    *out = v.p == NULL ? AG_FLAG_ABSENT : ag_view_eq(v, AG_LIT("true")) ? AG_FLAG_TRUE : AG_FLAG_FALSE;
    return AG_BAD(RESOLVER_FLAG, *out == AG_FLAG_FALSE && !ag_view_eq(v, AG_LIT("false"))) ? false : true;
}

static bool read_time(ag_view v, double *out)
{
    size_t i;
    *out = AG_TIME_ABSENT;
    if (v.p == NULL)
        return true;
    if (AG_BAD(RESOLVER_TIME, v.n == 0 || v.n > MAX_TIME_DIGITS))
        return false;
    for (*out = 0, i = 0; i < v.n; i++) {
        if (AG_BAD(RESOLVER_TIME, v.p[i] < '0' || v.p[i] > '9'))
            return false;
        *out = *out * 10 + (v.p[i] - '0');
    }
    return true;
}

/* Copies a value behind *at, with a NUL. */
static char *put(char **at, ag_view v)
{
    char *p = *at;
    if (v.n > 0)
        memcpy(p, v.p, v.n);
    p[v.n] = '\0';
    *at += v.n + 1;
    return p;
}

static bool read_texts(const ag_view *values, char *room, ag_jwt_claims *out, ag_err *e)
{
    size_t n;
    out->sub = (ag_view){ put(&room, values[USER_ID]), values[USER_ID].n };
    if (AG_BAD(RESOLVER_USER, out->sub.n == 0 || out->sub.n > MAX_USER_ID || !cut(room - out->sub.n - 1, out->sub.n, '\0', &n)))
        return bad(e, "no user, or one that is malformed");
    out->roles.there = values[ROLES].p != NULL;
    out->roles.p = put(&room, values[ROLES]);
    if (AG_BAD(RESOLVER_ROLES, !cut(room - values[ROLES].n - 1, values[ROLES].n, ',', &out->roles.n)))
        return bad(e, "the roles are malformed");
    out->amr.there = values[AMR].p != NULL;
    out->amr.p = put(&room, values[AMR]);
    if (AG_BAD(RESOLVER_AMR, !cut(room - values[AMR].n - 1, values[AMR].n, ' ', &out->amr.n)))
        return bad(e, "the authentication methods are malformed");
    return true;
}

static bool read_claims(const ag_alloc *a, const ag_view *values, ag_resolved *out, ag_err *e)
{
    size_t size = values[USER_ID].n + values[ROLES].n + values[AMR].n + 3;
    ag_jwt_claims *c = &out->claims;
    out->mem.p = ag_new0(a, size);
    if (out->mem.p == NULL)
        return ag_fail(e, AG_E_MEMORY, "no memory for the resolver's answer");
    out->mem.n = size - 1;
    c->exp = c->nbf = c->iat = AG_TIME_ABSENT;
    if (!read_texts(values, out->mem.p, c, e))
        return false;
    if (!read_flag(values[ANONYMOUS], &c->is_anonymous) || !read_flag(values[VERIFIED], &c->is_verified)
            || !read_flag(values[CAN_REAUTHENTICATE], &c->can_reauthenticate))
        return bad(e, "a flag is neither true nor false");
    if (!read_time(values[AUTHENTICATED_AT], &c->auth_time))
        return bad(e, "the time of the log-in is none");
    return true;
}

bool ag_resolver_read(const ag_alloc *a, ag_view headers, ag_resolved *out, ag_err *e)
{
    ag_view values[KNOWN];
    bool is_false;
    memset(out, 0, sizeof *out);
    if (!find_headers(headers, values, e))
        return false;
    is_false = ag_view_eq(values[VALID], AG_LIT("false"));
    if (AG_BAD(RESOLVER_VALID, values[VALID].p == NULL || is_false))
        return ag_jws_refuse(e, "session", "the resolver knows no session that is alive for it");
    if (AG_BAD(RESOLVER_TRUE, !is_false && !ag_view_eq(values[VALID], AG_LIT("true"))))
        return bad(e, "whether the session is valid is neither true nor false");
    if (read_claims(a, values, out, e))
        return true;
    ag_resolved_free(a, out);
    return false;
}

void ag_resolved_free(const ag_alloc *a, ag_resolved *r)
{
    ag_str_free(a, &r->mem);
    memset(r, 0, sizeof *r);
}

void ag_resolver_copy(ag_buf *b, ag_view headers)
{
    ag_view name, value;
    size_t pos = 0, i;
    while (ag_http_next_header(headers, &pos, &name, &value))
        for (i = 0; i < KNOWN; i++)
            if (ag_view_eq_nocase(name, ag_view_of(names[i])))
                ag_http_add_header(b, names[i], value);
}
