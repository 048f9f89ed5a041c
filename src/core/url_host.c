/* url_host: see url_host.h. */
#include "core/url_host.h"

#include <string.h>

#define MAX_NAME 254    /* DNS: 253, and a dot */
#define MAX_LABEL 63

static bool name_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool ag_host_name_ok(ag_view host)
{
    size_t i, label = 0;
    if (host.n == 0 || host.n > MAX_NAME)
        return false;
    for (i = 0; i < host.n; i++) {
        if (host.p[i] == '.') {
            if (label == 0)
                return false;
            label = 0;
        } else if (!name_char(host.p[i]) || ++label > MAX_LABEL) {
            return false;
        }
    }
    return true;
}

/* Four plain decimals, no leading zeros. */
static bool read_ipv4(ag_view host, unsigned char out[4])
{
    size_t i = 0;
    int part;
    for (part = 0; part < 4; part++) {
        unsigned value = 0;
        size_t digits = 0;
        if (part > 0 && (i >= host.n || host.p[i++] != '.'))
            return false;
        while (i < host.n && host.p[i] >= '0' && host.p[i] <= '9' && digits < 3) {
            value = value * 10 + (unsigned)(host.p[i++] - '0');
            digits++;
        }
        if (digits == 0 || value > 255 || (digits > 1 && host.p[i - digits] == '0'))
            return false;
        out[part] = (unsigned char)value;
    }
    return i == host.n;
}

bool ag_host_name_is_loopback(ag_view host)
{
    static const char tail[] = ".localhost";
    size_t tail_n = sizeof tail - 1;
    unsigned char ip[4];
    if (read_ipv4(host, ip))
        return ip[0] == 127;
    if (ag_view_eq_nocase(host, AG_LIT("localhost")))
        return true;
    return host.n > tail_n && ag_view_eq_nocase((ag_view){ host.p + host.n - tail_n, tail_n }, ag_view_of(tail));
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Up to four hex digits at *i as two bytes. */
static bool ipv6_group(ag_view host, size_t *i, unsigned char *to)
{
    unsigned value = 0;
    int digits = 0;
    while (*i < host.n && hex_of(host.p[*i]) >= 0) {
        if (++digits > 4)
            return false;
        value = value << 4 | (unsigned)hex_of(host.p[(*i)++]);
    }
    to[0] = (unsigned char)(value >> 8);
    to[1] = (unsigned char)(value & 255);
    return digits > 0;
}

/* Moves what stands after '::' to the end, zeros in the gap. */
static bool ipv6_close_gap(unsigned char out[16], size_t filled, size_t gap)
{
    size_t tail = filled - gap;
    if (filled > 14)
        return false;   /* '::' stands for one group at least */
    memmove(out + 16 - tail, out + gap, tail);
    memset(out + gap, 0, 16 - filled);
    return true;
}

bool ag_host_ipv6(ag_view host, unsigned char out[16])
{
    size_t i = 0, filled = 0, gap = 17;
    if (host.n < 2 || host.n > 45)
        return false;
    if (host.p[0] == ':') {
        if (host.p[1] != ':')
            return false;
        gap = 0;
        i = 2;
    }
    while (i < host.n) {
        ag_view rest = { host.p + i, host.n - i };
        if (filled == 16)
            return false;
        if (filled <= 12 && memchr(rest.p, ':', rest.n) == NULL && memchr(rest.p, '.', rest.n) != NULL) {
            if (!read_ipv4(rest, out + filled))
                return false;
            filled += 4;
            break;
        }
        if (!ipv6_group(host, &i, out + filled))
            return false;
        filled += 2;
        if (i == host.n)
            break;
        if (host.p[i++] != ':' || i == host.n)
            return false;
        if (host.p[i] == ':') {
            if (gap != 17)
                return false;
            gap = filled;
            i++;
        }
    }
    return gap == 17 ? filled == 16 : ipv6_close_gap(out, filled, gap);
}
