/* alloc: the few ways memory is taken and given back. Must never keep state
 * of its own, except the failure switch of test builds. */
#include "core/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc_test.h"

static void *default_fn(void *ud, void *p, size_t n)
{
    void *q;
    (void)ud;
    if (n == 0) {
        AG_ALLOC_GAVE(p);
        free(p);
        return NULL;
    }
    if (AG_ALLOC_MUST_FAIL(p, n))
        return NULL;
    AG_ALLOC_GAVE(p);
    q = realloc(p, n);
    AG_ALLOC_GOT(q != NULL ? q : p);
    return q;
}

const ag_alloc ag_alloc_default = { default_fn, NULL };

void *ag_new0(const ag_alloc *a, size_t n)
{
    void *p = a->fn(a->ud, NULL, n == 0 ? 1 : n);
    if (p != NULL)
        memset(p, 0, n);
    return p;
}

void *ag_resize(const ag_alloc *a, void *p, size_t n)
{
    return a->fn(a->ud, p, n == 0 ? 1 : n);
}

void ag_free(const ag_alloc *a, void *p)
{
    if (p != NULL)
        (void)a->fn(a->ud, p, 0);
}

/* Called by a pointer that may change at any time, memset cannot be left out as being of no use. */
static void *(*const volatile wipe)(void *p, int byte, size_t n) = memset;

void ag_wipe(void *p, size_t n)
{
    if (p != NULL && n > 0)
        (void)wipe(p, 0, n);
}

void ag_free_wiped(const ag_alloc *a, void *p, size_t n)
{
    ag_wipe(p, n);
    ag_free(a, p);
}

bool ag_size_add(size_t a, size_t b, size_t *out)
{
    if (a > SIZE_MAX - b)
        return false;
    *out = a + b;
    return true;
}

bool ag_size_mul(size_t a, size_t b, size_t *out)
{
    if (b != 0 && a > SIZE_MAX / b)
        return false;
    *out = a * b;
    return true;
}

bool ag_str_set(const ag_alloc *a, ag_str *s, const char *p, size_t n)
{
    size_t size;
    char *copy;
    if (!ag_size_add(n, 1, &size))
        return false;
    copy = a->fn(a->ud, NULL, size);
    if (copy == NULL)
        return false;
    if (n > 0)
        memcpy(copy, p, n);
    copy[n] = '\0';
    ag_str_free(a, s);
    s->p = copy;
    s->n = n;
    return true;
}

bool ag_str_set_view(const ag_alloc *a, ag_str *s, ag_view v)
{
    if (v.p == NULL) {
        ag_str_free(a, s);
        return true;
    }
    return ag_str_set(a, s, v.p, v.n);
}

void ag_str_free(const ag_alloc *a, ag_str *s)
{
    ag_free_wiped(a, s->p, s->n);
    s->p = NULL;
    s->n = 0;
}

void ag_str_move(const ag_alloc *a, ag_str *to, ag_str *from)
{
    if (to == from)
        return;
    ag_str_free(a, to);
    *to = *from;
    from->p = NULL;
    from->n = 0;
}

ag_view ag_str_view(const ag_str *s)
{
    return (ag_view){ s->p, s->n };
}

ag_view ag_view_of(const char *cstr)
{
    return (ag_view){ cstr, cstr == NULL ? 0 : strlen(cstr) };
}

bool ag_view_eq(ag_view a, ag_view b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool ag_view_eq_nocase(ag_view a, ag_view b)
{
    size_t i;
    if (a.n != b.n)
        return false;
    for (i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}
