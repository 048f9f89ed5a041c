/* retry_test: what passes by itself, what may be sent twice, and how long the pauses are. */
#include "core/retry.h"
#include "tap.h"

static unsigned char dice[2];
static bool dice_fail;

static bool throw_dice(void *ud, void *out, size_t n)
{
    (void)ud;
    if (dice_fail || n != 2)
        return false;
    memcpy(out, dice, 2);
    return true;
}

static bool near(double a, double b)
{
    return a - b < 1e-4 && b - a < 1e-4;
}

static void pauses(void)
{
    const ag_env env = { .alloc = { tap_alloc_fn, NULL }, .random = throw_dice };
    const ag_retry_options o = { 4, 0.5, 1.5 };
    dice[0] = dice[1] = 0xFF;
    OK(near(ag_retry_pause(&env, &o, 0, 0), 0.5), "the first pause is at most the base");
    OK(near(ag_retry_pause(&env, &o, 1, 0), 1.0), "the second at most twice that");
    OK(near(ag_retry_pause(&env, &o, 2, 0), 1.5) && near(ag_retry_pause(&env, &o, 3, 0), 1.5), "none is longer than max");
    OK(ag_retry_pause(&env, &o, 4, 0) < 0 && ag_retry_pause(&env, &o, 400, 0) < 0, "the tries end");
    OK(near(ag_retry_pause(&env, &o, 0, 20), 20), "the server may ask for more than max");
    OK(near(ag_retry_pause(&env, &o, 0, 0.1), 0.5), "and not for less than there is anyhow");
    OK(ag_retry_pause(&env, &o, 4, 20) < 0, "nor for more tries");
    dice[0] = dice[1] = 0;
    OK(ag_retry_pause(&env, &o, 1, 0) == 0, "the jitter goes down to nothing");
    dice[0] = 128;
    OK(near(ag_retry_pause(&env, &o, 1, 0), 0.5), "and is even");
    dice_fail = true;
    OK(near(ag_retry_pause(&env, &o, 0, 0), 0.25), "without randomness: half");
    dice_fail = false;
}

static void failures(void)
{
    static const struct {
        ag_err_code code;
        bool passes;
    } table[] = { { AG_E_NETWORK, true }, { AG_E_DNS, true },       { AG_E_TIMEOUT, true },  { AG_E_TLS, false },
                  { AG_E_MEMORY, false }, { AG_E_CANCELLED, false }, { AG_E_CLOSED, false }, { AG_E_TOO_LARGE, false },
                  { AG_E_STORAGE, false }, { AG_E_USER_CODE, false } };
    static const int passing[] = { 429, 502, 503, 504 }, others[] = { 200, 301, 400, 401, 403, 404, 408, 500, 501, 505, 0 };
    ag_err e;
    size_t i;
    bool good = true;
    for (i = 0; i < sizeof table / sizeof table[0]; i++) {
        (void)ag_fail(&e, table[i].code, "x");
        OK(ag_retry_is_passing(&e) == table[i].passes, tap_name("an error", ag_err_name(table[i].code)));
    }
    (void)ag_fail(&e, AG_E_NETWORK, "x");
    e.retryable = false;
    OK(!ag_retry_is_passing(&e), "one whose giver says that it does not pass");
    for (i = 0; i < sizeof passing / sizeof passing[0]; i++)
        good = good && ag_retry_is_passing_status(passing[i]);
    for (i = 0; i < sizeof others / sizeof others[0]; i++)
        good = good && !ag_retry_is_passing_status(others[i]);
    OK(good, "statuses");
}

static void methods(void)
{
    static const char *const yes[] = { "GET", "HEAD", "OPTIONS", "PUT", "DELETE" };
    static const char *const no[] = { "POST", "PATCH", "get", "", "GETS", "CONNECT" };
    size_t i;
    bool good = true;
    for (i = 0; i < sizeof yes / sizeof yes[0]; i++)
        good = good && ag_retry_is_idempotent(yes[i]);
    for (i = 0; i < sizeof no / sizeof no[0]; i++)
        good = good && !ag_retry_is_idempotent(no[i]);
    OK(good, "methods that may arrive twice");
}

int main(void)
{
    pauses();
    failures();
    methods();
    return tap_end();
}
