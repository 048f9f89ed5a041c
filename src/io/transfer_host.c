/* transfer_host: see the header. Must never keep state of its own. */
#include "io/transfer_host.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool skip_scheme(ag_view url, size_t *at, bool *https)
{
    if (url.n > 8 && ag_view_eq_nocase((ag_view){ url.p, 8 }, AG_LIT("https://"))) {
        *at = 8;
        *https = true;
        return true;
    }
    if (url.n > 7 && ag_view_eq_nocase((ag_view){ url.p, 7 }, AG_LIT("http://"))) {
        *at = 7;
        *https = false;
        return true;
    }
    return false;
}

/* The host ends at the bracket, or at the last thing before the port. */
static bool split_port(ag_view authority, ag_host *out)
{
    const char *colon;
    size_t end;
    if (authority.n > 0 && authority.p[0] == '[') {
        const char *close = memchr(authority.p, ']', authority.n);
        if (close == NULL)
            return false;
        end = (size_t)(close - authority.p) + 1;
        out->name = (ag_view){ authority.p + 1, end - 2 };
        out->v6 = true;
        if (end == authority.n)
            return end > 2;
        if (authority.p[end] != ':')
            return false;
        colon = authority.p + end;
    } else {
        colon = memchr(authority.p, ':', authority.n);
        end = colon == NULL ? authority.n : (size_t)(colon - authority.p);
        out->name = (ag_view){ authority.p, end };
    }
    if (colon != NULL && end + 1 < authority.n)
        out->port = (ag_view){ colon + 1, authority.n - end - 1 };
    return out->name.n > 0;
}

bool ag_host_of_url(ag_view url, ag_host *out)
{
    size_t start, end;
    *out = (ag_host){ 0 };
    if (!skip_scheme(url, &start, &out->https))
        return false;
    for (end = start; end < url.n; end++) {
        char c = url.p[end];
        if (c == '/' || c == '?' || c == '#')
            break;
        if (c == '@' || c == '\\' || (unsigned char)c <= ' ' || c == 0x7f)
            return false;
    }
    return split_port((ag_view){ url.p + start, end - start }, out);
}

/* One number of an IPv4 address as inet_aton reads it: 0x hex, 0 octal, decimal. */
static bool part(const char **p, const char *end, uint32_t *out)
{
    unsigned base = 10;
    uint64_t v = 0;
    const char *s = *p, *digits;
    if (end - s >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2;
    } else if (s < end && s[0] == '0') {
        base = 8;
    }
    for (digits = s; s < end; s++) {
        unsigned d;
        char c = (char)(*s | 0x20);
        if (*s >= '0' && *s <= '9')
            d = (unsigned)(*s - '0');
        else if (c >= 'a' && c <= 'f')
            d = (unsigned)(c - 'a' + 10);
        else
            break;
        if (d >= base)
            return false;
        v = v * base + d;
        if (v > UINT32_MAX)
            return false;
    }
    if (s == digits)
        return false;
    *p = s;
    *out = (uint32_t)v;
    return true;
}

/* 127.0.0.1, 127.1, 0x7f.1, 2130706433: libcurl connects to all of them. */
static bool v4_loopback(ag_view name)
{
    uint32_t v[4], last;
    size_t n = 0;
    const char *p = name.p, *end = name.p + name.n;
    for (;;) {
        if (n == 4 || !part(&p, end, &v[n]))
            return false;
        n++;
        if (p == end)
            break;
        if (*p++ != '.')
            return false;
        if (p == end)
            break;
    }
    if (n > 1)
        return v[0] == 127;
    last = v[0];
    return last >> 24 == 127;
}

/* ::1 in all its spellings, and IPv4 loopback mapped into IPv6. */
static bool v6_loopback(ag_view name)
{
    static const char *const mapped[] = { "::ffff:127.", "0:0:0:0:0:ffff:127.", "::ffff:7f" };
    size_t i;
    for (i = 0; i < sizeof mapped / sizeof *mapped; i++) {
        ag_view m = ag_view_of(mapped[i]);
        if (name.n > m.n && ag_view_eq_nocase((ag_view){ name.p, m.n }, m))
            return true;
    }
    if (name.n < 3 || name.p[name.n - 1] != '1')
        return false;
    for (i = 0; i + 1 < name.n; i++)
        if (name.p[i] != '0' && name.p[i] != ':')
            return false;
    return name.p[name.n - 2] == ':' || name.p[name.n - 2] == '0';
}

bool ag_host_is_loopback(const ag_host *h)
{
    static const char local[] = ".localhost";
    size_t n = h->name.n, len = sizeof local - 1;
    if (h->v6)
        return v6_loopback(h->name);
    if (h->name.p[0] >= '0' && h->name.p[0] <= '9')
        return v4_loopback(h->name);
    if (n > 1 && h->name.p[n - 1] == '.')
        n--;
    if (ag_view_eq_nocase((ag_view){ h->name.p, n }, (ag_view){ local + 1, len - 1 }))
        return true;
    return n > len && ag_view_eq_nocase((ag_view){ h->name.p + n - len, len }, (ag_view){ local, len });
}

void ag_host_label(const ag_host *h, char *out, size_t size)
{
    int name_n = h->name.n > 80 ? 80 : (int)h->name.n;
    int port_n = h->port.n > 8 ? 8 : (int)h->port.n;
    if (h->port.p == NULL)
        (void)snprintf(out, size, "%s%.*s%s:%s", h->v6 ? "[" : "", name_n, h->name.p, h->v6 ? "]" : "",
                       h->https ? "443" : "80");
    else
        (void)snprintf(out, size, "%s%.*s%s:%.*s", h->v6 ? "[" : "", name_n, h->name.p, h->v6 ? "]" : "", port_n,
                       h->port.p);
}
