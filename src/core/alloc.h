/* alloc: memory as it is handed in. Nothing in the core calls malloc itself,
 * so a test can make any allocation fail. Must never keep a global. */
#ifndef AG_CORE_ALLOC_H
#define AG_CORE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* fn(ud, NULL, n) allocates, fn(ud, p, n) resizes, fn(ud, p, 0) frees and returns NULL.
 * A failed resize leaves p as it was. */
typedef struct ag_alloc {
    void *(*fn)(void *ud, void *p, size_t n);
    void *ud;
} ag_alloc;

/* The process's own malloc/realloc/free. In test builds it counts, and fails when told to. */
extern const ag_alloc ag_alloc_default;

void *ag_new0(const ag_alloc *a, size_t n);          /* zeroed; NULL: out of memory */
void *ag_resize(const ag_alloc *a, void *p, size_t n);
void ag_free(const ag_alloc *a, void *p);            /* p may be NULL; not wiped */
void ag_wipe(void *p, size_t n);                     /* not optimised away */
void ag_free_wiped(const ag_alloc *a, void *p, size_t n);

/* A sum or product of sizes; false when it does not fit. */
bool ag_size_add(size_t a, size_t b, size_t *out);
bool ag_size_mul(size_t a, size_t b, size_t *out);

/* A string that knows its length, NUL-terminated for convenience (p[n] == 0).
 * Owned by whoever has the ag_str; {NULL, 0} is 'not there'. Wiped when freed. */
typedef struct ag_str {
    char *p;
    size_t n;
} ag_str;

/* A borrowed piece of text, not NUL-terminated; p == NULL is 'not there'. */
typedef struct ag_view {
    const char *p;
    size_t n;
} ag_view;

#define AG_LIT(s) ((ag_view){ (s), sizeof(s) - 1 })

bool ag_str_set(const ag_alloc *a, ag_str *s, const char *p, size_t n); /* false: out of memory, s unchanged */
bool ag_str_set_view(const ag_alloc *a, ag_str *s, ag_view v);
void ag_str_free(const ag_alloc *a, ag_str *s);
void ag_str_move(const ag_alloc *a, ag_str *to, ag_str *from);  /* frees to, leaves from empty */
ag_view ag_str_view(const ag_str *s);
ag_view ag_view_of(const char *cstr);                 /* NULL gives 'not there' */
bool ag_view_eq(ag_view a, ag_view b);                /* not for secrets */
bool ag_view_eq_nocase(ag_view a, ag_view b);         /* ASCII only */

#endif
