/* engine_core: what belongs to one thread of ours, made before it begins and freed after
 * its end. Must never use in a forked child what the thread may have been changing. */
#include "io/curl_global.h"
#include "io/engine_private.h"

static void free_core(ag_core *c)
{
    ag_alloc a = c->a;
    if (c->pool != NULL)
        ag_pool_unref(c->pool);
    ag_poller_free(c->poller);
    ag_heap_free(&a, &c->deadlines);
    ag_wake_close(&c->own_wake);
    ag_free(&a, c);
}

static bool set_up(ag_core *c, ag_err *e)
{
    c->poller = ag_poller_new(&c->a);
    if (c->poller == NULL || !ag_wake_open(&c->own_wake) || !ag_poller_set(c->poller, c->own_wake.rd, AG_POLL_IN, false))
        return ag_fail(e, AG_E_MEMORY, "no descriptors or no memory left for the engine");
    c->pool = ag_loop_new(&c->a, c->poller, e);
    return c->pool != NULL;
}

ag_core *ag_core_start(ag_engine *g, ag_err *e)
{
    ag_core *c = ag_new0(&g->a, sizeof *c);
    if (c == NULL) {
        (void)ag_fail(e, AG_E_MEMORY, "out of memory");
        return NULL;
    }
    c->a = g->a;
    c->own_wake.rd = c->own_wake.wr = AG_SOCK_NONE;
    atomic_init(&c->own_list, NULL);
    atomic_init(&c->host_list, NULL);
    atomic_init(&c->spent, NULL);
    atomic_init(&c->attention, AG_AWAKE); /* it looks before it waits */
    atomic_init(&c->total, g->total);
    atomic_init(&c->per_host, g->per_host);
    atomic_init(&c->has_host_wake, g->has_wake);
    c->host_wake = g->wake;
    if (!set_up(c, e)) {
        free_core(c);
        return NULL;
    }
    c->forks = ag_curl_forks();
    if (!ag_thread_start(&c->thread, ag_core_run, c)) {
        (void)ag_fail(e, AG_E_MEMORY, "no thread could be started for the engine");
        free_core(c);
        return NULL;
    }
    if (!ag_exit_register(c)) {
        (void)ag_fail(e, AG_E_MEMORY, "out of memory");
        ag_core_stop(c, g);
        return NULL;
    }
    return c;
}

void ag_core_stop(ag_core *c, ag_engine *g)
{
    ag_job *j, *next;
    ag_exit_join(c);
    for (j = ag_core_take_own(c); j != NULL; j = next) { /* none, or what came too late */
        next = j->own_next;
        ag_job_unref_own(c, j);
    }
    ag_spare_collect(g, c);
    free_core(c);
}

/* The memory stays where it is: the thread, which is not there any more, may have been anywhere in it. */
void ag_core_abandon(ag_core *c)
{
    ag_loop_abandon(c->pool);
    ag_poller_free(c->poller);
    ag_wake_close(&c->own_wake);
}
