/* engine_heap: see the header. A binary heap of pointers. */
#include "io/engine_heap.h"

static void put(ag_heap *h, size_t place, ag_heap_entry *e)
{
    h->list[place - 1] = e;
    e->place = place;
}

static void rise(ag_heap *h, size_t place, ag_heap_entry *e)
{
    while (place > 1 && h->list[place / 2 - 1]->at > e->at) {
        put(h, place, h->list[place / 2 - 1]);
        place /= 2;
    }
    put(h, place, e);
}

static void sink(ag_heap *h, size_t place, ag_heap_entry *e)
{
    for (;;) {
        size_t child = place * 2;
        if (child > h->n)
            break;
        if (child < h->n && h->list[child]->at < h->list[child - 1]->at)
            child++;
        if (h->list[child - 1]->at >= e->at)
            break;
        put(h, place, h->list[child - 1]);
        place = child;
    }
    put(h, place, e);
}

bool ag_heap_add(const ag_alloc *a, ag_heap *h, ag_heap_entry *e)
{
    if (h->n == h->cap) {
        size_t cap = h->cap == 0 ? 16 : h->cap * 2, bytes;
        ag_heap_entry **list;
        if (!ag_size_mul(cap, sizeof(ag_heap_entry *), &bytes))
            return false;
        list = ag_resize(a, h->list, bytes);
        if (list == NULL)
            return false;
        h->list = list;
        h->cap = cap;
    }
    h->n++;
    rise(h, h->n, e);
    return true;
}

void ag_heap_remove(ag_heap *h, ag_heap_entry *e)
{
    size_t place = e->place;
    ag_heap_entry *last;
    if (place == 0)
        return;
    e->place = 0;
    last = h->list[--h->n];
    if (last == e)
        return;
    if (place > 1 && h->list[place / 2 - 1]->at > last->at)
        rise(h, place, last);
    else
        sink(h, place, last);
}

ag_heap_entry *ag_heap_first(const ag_heap *h)
{
    return h->n == 0 ? NULL : h->list[0];
}

void ag_heap_free(const ag_alloc *a, ag_heap *h)
{
    ag_free(a, h->list);
    *h = (ag_heap){ 0 };
}
