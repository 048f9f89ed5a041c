/* alloc_test: counts allocations and fails the one asked for, in test builds
 * only. Must never be linked to anything in a release build. */
#include "core/alloc_test.h"

#ifdef AG_TEST
static long remaining;
static long counted;

void ag_alloc_test_set(long fail_at)
{
    remaining = fail_at;
    counted = 0;
}

long ag_alloc_test_count(void)
{
    return counted;
}

bool ag_alloc_test_step(void)
{
    counted++;
    if (remaining == 0)
        return false;
    return --remaining == 0;
}
#else
typedef int ag_alloc_test_unused; /* ISO C wants something in every file */
#endif
