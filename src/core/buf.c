/* buf: see buf.h. It moves by allocate, copy, wipe, free, never by realloc,
 * which would leave a copy of a secret behind. */
#include "core/buf.h"

#include <string.h>

void ag_buf_init(ag_buf *b, const ag_alloc *alloc, size_t limit)
{
    memset(b, 0, sizeof *b);
    b->alloc = alloc;
    b->limit = limit < AG_BUF_NO_LIMIT ? limit : AG_BUF_NO_LIMIT;
}

void ag_buf_free(ag_buf *b)
{
    if (b->p != NULL)
        ag_free_wiped(b->alloc, b->p, b->cap);
    b->p = NULL;
    b->n = b->cap = 0;
    b->bad = false;
}

/* The size to grow to: at least need, twice the old one where that is allowed. */
static size_t next_cap(const ag_buf *b, size_t need)
{
    size_t cap = b->cap == 0 ? 64 : b->cap;
    if (cap <= (b->limit + 1) / 2)
        cap = b->cap == 0 ? cap : cap * 2;
    else
        cap = b->limit + 1;
    return cap < need ? need : cap;
}

/* Makes room for n more bytes and the NUL. The old bytes, if they had to move, are left in *old (of *old_cap
 * bytes) for the caller to wipe and free: what is to be added may stand in them. */
static bool make_room(ag_buf *b, size_t n, char **old, size_t *old_cap)
{
    size_t need, cap;
    char *moved;
    *old = NULL;
    if (b->bad)
        return false;
    if (n > b->limit || b->n > b->limit - n) {
        b->bad = true;
        return false;
    }
    need = b->n + n + 1;    /* limit < SIZE_MAX, so this fits */
    if (need <= b->cap)
        return true;
    cap = next_cap(b, need);
    moved = b->alloc->fn(b->alloc->ud, NULL, cap);
    if (moved == NULL) {
        b->bad = true;
        return false;
    }
    if (b->n > 0)
        memcpy(moved, b->p, b->n);
    *old = b->p;
    *old_cap = b->cap;
    b->p = moved;
    b->cap = cap;
    return true;
}

void ag_buf_reserve(ag_buf *b, size_t n)
{
    char *old;
    size_t old_cap;
    if (!make_room(b, n, &old, &old_cap))
        return;
    if (old != NULL)
        ag_free_wiped(b->alloc, old, old_cap);
    b->p[b->n] = '\0';
}

void ag_buf_add(ag_buf *b, const char *p, size_t n)
{
    char *old;
    size_t old_cap;
    if (!make_room(b, n, &old, &old_cap))
        return;
    if (n > 0)
        memcpy(b->p + b->n, p, n);
    if (old != NULL)
        ag_free_wiped(b->alloc, old, old_cap);
    b->n += n;
    b->p[b->n] = '\0';
}

void ag_buf_view(ag_buf *b, ag_view v)
{
    ag_buf_add(b, v.p, v.p == NULL ? 0 : v.n);
}

void ag_buf_cstr(ag_buf *b, const char *s)
{
    ag_buf_add(b, s, strlen(s));
}

void ag_buf_char(ag_buf *b, char c)
{
    ag_buf_add(b, &c, 1);
}

void ag_buf_i64(ag_buf *b, long long v)
{
    char text[24];
    size_t at = sizeof text;
    unsigned long long rest = v < 0 ? 0ULL - (unsigned long long)v : (unsigned long long)v;
    do {
        text[--at] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest > 0);
    if (v < 0)
        text[--at] = '-';
    ag_buf_add(b, text + at, sizeof text - at);
}

bool ag_buf_take(ag_buf *b, ag_str *out)
{
    ag_buf_add(b, NULL, 0);     /* so that an empty one has its NUL, too */
    if (b->bad) {
        ag_buf_free(b);
        return false;
    }
    ag_str_free(b->alloc, out);
    out->p = b->p;
    out->n = b->n;
    b->p = NULL;
    b->n = b->cap = 0;
    return true;
}
