/* tap: what the C tests share: numbered results, and an allocator that counts, always moves,
 * and looks for secrets in what is given back. Each test is one
 * program, built with -DAG_TEST by `make test-c`. */
#ifndef AG_SPEC_TAP_H
#define AG_SPEC_TAP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "core/alloc_test.h"
#include "core/err.h"

static int tap_count, tap_failed;
static long tap_live;               /* blocks of tap_alloc that are held */
static long tap_unwiped;            /* blocks given back with the canary in them */
static const char *tap_canary;      /* NULL: nothing to look for */

#define OK(good, name) tap_ok((good), (name), __FILE__, __LINE__)

static inline bool tap_ok(bool good, const char *name, const char *file, int line)
{
    tap_count++;
    if (!good)
        tap_failed++;
    printf("%s %d - %s\n", good ? "ok" : "not ok", tap_count, name);
    if (!good)
        printf("# at %s:%d\n", file, line);
    return good;
}

static inline int tap_end(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed == 0 && tap_count > 0 ? 0 : 1;
}

/* Texts made on the spot; the name of a case, so that rows of a table can be told apart. */
static inline const char *tap_name(const char *what, const char *which)
{
    static char name[200];
    size_t i;
    (void)snprintf(name, sizeof name, "%s: %.120s", what, which);
    for (i = 0; name[i] != '\0'; i++)
        if ((unsigned char)name[i] < 0x20 || (unsigned char)name[i] > 0x7E || name[i] == '#')
            name[i] = '?';
    return name;
}

static inline bool tap_view_is(ag_view v, const char *want)
{
    return want == NULL ? v.p == NULL : v.p != NULL && ag_view_eq(v, ag_view_of(want));
}

static inline bool tap_str_is(const ag_str *s, const char *want)
{
    return tap_view_is(ag_str_view(s), want) && (want == NULL || s->p[s->n] == '\0');
}

/* A copy in a block of exactly n bytes, so that reading past it is seen by the sanitizers and valgrind. Freed by free(). */
static inline char *tap_exact(const char *p, size_t n)
{
    char *copy = malloc(n == 0 ? 1 : n);
    if (copy == NULL)
        abort();
    if (n > 0)
        memcpy(copy, p, n);
    return copy;
}

typedef struct tap_block {
    size_t n;
    size_t pad;
} tap_block;

static inline void tap_give_back(tap_block *b)
{
    const char *p = (const char *)(b + 1);
    size_t i, k = tap_canary == NULL ? 0 : strlen(tap_canary);
    for (i = 0; k > 0 && i + k <= b->n; i++) {
        if (memcmp(p + i, tap_canary, k) == 0) {
            tap_unwiped++;
            break;
        }
    }
    tap_live--;
    ag_free(&ag_alloc_default, b);
}

static inline void *tap_alloc_fn(void *ud, void *p, size_t n)
{
    tap_block *old = p == NULL ? NULL : (tap_block *)p - 1, *b = NULL;
    (void)ud;
    if (n > 0) {
        b = ag_alloc_default.fn(ag_alloc_default.ud, NULL, n + sizeof *b);
        if (b == NULL)
            return NULL;
        b->n = n;
        memset(b + 1, 0xA5, n);
        tap_live++;
    }
    if (old != NULL && b != NULL)
        memcpy(b + 1, old + 1, old->n < n ? old->n : n);
    if (old != NULL)
        tap_give_back(old);
    return b == NULL ? NULL : b + 1;
}

static const ag_alloc tap_alloc = { tap_alloc_fn, NULL };

/* What a case makes of it when an allocation fails. */
typedef enum tap_outcome { TAP_DONE, TAP_NO_MEMORY, TAP_WRONG } tap_outcome;
typedef tap_outcome (*tap_case)(const ag_alloc *a);

/* Runs a case as it is, then with its first allocation failing, its second, and so on until it no longer gets that far.
 * Each time it must say that memory ran out, and hold nothing afterwards. `at_least`: allocations that it surely makes. */
static inline void tap_each_alloc(const char *name, tap_case run, long at_least)
{
    long before = tap_live, unwiped = tap_unwiped, at;
    bool good;
    ag_alloc_test_set(0);
    good = OK(run(&tap_alloc) == TAP_DONE && tap_live == before, tap_name("with memory", name));
    for (at = 1; good; at++) {
        tap_outcome got;
        ag_alloc_test_set(at);
        got = run(&tap_alloc);
        if (ag_alloc_test_count() < at) {
            good = got == TAP_DONE && tap_live == before;
            break;
        }
        good = got == TAP_NO_MEMORY && tap_live == before;
    }
    ag_alloc_test_set(0);
    OK(good && at > at_least && tap_unwiped == unwiped, tap_name("each allocation failing", name));
}

/* For the usual pair of a bool and an error. */
static inline tap_outcome tap_outcome_of(bool ok, const ag_err *e)
{
    return ok ? TAP_DONE : e->code == AG_E_MEMORY ? TAP_NO_MEMORY : TAP_WRONG;
}

#endif
