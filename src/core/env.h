/* env: what the core is given instead of taking it: memory, randomness, time.
 * The core must never look at a clock: `now` is set by whoever steps it. */
#ifndef AG_CORE_ENV_H
#define AG_CORE_ENV_H

#include <stdint.h>

#include "core/alloc.h"

typedef bool (*ag_random_fn)(void *ud, void *out, size_t n);

typedef struct ag_env {
    ag_alloc alloc;
    ag_random_fn random;
    void *random_ud;
    char boot_id[40];   /* "" when unknown: then only the wall clock decides */
    int64_t boot_ms;    /* clock that never jumps and counts sleep, milliseconds */
    int64_t wall_ms;    /* milliseconds since 1970 */
} ag_env;

#endif
