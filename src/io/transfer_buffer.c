/* transfer_buffer: see the header. Must never keep state of its own. */
#include "io/transfer_buffer.h"

#include <stdint.h>
#include <string.h>

enum { FIRST = 256 };

bool ag_buffer_reserve(const ag_alloc *a, ag_buffer *b, size_t more, bool wipe)
{
    size_t need, cap;
    char *p;
    if (!ag_size_add(b->n, more, &need))
        return false;
    if (need <= b->cap)
        return true;
    cap = b->cap > SIZE_MAX / 2 ? need : b->cap * 2;
    if (cap < FIRST)
        cap = FIRST;
    if (cap < need)
        cap = need;
    if (!wipe) {
        p = ag_resize(a, b->p, cap);
        if (p == NULL)
            return false;
    } else {
        p = ag_resize(a, NULL, cap);
        if (p == NULL)
            return false;
        if (b->n > 0)
            memcpy(p, b->p, b->n);
        ag_free_wiped(a, b->p, b->n);
    }
    b->p = p;
    b->cap = cap;
    return true;
}

bool ag_buffer_add(const ag_alloc *a, ag_buffer *b, const char *p, size_t n, bool wipe)
{
    if (n == 0)
        return true;
    if (!ag_buffer_reserve(a, b, n, wipe))
        return false;
    memcpy(b->p + b->n, p, n);
    b->n += n;
    return true;
}

void ag_buffer_clear(const ag_alloc *a, ag_buffer *b, size_t keep, bool wipe)
{
    if (wipe)
        ag_wipe(b->p, b->n);
    b->n = 0;
    if (b->cap > keep)
        ag_buffer_free(a, b, false);
}

void ag_buffer_free(const ag_alloc *a, ag_buffer *b, bool wipe)
{
    if (wipe)
        ag_wipe(b->p, b->n);
    ag_free(a, b->p);
    *b = (ag_buffer){ 0 };
}

ag_view ag_buffer_view(const ag_buffer *b)
{
    return (ag_view){ b->p, b->n };
}
