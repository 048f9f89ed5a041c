/* keyring: see keyring.h. */
#include "io/keyring.h"

#include "core/alloc.h"
#include "io/platform.h"

static void run(void *arg)
{
    ag_keyring *k = arg;
    ag_err_clear(&k->err);
    k->ok = ag_keyring_run_platform(k, &k->err);
    atomic_store_explicit(&k->done, true, memory_order_release);
}

bool ag_keyring_start(ag_keyring *k, ag_err *e)
{
    k->found = k->ok = k->started = false;
    k->platform = NULL;
    k->pid = ag_platform_pid();
    atomic_init(&k->done, false);
    if (!ag_keyring_open_platform(k, e))
        return false;
    k->started = ag_thread_start(&k->thread, run, k);
    if (k->started)
        return true;
    ag_keyring_close_platform(k);
    return ag_fail(e, AG_E_KEYRING, "no thread could be started to ask the system's secret store");
}

bool ag_keyring_is_done(ag_keyring *k)
{
    return k->started && atomic_load_explicit(&k->done, memory_order_acquire);
}

void ag_keyring_end(ag_keyring *k)
{
    if (k->started && k->pid == ag_platform_pid()) { /* a forked child has no such thread */
        if (!ag_keyring_is_done(k))
            ag_keyring_cancel_platform(k);
        ag_thread_join(&k->thread);
        ag_keyring_close_platform(k);
    }
    k->started = false;
    ag_wipe(k->key, sizeof k->key);
}
