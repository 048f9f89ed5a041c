/* alloc_test: counts allocations and fails the one asked for, in test builds
 * only. Must never be linked to anything in a release build. */
#include "core/alloc_test.h"

#ifdef AG_TEST
#include <stddef.h>
#ifdef __linux__
size_t malloc_usable_size(void *p);     /* declared here: the core includes no header of a system's own */
#else
#define malloc_usable_size(p) ((size_t)0 * sizeof(p))   /* blocks are counted everywhere, bytes on Linux */
#endif

static long remaining;
static long counted;
static long blocks, bytes;

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
    if (remaining < -1) {
        remaining++;
        return false;
    }
    if (remaining == -1)
        return true;
    return remaining > 0 && --remaining == 0;
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
