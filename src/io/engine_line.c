/* engine_line: see the header. */
#include "io/engine_line.h"

#include <stdint.h>

enum {
    PER_HOST = 100, /* as many streams as servers usually allow on one connection */
    ALL = 1024      /* the others have no easy handle and no buffers yet */
};

struct ag_line {
    ag_line *next;          /* in the bucket */
    uint32_t host;          /* a hash: two hosts with one share a line, no more */
    size_t active;
    ag_place *first, *last; /* waiting */
    bool in_ring, still;
    ag_line *ring_prev, *ring_next;
};

/* FNV-1a over scheme, host and port as they are spelt. */
static uint32_t hash(ag_view url)
{
    uint32_t h = 2166136261u;
    size_t i, slashes = 0;
    for (i = 0; i < url.n; i++) {
        char c = url.p[i];
        if (c == '/')
            slashes++;
        if (slashes == 3 || c == '?' || c == '#')
            break;
        h = (h ^ (unsigned char)c) * 16777619u;
    }
    return h;
}

/* --- the ring ------------------------------------------------------------ */

static void ring_remove(ag_lines *all, ag_line *l)
{
    if (!l->in_ring)
        return;
    l->in_ring = false;
    l->ring_prev->ring_next = l->ring_next;
    l->ring_next->ring_prev = l->ring_prev;
    if (all->turn == l)
        all->turn = l->ring_next == l ? NULL : l->ring_next;
}

/* Into the ring or out of it, as it may begin one or not. */
static void ring_update(ag_lines *all, ag_line *l)
{
    if (l->first == NULL || l->active >= PER_HOST || l->still) {
        ring_remove(all, l);
        return;
    }
    if (l->in_ring)
        return;
    l->in_ring = true;
    if (all->turn == NULL) {
        all->turn = l->ring_prev = l->ring_next = l;
        return;
    }
    l->ring_next = all->turn; /* behind all others */
    l->ring_prev = all->turn->ring_prev;
    l->ring_prev->ring_next = l;
    all->turn->ring_prev = l;
}

/* --- lines --------------------------------------------------------------- */

static ag_line *find(const ag_alloc *a, ag_lines *all, uint32_t host)
{
    ag_line **bucket = &all->buckets[host % AG_LINE_BUCKETS], *l = *bucket;
    while (l != NULL && l->host != host)
        l = l->next;
    if (l != NULL)
        return l;
    l = ag_new0(a, sizeof *l);
    if (l == NULL)
        return NULL;
    l->host = host;
    l->next = *bucket;
    *bucket = l;
    return l;
}

static void unlink_place(ag_line *l, ag_place *p)
{
    if (p->prev != NULL)
        p->prev->next = p->next;
    else
        l->first = p->next;
    if (p->next != NULL)
        p->next->prev = p->prev;
    else
        l->last = p->prev;
    p->prev = p->next = NULL;
    p->waits = false;
}

bool ag_lines_join(const ag_alloc *a, ag_lines *all, ag_place *p, ag_view url)
{
    ag_line *l = find(a, all, hash(url));
    if (l == NULL)
        return false;
    p->line = l;
    p->waits = true;
    p->prev = l->last;
    p->next = NULL;
    if (l->last != NULL)
        l->last->next = p;
    else
        l->first = p;
    l->last = p;
    ring_update(all, l);
    return true;
}

ag_place *ag_lines_next(ag_lines *all)
{
    ag_line *l = all->turn;
    ag_place *p;
    if (l == NULL || all->active >= ALL)
        return NULL;
    all->turn = l->ring_next;
    p = l->first;
    unlink_place(l, p);
    l->active++;
    all->active++;
    ring_update(all, l);
    return p;
}

void ag_lines_put_back(ag_lines *all, ag_place *p)
{
    ag_line *l = p->line;
    l->active--;
    all->active--;
    p->waits = true;
    p->next = l->first;
    if (l->first != NULL)
        l->first->prev = p;
    else
        l->last = p;
    l->first = p;
    l->still = all->any_still = true;
    ring_update(all, l);
}

void ag_lines_release(ag_lines *all)
{
    size_t i;
    if (!all->any_still)
        return;
    all->any_still = false;
    for (i = 0; i < AG_LINE_BUCKETS; i++) {
        ag_line *l;
        for (l = all->buckets[i]; l != NULL; l = l->next) {
            l->still = false;
            ring_update(all, l);
        }
    }
}

void ag_lines_leave(const ag_alloc *a, ag_lines *all, ag_place *p)
{
    ag_line *l = p->line, **at;
    if (l == NULL)
        return;
    p->line = NULL;
    if (p->waits) {
        unlink_place(l, p);
    } else {
        l->active--;
        all->active--;
    }
    ring_update(all, l);
    if (l->first != NULL || l->active > 0)
        return;
    for (at = &all->buckets[l->host % AG_LINE_BUCKETS]; *at != l; at = &(*at)->next)
        ;
    *at = l->next;
    ag_free(a, l);
}
