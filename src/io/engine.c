/* engine: the host's side. See engine.h, and engine_private.h for how the two threads
 * pass jobs to each other. */
#include "io/engine.h"

#include "io/curl_global.h"
#include "io/engine_private.h"
#include "io/sleep.h"

enum { TOTAL = 256, PER_HOST = 32 };

ag_engine *ag_engine_new(const ag_alloc *a, ag_err *e)
{
    ag_engine *g;
    if (!ag_curl_global_init(e))
        return NULL;
    g = ag_new0(a, sizeof *g);
    if (g == NULL) {
        (void)ag_fail(e, AG_E_MEMORY, "out of memory");
        return NULL;
    }
    g->a = *a;
    g->refs = 1;
    g->total = TOTAL;
    g->per_host = PER_HOST;
    g->wake.rd = g->wake.wr = g->door.listening = AG_SOCK_NONE;
    return g;
}

void ag_engine_ref(ag_engine *g)
{
    g->refs++;
}

void ag_engine_unref(ag_engine *g)
{
    ag_alloc a = g->a;
    if (--g->refs > 0)
        return;
    ag_engine_stop(g);
    ag_free(&a, g);
}

/* Each job that is not over is lost, and `ready` says so of it. */
static void lose_all(ag_engine *g, ag_err_code code, const char *text)
{
    ag_job *j;
    for (j = g->jobs; j != NULL; j = j->next) {
        ag_job_lose(j, code, text);
        if (!j->lost || j->told || atomic_exchange(&j->host_queued, true))
            continue;
        (void)atomic_fetch_add(&j->refs, 1);
        j->host_next = g->ready;
        g->ready = j;
    }
}

void ag_engine_check(ag_engine *g)
{
    ag_job *j;
    if (g->core == NULL || g->core->forks == ag_curl_forks())
        return;
    ag_core_abandon(g->core);
    g->core = NULL;
    g->ready = NULL;
    ag_wake_close(&g->wake);
    g->has_wake = false;
    for (j = g->jobs; j != NULL; j = j->next)
        ag_job_orphan(j);
    lose_all(g, AG_E_NETWORK, "the process was forked during the transfer");
}

static void drop_ready(ag_engine *g)
{
    while (g->ready != NULL) {
        ag_job *j = g->ready;
        g->ready = j->host_next;
        ag_job_unref(g, j);
    }
}

void ag_engine_stop(ag_engine *g)
{
    ag_core *c = g->core;
    ag_job *j;
    ag_engine_check(g);
    c = g->core;
    g->core = NULL;
    g->stopped = true;
    if (c != NULL) {
        ag_exit_join(c);
        drop_ready(g);
        g->ready = ag_core_take_host(c);
        ag_core_stop(c, g);
    }
    for (j = g->jobs; j != NULL; j = j->next)
        ag_job_see(j, atomic_load(&j->news));
    lose_all(g, AG_E_CLOSED, "the client was closed during the transfer");
    if (g->refs == 0)
        drop_ready(g);
    ag_spare_trim(g);
    ag_wake_close(&g->wake);
    g->has_wake = false;
    ag_door_close(&g->door);
}

void ag_engine_limits(ag_engine *g, long total, long per_host)
{
    g->total = total;
    g->per_host = per_host;
    ag_engine_check(g);
    if (g->core == NULL)
        return;
    atomic_store(&g->core->total, total);
    atomic_store(&g->core->per_host, per_host);
    ag_core_wake(g->core);
}

void ag_engine_patient(ag_engine *g, bool patient)
{
    g->patient = patient;
}

ag_job *ag_engine_submit(ag_engine *g, const ag_transfer_request *r, ag_err *e)
{
    ag_job *j;
    ag_engine_check(g);
    if (g->stopped) {
        (void)ag_fail(e, AG_E_CLOSED, "the engine has ended");
        return NULL;
    }
    if (g->core == NULL)
        g->core = ag_core_start(g, e);
    if (g->core == NULL)
        return NULL;
    j = ag_job_new(g, r, e);
    if (j != NULL)
        ag_core_order(g->core, j, AG_ORDER_SUBMIT, g->patient);
    return j;
}

/* Is there something in it that `ready` has not said yet? */
static bool has_news(ag_job *j)
{
    unsigned news = atomic_load(&j->news);
    bool over;
    if (j->closed)
        return false;
    ag_job_see(j, news);
    over = (j->over || j->lost) && !j->told;
    j->told = j->over || j->lost;
    return over || (news & (AG_NEWS_HEADERS | AG_NEWS_CHUNK | AG_NEWS_NEED)) != 0;
}

