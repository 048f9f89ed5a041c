/* alloc_test: the switch by which test builds (-DAG_TEST) make the n-th
 * allocation fail. Must be nothing at all in other builds. */
#ifndef AG_CORE_ALLOC_TEST_H
#define AG_CORE_ALLOC_TEST_H

#ifdef AG_TEST
#include <stdbool.h>

/* fail_at: which allocation from now fails (1: the next one; 0: none).
 * count: allocations asked for since the last reset. Shared by the whole process. */
void ag_alloc_test_set(long fail_at);
long ag_alloc_test_count(void);
bool ag_alloc_test_step(void);
#define AG_ALLOC_MUST_FAIL() ag_alloc_test_step()
#else
#define AG_ALLOC_MUST_FAIL() 0
#endif

#endif
