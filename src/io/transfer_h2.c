/* transfer_h2: how long an HTTP/2 connection is used. libcurl 7.88 sends RST_STREAM
 * after every exchange, even a finished one, and servers that count those (nghttp2:
 * 1000 in a burst) then end the connection under the next request. So none is used
 * that often. Must never touch a connection itself. */
#include "io/transfer_private.h"

enum { RENEW = 800 };

/* FNV-1a. Two hosts with one hash only renew a little early. */
static uint32_t mix(uint32_t h, ag_view v)
{
    size_t i;
    for (i = 0; i < v.n; i++)
        h = (h ^ (unsigned char)v.p[i]) * 16777619u;
    return h;
}

uint32_t ag_h2_host(const ag_host *h)
{
    uint32_t v;
    if (!h->https)
        return 0;
    v = mix(mix(2166136261u, h->name), h->port);
    return v == 0 ? 1 : v;
}

void ag_h2_answered(ag_pool *p, uint32_t host)
{
    size_t i, at = 0;
    for (i = 0; i < AG_H2_HOSTS && p->h2[at].host != host; i++)
        if (p->h2[i].host == host || p->h2[i].answers < p->h2[at].answers)
            at = i;
    if (p->h2[at].host != host)
        p->h2[at] = (ag_h2_use){ host, 0 };
    p->h2[at].answers++;
}

bool ag_h2_is_worn(const ag_pool *p, uint32_t host)
{
    size_t i;
    for (i = 0; host != 0 && i < AG_H2_HOSTS; i++)
        if (p->h2[i].host == host)
            return p->h2[i].answers % RENEW == RENEW - 1;
    return false;
}