static bool take(ag_engine *g)
{
    ag_core *c = g->core;
    if (c == NULL)
        return false;
    if (atomic_load(&c->host_list) == NULL) {
        /* set, but not readable yet: the thread is just about to make it so */
        if (!g->has_wake || g->wake.rd == AG_SOCK_NONE || !atomic_load(&c->host_woken) || !ag_wake_clear(&g->wake))
            return false;
        atomic_store(&c->host_woken, false);
        if (atomic_load(&c->host_list) == NULL)
            return false;
    }
    g->ready = ag_core_take_host(c);
    return true;
}

ag_job *ag_engine_ready(ag_engine *g)
{
    ag_engine_check(g);
    if (g->core != NULL && atomic_load(&g->core->spent) != NULL)
        ag_spare_collect(g, g->core);
    while (g->ready != NULL || take(g)) {
        ag_job *j = g->ready;
        bool give;
        g->ready = j->host_next;
        atomic_store(&j->host_queued, false);
        give = has_news(j);
        ag_job_unref(g, j); /* an open one has its handle's reference too */
        if (give)
            return j;
    }
    return NULL;
}

/* The thread is to set it from now on. */
static void use_wake(ag_engine *g)
{
    g->has_wake = true;
    if (g->core != NULL) {
        g->core->host_wake = g->wake;
        atomic_store(&g->core->has_host_wake, true);
        if (atomic_load(&g->core->host_list) != NULL && !atomic_exchange(&g->core->host_woken, true))
            ag_wake_set(&g->wake);
    }
}

static bool have_wake(ag_engine *g)
{
    if (g->has_wake)
        return g->wake.rd != AG_SOCK_NONE;
    if (!ag_wake_open(&g->wake))
        return false;
    use_wake(g);
    return true;
}

bool ag_engine_descriptor(ag_engine *g, ag_sock *out, ag_err *e)
{
    ag_engine_check(g);
    if (g->stopped)
        return ag_fail(e, AG_E_CLOSED, "the engine has ended");
    if (!have_wake(g))
        return ag_fail(e, AG_E_MEMORY, "no descriptors left");
    *out = g->wake.rd;
    return true;
}

static bool is_ready(const ag_engine *g)
{
    return g->ready != NULL || (g->core != NULL && atomic_load(&g->core->host_list) != NULL);
}

bool ag_engine_wait(ag_engine *g, double seconds)
{
    ag_engine_check(g);
    if (is_ready(g) || !(seconds > 0))
        return is_ready(g);
    if (g->core == NULL) {
        ag_sleep(seconds);
        return false;
    }
    if (!have_wake(g)) {
        ag_sleep(seconds < 0.002 ? seconds : 0.002);
        return is_ready(g);
    }
    if (ag_wake_wait(&g->wake, seconds > 3600 ? 3600000 : (int)(seconds * 1000 + 0.999)) && !is_ready(g) &&
        ag_wake_clear(&g->wake)) /* what it was set for has been taken already */
        atomic_store(&g->core->host_woken, false);
    return is_ready(g);
}

const char *ag_engine_listen(ag_engine *g, ag_err *e)
{
    ag_engine_check(g);
    ag_door_close(&g->door);
    if (g->stopped || (g->has_wake && g->wake.rd != AG_SOCK_NONE)) {
        (void)ag_fail(e, g->stopped ? AG_E_CLOSED : AG_E_HOST, "the engine has ended, or has a descriptor");
        return NULL;
    }
    return ag_door_open(&g->door, e) ? g->door.path : NULL;
}

bool ag_engine_accept(ag_engine *g, ag_err *e)
{
    ag_sock in = ag_door_accept(&g->door);
    if (in == AG_SOCK_NONE)
        return ag_fail(e, AG_E_HOST, "nobody has connected");
    if (!g->has_wake) {
        g->wake.wr = in;
        use_wake(g);
        return true;
    }
    if (!ag_door_replace(g->wake.wr, in)) /* by its number: the thread may be about to write to it */
        return ag_fail(e, AG_E_HOST, "the socket could not be put in its place");
    return true;
}

bool ag_engine_rest(ag_engine *g)
{
    if (g->core != NULL)
        atomic_store(&g->core->host_woken, false); /* first: what comes after it is told */
    return !is_ready(g);
}

void ag_engine_poke(ag_engine *g)
{
    if (g->has_wake)
        ag_wake_set(&g->wake);
}

size_t ag_engine_running(ag_engine *g)
{
    ag_engine_check(g);
    return g->running;
}
