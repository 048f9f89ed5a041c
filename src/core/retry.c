/* retry: when to try again. */
#include "core/retry.h"

#include <string.h>

bool ag_retry_is_passing(const ag_err *e)
{
    return e->retryable && (e->code == AG_E_NETWORK || e->code == AG_E_DNS || e->code == AG_E_TIMEOUT);
}

bool ag_retry_is_passing_status(int status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

bool ag_retry_is_idempotent(const char *method)
{
    static const char *const names[] = { "GET", "HEAD", "OPTIONS", "PUT", "DELETE" };
    size_t i;
    for (i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(method, names[i]) == 0)
            return true;
    return false;
}

/* From 0 to below 1. */
static double some(const ag_env *env)
{
    unsigned char b[2] = { 128, 0 };
    if (!env->random(env->random_ud, b, sizeof b))
        b[0] = 128;             /* in step with others, but waiting */
    return (b[0] * 256 + b[1]) / 65536.0;
}

double ag_retry_pause(const ag_env *env, const ag_retry_options *o, unsigned done, double retry_after)
{
    double longest = o->base_s, pause;
    unsigned i;
    if (done >= o->retries)
        return -1;
    for (i = 0; i < done && longest < o->max_s; i++)
        longest *= 2;
    if (longest > o->max_s)
        longest = o->max_s;
    pause = longest * some(env);
    return pause > retry_after ? pause : retry_after;
}
