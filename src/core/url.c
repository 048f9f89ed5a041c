/* url: see url.h. Splitting, origins, and where tokens may go. */
#include "core/url.h"

#include <string.h>

#include "core/url_host.h"

#define MAX_URL 65536

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

const char *ag_url_bad_char(ag_view text)
{
    size_t i;
    for (i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c <= 0x20 || c == 0x7F)
            return "it holds a space or control character";
        if (c > 0x7E)
            return "it holds bytes that are not ASCII (they must be percent-encoded)";
        if (c == '\\')
            return "it holds a backslash";
        if (c == '%' && (text.n - i < 3 || !is_hex(text.p[i + 1]) || !is_hex(text.p[i + 2])))
            return "it holds a bad percent escape";
    }
    return NULL;
}

/* Cuts *text off at n; what stands from there is returned. */
static ag_view cut_off(ag_view *text, size_t n)
{
    ag_view rest = { text->p + n, text->n - n };
    text->n = n;
    return rest;
}

/* Cuts *text at the first such character; what stands from there is returned. */
static ag_view cut_at(ag_view *text, char stop)
{
    const char *found = text->n == 0 ? NULL : memchr(text->p, stop, text->n);
    return cut_off(text, found == NULL ? text->n : (size_t)(found - text->p));
}

/* Behind the authority: where the path, the query or the fragment begins. */
static ag_view cut_authority(ag_view *text)
{
    size_t i = 0;
    while (i < text->n && text->p[i] != '/' && text->p[i] != '?' && text->p[i] != '#')
        i++;
    return cut_off(text, i);
}

static bool parse_port(ag_view text, unsigned *out)
{
    unsigned value = 0;
    size_t i;
    if (text.n == 0 || text.n > 5)
        return false;
    for (i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text.p[i] - '0');
    }
    *out = value;
    return value >= 1 && value <= 65535;
}

static const char *parse_authority(ag_view text, ag_url *u)
{
    unsigned char ip[16];
    ag_view port;
    if (text.n > 0 && memchr(text.p, '@', text.n) != NULL)
        return "it holds user info (name:password@)";
    if (text.n > 0 && text.p[0] == '[') {
        u->host = (ag_view){ text.p + 1, text.n - 1 };
        port = cut_at(&u->host, ']');
        u->ipv6 = true;
        if (port.n == 0 || !ag_host_ipv6(u->host, ip))
            return "its IPv6 address is bad";
        port.p++;
        port.n--;
    } else {
        u->host = text;
        port = cut_at(&u->host, ':');
        if (!ag_host_name_ok(u->host))
            return u->host.n == 0 ? "it has no host" : "its host is bad";
    }
    if (port.n > 0 && (port.p[0] != ':' || !parse_port((ag_view){ port.p + 1, port.n - 1 }, &u->port)))
        return "its port is bad";
    return NULL;
}

/* What is wrong with text, or NULL. */
static const char *parse(ag_view text, ag_url *u)
{
    const char *bad;
    ag_view rest = text;
    if (text.p == NULL || text.n == 0)
        return "it is empty";
    if (text.n > MAX_URL)
        return "it is longer than 65536 bytes";
    bad = ag_url_bad_char(text);
    if (bad != NULL)
        return bad;
    u->scheme = text;
    rest = cut_at(&u->scheme, ':');
    if (ag_view_eq_nocase(u->scheme, AG_LIT("https")))
        u->port = 443;
    else if (ag_view_eq_nocase(u->scheme, AG_LIT("http")))
        u->port = 80;
    else
        return "it does not start with https:// or http://";
    if (rest.n < 3 || memcmp(rest.p, "://", 3) != 0)
        return "it does not start with https:// or http://";
    rest.p += 3;
    rest.n -= 3;
    u->path = cut_authority(&rest);
    bad = parse_authority(rest, u);
    if (bad != NULL)
        return bad;
    rest = cut_at(&u->path, '#');
    if (rest.n > 0)
        u->fragment = (ag_view){ rest.p + 1, rest.n - 1 };
    rest = cut_at(&u->path, '?');
    if (rest.n > 0)
        u->query = (ag_view){ rest.p + 1, rest.n - 1 };
    return NULL;
}

bool ag_url_parse(ag_view text, ag_url *out, ag_err *e)
{
    const char *bad;
    memset(out, 0, sizeof *out);
    bad = parse(text, out);
    if (bad == NULL)
        return true;
    memset(out, 0, sizeof *out);
    return ag_fail(e, AG_E_INVALID_URL, "the URL is refused: %s", bad);
}

bool ag_url_is_https(const ag_url *u)
{
    return ag_view_eq_nocase(u->scheme, AG_LIT("https"));
}

bool ag_url_is_loopback(const ag_url *u)
{
    static const unsigned char one[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
    unsigned char ip[16];
    if (u->ipv6)
        return ag_host_ipv6(u->host, ip) && memcmp(ip, one, sizeof ip) == 0;
    return ag_host_name_is_loopback(u->host);
}

bool ag_url_same_origin(const ag_url *a, const ag_url *b)
{
    return ag_view_eq_nocase(a->scheme, b->scheme) && a->ipv6 == b->ipv6 && ag_view_eq_nocase(a->host, b->host) &&
           a->port == b->port;
}

bool ag_url_check_secure(const ag_url *u, bool allow_http, ag_err *e)
{
    if (ag_url_is_https(u) || allow_http || ag_url_is_loopback(u))
        return true;
    return ag_fail(e, AG_E_INSECURE_URL, "plain http to %.*s is refused: use https",
                   u->host.n > 80 ? 80 : (int)u->host.n, u->host.p);
}

static void write_lower(ag_buf *b, ag_view v)
{
    size_t i;
    for (i = 0; i < v.n; i++)
        ag_buf_char(b, lower(v.p[i]));
}

void ag_url_write_origin(ag_buf *b, const ag_url *u)
{
    bool https = ag_url_is_https(u);
    ag_buf_cstr(b, https ? "https://" : "http://");
    if (u->ipv6)
        ag_buf_char(b, '[');
    write_lower(b, u->host);
    if (u->ipv6)
        ag_buf_char(b, ']');
    if (u->port != (https ? 443u : 80u)) {
        ag_buf_char(b, ':');
        ag_buf_i64(b, u->port);
    }
}

void ag_url_split_callback(ag_view text, ag_callback_url *out)
{
    ag_view rest;
    memset(out, 0, sizeof *out);
    out->base = text;
    if (text.p == NULL)
        return;
    rest = cut_at(&out->base, '#');
    if (rest.n > 0)
        out->fragment = (ag_view){ rest.p + 1, rest.n - 1 };
    rest = cut_at(&out->base, '?');
    if (rest.n > 0)
        out->query = (ag_view){ rest.p + 1, rest.n - 1 };
}
