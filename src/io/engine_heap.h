/* engine_heap: deadlines, the earliest first. Adding and removing take time that grows
 * with the logarithm of their number. One thread's. Must never own what has a deadline. */
#ifndef AG_IO_ENGINE_HEAP_H
#define AG_IO_ENGINE_HEAP_H

#include <stdint.h>

#include "core/alloc.h"

typedef struct ag_heap_entry {
    int64_t at;
    size_t place;           /* 1 is the top; 0: in no heap */
    void *owner;
} ag_heap_entry;

typedef struct ag_heap {
    ag_heap_entry **list;   /* owned; the entries are not */
    size_t n, cap;
} ag_heap;

bool ag_heap_add(const ag_alloc *a, ag_heap *h, ag_heap_entry *e);  /* false: out of memory */
void ag_heap_remove(ag_heap *h, ag_heap_entry *e);                  /* nothing if it is in none */
ag_heap_entry *ag_heap_first(const ag_heap *h);                     /* NULL: empty */
void ag_heap_free(const ag_alloc *a, ag_heap *h);

#endif
