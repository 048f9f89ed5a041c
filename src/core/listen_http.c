/* listen_http: see listen_http.h. Looks at all that has come so far, each time anew. */
#include "core/listen_http.h"

#include <string.h>

#include "core/crypto.h"
#include "core/form.h"
#include "core/http.h"
#include "core/url.h"

#define MAX_METHOD 32

static ag_listen_verdict refuse(int *status, int with)
{
    *status = with;
    return AG_LISTEN_REFUSE;
}

/* Could these bytes be (the start of) a request line? Says no to TLS, binary noise and endless first words at once. */
static bool may_be_line(ag_view line)
{
    const char *space = line.n == 0 ? NULL : memchr(line.p, ' ', line.n);
    size_t method = space == NULL ? line.n : (size_t)(space - line.p);
    size_t i;
    if (space == NULL && method > 0 && line.p[method - 1] == '\r')
        method--;       /* "\r" of a line that has no space at all is told by the caller */
    if (method > MAX_METHOD)
        return false;
    if ((method > 0 || space != NULL) && !ag_http_is_token((ag_view){ line.p, method }))
        return false;
    for (i = method; i < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];
        if ((c < 0x20 || c > 0x7E) && !(c == '\r' && i + 1 == line.n))
            return false;
    }
    return true;
}

/* Splits "METHOD target HTTP/1.1". */
static bool split_line(ag_view line, ag_view *method, ag_view *target, ag_view *version)
{
    const char *one = memchr(line.p, ' ', line.n), *two;
    size_t rest;
    if (one == NULL)
        return false;
    *method = (ag_view){ line.p, (size_t)(one - line.p) };
    rest = line.n - method->n - 1;
    two = memchr(one + 1, ' ', rest);
    if (two == NULL)
        return false;
    *target = (ag_view){ one + 1, (size_t)(two - one - 1) };
    *version = (ag_view){ two + 1, rest - target->n - 1 };
    return target->n > 0;
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* 0: HTTP/1.x, else the status to refuse with. */
static int check_version(ag_view v)
{
    if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || !digit(v.p[5]) || v.p[6] != '.' || !digit(v.p[7]))
        return 400;
    return v.p[5] == '1' ? 0 : 505;
}

/* "http://127.0.0.1:1234/path?query", as a proxy would be sent: to "/path?query". */
static bool to_origin_form(ag_view *target)
{
    ag_url u;
    ag_err ignored;
    const char *end = target->p + target->n;
    if (target->p[0] == '/')
        return ag_url_bad_char(*target) == NULL && memchr(target->p, '#', target->n) == NULL;
    if (!ag_url_parse(*target, &u, &ignored) || u.fragment.p != NULL || !ag_url_is_loopback(&u) || u.path.n == 0)
        return false;
    *target = (ag_view){ u.path.p, (size_t)(end - u.path.p) };
    return true;
}

/* Is the one state parameter the one that is waited for? */
static bool state_is(ag_view query, ag_view state)
{
    char text[AG_LISTEN_MAX_LINE];
    ag_view key, value, found = { NULL, 0 };
    size_t pos = 0, n = 0;
    bool same;
    while (ag_form_next(query, &pos, &key, &value)) {
        if (!ag_form_key_is(key, "state"))
            continue;
        if (found.p != NULL)
            return false;
        found = value;
    }
    if (found.p == NULL || found.n > sizeof text || state.n == 0)
        return false;
    same = ag_form_decode(text, &n, found) && ag_secret_eq(text, n, state.p, state.n);
    ag_wipe(text, found.n);
    return same;
}

/* 0: this is the redirect, else the status to refuse with. */
static int check_target(ag_view *target, ag_view path, ag_view state)
{
    ag_callback_url parts;
    if (!to_origin_form(target))
        return 400;
    ag_url_split_callback(*target, &parts);
    if (!ag_view_eq(parts.base, path.n == 0 ? AG_LIT("/") : path))
        return 404;
    return state_is(parts.query, state) ? 0 : 400;
}

static int check_line(ag_view line, ag_view path, ag_view state, ag_view *target)
{
    ag_view method, version;
    int status;
    if (!split_line(line, &method, target, &version))
        return 400;
    status = check_version(version);
    if (status != 0)
        return status;
    if (!ag_view_eq(method, AG_LIT("GET")))
        return 405;
    return check_target(target, path, state);
}

/* A header line, or (without its end) the start of one. */
static bool header_ok(ag_view line, bool whole)
{
    const char *colon = line.n == 0 ? NULL : memchr(line.p, ':', line.n);
    size_t name = colon == NULL ? line.n : (size_t)(colon - line.p);
    size_t i;
    if (whole && colon == NULL)
        return false;
    if (!whole && line.n == 0)
        return true;
    if (!whole && line.p[line.n - 1] == '\r') {
        line.n--;       /* its "\n" may still come */
        if (line.n == 0)
            return true;
        if (colon == NULL)
            name--;
    }
    if (!ag_http_is_token((ag_view){ line.p, name }))
        return false;
    for (i = name; i < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return false;
    }
    return true;
}

static ag_listen_verdict read_headers(ag_view head, int *status)
{
    size_t at = 0;
    while (at < head.n) {
        const char *end = memchr(head.p + at, '\n', head.n - at);
        size_t n = end == NULL ? head.n - at : (size_t)(end - head.p) - at;
        if (at + n > AG_LISTEN_MAX_HEAD)
            return refuse(status, 431);
        if (end == NULL)
            return header_ok((ag_view){ head.p + at, n }, false) ? AG_LISTEN_MORE : refuse(status, 400);
        if (n == 0 || head.p[at + n - 1] != '\r')
            return refuse(status, 400);
        if (n == 1)
            return AG_LISTEN_TAKE;
        if (!header_ok((ag_view){ head.p + at, n - 1 }, true))
            return refuse(status, 400);
        at += n + 1;
    }
    return AG_LISTEN_MORE;
}

ag_listen_verdict ag_listen_read(const char *p, size_t n, ag_view path, ag_view state, ag_view *target, int *status)
{
    size_t looked = n > AG_LISTEN_MAX_LINE + 2 ? AG_LISTEN_MAX_LINE + 2 : n;
    const char *end = looked == 0 ? NULL : memchr(p, '\n', looked);
    ag_view line = { p, end == NULL ? looked : (size_t)(end - p) };
    ag_listen_verdict verdict;
    int refused;
    *status = 0;
    *target = (ag_view){ NULL, 0 };
    if (!may_be_line(line))
        return refuse(status, 400);
    if (end == NULL)
        return looked == AG_LISTEN_MAX_LINE + 2 ? refuse(status, 414) : AG_LISTEN_MORE;
    if (line.n == 0 || p[line.n - 1] != '\r')
        return refuse(status, 400);
    line.n--;
    refused = check_line(line, path, state, target);
    verdict = refused != 0 ? refuse(status, refused) :
              read_headers((ag_view){ end + 1, n - line.n - 2 }, status);
    if (verdict != AG_LISTEN_TAKE)
        *target = (ag_view){ NULL, 0 };
    return verdict;
}
