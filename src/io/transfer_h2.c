/* transfer_h2: how long an HTTP/2 connection is used. libcurl 7.88 sends RST_STREAM
 * after every exchange, even a finished one, and servers that count those (nghttp2:
 * 1000 in a burst) then end the connection under the next request. So none is used
 * that often. Must never touch a connection itself.
 *
 * Where one transfer goes on at a time, the last one closes it. Where many share it (the engine's),
 * the next ones must get another while those under way end on the old one: libcurl gives a
 * request only a connection whose TLS settings are the same to the letter, so these change between
 * two spellings of one meaning. If requests are still under way on both, new ones do without HTTP/2.
 * libcurl makes requests wait only for a host's first connection, so for the later ones we do: one
 * request, the scout, goes ahead. A connection is closed by whichever of its requests ends last, but
 * not before the last one has come to it: else those on their way would make one each. */
#include "io/transfer_private.h"

enum { RENEW = 800 };

static const long max_version[AG_H2_VARIANTS] = { CURL_SSLVERSION_MAX_NONE, CURL_SSLVERSION_MAX_DEFAULT };

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

static const ag_h2_use *find(const ag_pool *p, uint32_t host)
{
    size_t i;
    for (i = 0; host != 0 && i < AG_H2_HOSTS; i++)
        if (p->h2[i].host == host)
            return &p->h2[i];
    return NULL;
}

/* The host's entry, in place of the one least used if it has none. */
static ag_h2_use *entry(ag_pool *p, uint32_t host)
{
    size_t i, at = 0;
    for (i = 0; i < AG_H2_HOSTS && p->h2[at].host != host; i++)
        if (p->h2[i].host == host || p->h2[i].used < p->h2[at].used)
            at = i;
    if (p->h2[at].host != host)
        p->h2[at] = (ag_h2_use){ .host = host };
    return &p->h2[at];
}

bool ag_h2_is_worn(const ag_pool *p, uint32_t host)
{
    const ag_h2_use *u = find(p, host);
    return u != NULL && u->used % RENEW == RENEW - 1;
}

static bool is_used(const ag_pool *p, uint32_t host, unsigned char variant)
{
    const ag_transfer *t;
    for (t = p->busy; t != NULL; t = t->next)
        if (t->host == host && t->set.variant == variant && t->in_multi && !t->set.http1)
            return true;
    return false;
}

/* Whoever is the last to end on the old connection closes it. All of them are there: libcurl takes them in turn. */
static void retire(ag_pool *p, uint32_t host, unsigned char old)
{
    ag_transfer *t;
    for (t = p->busy; t != NULL; t = t->next) {
        if (t->host != host || t->set.variant != old || !t->in_multi || t->set.http1)
            continue;
        (void)curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
        t->set.last = true;
    }
}

/* False: none is free. */
static bool renew(ag_transfer *t, ag_h2_use *u)
{
    unsigned char next = (unsigned char)(u->variant == 0);
    if (is_used(t->pool, t->host, next))
        next = u->variant; /* if nobody is on that one any more the last has closed it */
    if (is_used(t->pool, t->host, next))
        return false;
    *u = (ag_h2_use){ .host = t->host, .variant = next, .scouted = true, .speaks_h2 = true };
    t->scout = true;
    return true;
}

unsigned char ag_h2_variant(ag_transfer *t, bool *last)
{
    ag_h2_use *u;
    *last = false;
    if (t->host == 0)
        return 0;
    u = entry(t->pool, t->host);
    if (u->used >= RENEW && !u->speaks_h2)
        u->used = 0;
    if (u->used >= RENEW && !renew(t, u))
        return AG_H2_NONE_LEFT;
    u->used++;
    *last = t->closes = u->used == RENEW && u->speaks_h2;
    return u->variant;
}

bool ag_h2_is_scouted(const ag_pool *p, uint32_t host)
{
    const ag_h2_use *u = find(p, host);
    return u != NULL && u->scouted;
}

void ag_h2_is_there(ag_transfer *t)
{
    if (t->closes)
        retire(t->pool, t->host, t->set.variant);
    t->closes = false;
    if (!t->scout)
        return;
    t->scout = false;
    entry(t->pool, t->host)->scouted = false;
    t->pool->released = true;
}

void ag_h2_set_variant(ag_transfer *t, unsigned char variant)
{
    if (variant == t->set.variant)
        return;
    (void)curl_easy_setopt(t->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2 | max_version[variant]);
    t->set.variant = variant;
}

void ag_h2_over(ag_transfer *t)
{
    long version = 0;
    ag_h2_use *u;
    ag_h2_is_there(t);
    if (t->host == 0 || t->easy == NULL || curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version) != CURLE_OK ||
        version != CURL_HTTP_VERSION_2_0)
        return;
    u = entry(t->pool, t->host);
    u->speaks_h2 = true;
    u->trouble = false;
    if (t->pool->poller == NULL)
        u->used++;
}

bool ag_h2_is_spoken(const ag_pool *p, uint32_t host)
{
    const ag_h2_use *u = find(p, host);
    return u != NULL && u->speaks_h2;
}

bool ag_h2_is_trouble(const ag_pool *p, uint32_t host)
{
    const ag_h2_use *u = find(p, host);
    return u != NULL && u->trouble;
}

/* It could not connect. Those that wait for its connection would try after one another, each with its whole
 * time for it, so they are to wait no longer. */
void ag_h2_unconnected(ag_transfer *t)
{
    ag_pool *p = t->pool;
    if (p->poller == NULL || !t->set.pipewait)
        return;
    entry(p, t->host)->trouble = true;
    for (t = p->busy; t != NULL; t = t->next)
        if (t->set.pipewait && t->in_multi && ag_h2_is_trouble(p, t->host)) {
            (void)curl_easy_setopt(t->easy, CURLOPT_PIPEWAIT, 0L);
            t->set.pipewait = false;
        }
}
