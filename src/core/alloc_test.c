/* alloc_test: counts allocations and fails the one asked for, in test builds
 * only. Must never be linked to anything in a release build. */
#include "core/alloc_test.h"

#ifdef AG_TEST
#include <limits.h>
#include <stdatomic.h>
#ifdef __linux__
size_t malloc_usable_size(void *p);     /* declared here: the core includes no header of a system's own */
#else
#define malloc_usable_size(p) ((size_t)0 * sizeof(p))   /* blocks are counted everywhere, bytes on Linux */
#endif

/* The engine's thread allocates as well. */
static atomic_long remaining;
static atomic_long counted;
static atomic_long blocks, bytes;
static atomic_long limit = LONG_MAX;

void ag_alloc_test_set(long fail_at)
{
    remaining = fail_at;
    counted = 0;
}

long ag_alloc_test_count(void)
{
    return counted;
}

void ag_alloc_test_full(bool full)
{
    limit = full ? bytes : LONG_MAX;
}

bool ag_alloc_test_step(void *p, size_t n)
{
    long left = remaining, more = (long)n - (p == NULL ? 0 : (long)malloc_usable_size(p));
    counted++;
    if (limit != LONG_MAX && more > limit - bytes)
        return true;
    do {
        if (left == 0)
            return false;
        if (left == -1)
            return true;
    } while (!atomic_compare_exchange_weak(&remaining, &left, left > 0 ? left - 1 : left + 1));
    return left == 1;
}

void ag_alloc_test_gave(void *p)
{
    if (p == NULL)
        return;
    blocks--;
    bytes -= (long)malloc_usable_size(p);
}

void ag_alloc_test_got(void *p)
{
    if (p == NULL)
        return;
    blocks++;
    bytes += (long)malloc_usable_size(p);
}

long ag_alloc_test_blocks(void)
{
    return blocks;
}

long ag_alloc_test_bytes(void)
{
    return bytes;
}
#else
typedef int ag_alloc_test_unused; /* ISO C wants something in every file */
#endif
