/* alloc_test: the switch by which test builds (-DAG_TEST) make the n-th
 * allocation fail, and their count of what is in use. Must be nothing at all in other builds. */
#ifndef AG_CORE_ALLOC_TEST_H
#define AG_CORE_ALLOC_TEST_H

#ifdef AG_TEST
#include <stdbool.h>
#include <stddef.h>

/* fail_at: which allocation from now fails (1: the next one; 0: none; -n: the n-th and all after it).
 * count: allocations asked for since the last reset. Shared by the whole process (by each loadable module,
 * since the core is linked into every one). */
void ag_alloc_test_set(long fail_at);
long ag_alloc_test_count(void);
bool ag_alloc_test_step(void *p, size_t n);
/* From now on there is no more than is in use (true), or as much as there is. */
void ag_alloc_test_full(bool full);
/* Around every call to the C library: what is given back, and what is got. */
void ag_alloc_test_gave(void *p);
void ag_alloc_test_got(void *p);
long ag_alloc_test_blocks(void);        /* in use now */
long ag_alloc_test_bytes(void);
#define AG_ALLOC_MUST_FAIL(p, n) ag_alloc_test_step((p), (n))
#define AG_ALLOC_GAVE(p) ag_alloc_test_gave(p)
#define AG_ALLOC_GOT(p) ag_alloc_test_got(p)
#else
#define AG_ALLOC_MUST_FAIL(p, n) 0
#define AG_ALLOC_GAVE(p) ((void)(p))
#define AG_ALLOC_GOT(p) ((void)(p))
#endif

#endif
