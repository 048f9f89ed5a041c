/* engine_exit: a process may end without its Lua states being closed. OpenSSL and others give
 * up what they hold in exit handlers, and must not find our threads at work then: so one of
 * ours, which runs before those set up earlier, ends the threads. Must never wait for longer
 * than that takes: milliseconds. */
#include "io/curl_global.h"
#include "io/engine_private.h"

static void halt(ag_core *c)
{
    if (c->joined)
        return;
    c->joined = true;
    atomic_store(&c->stop, true);
    ag_wake_set(&c->own_wake);
    ag_thread_join(&c->thread);
}

#ifdef _WIN32
/* There the other threads are ended before any exit handler of a library runs. */
bool ag_exit_register(ag_core *c)
{
    (void)c;
    return true;
}

void ag_exit_join(ag_core *c)
{
    halt(c);
}
#else
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ag_core *live;       /* under the lock, with `joined` of each */
static bool is_set_up;

static void acquire(void)
{
    (void)pthread_mutex_lock(&lock);
}

static void release(void)
{
    (void)pthread_mutex_unlock(&lock);
}

static void on_exit_(void)
{
    ag_core *c;
    acquire();
    for (c = live; c != NULL; c = c->next_live)
        if (c->forks == ag_curl_forks())
            halt(c);
    release();
}

static void set_up(void)
{
    is_set_up = pthread_atfork(acquire, release, release) == 0 && atexit(on_exit_) == 0;
}

bool ag_exit_register(ag_core *c)
{
    (void)pthread_once(&once, set_up);
    if (!is_set_up)
        return false;
    acquire();
    c->next_live = live;
    live = c;
    release();
    return true;
}

void ag_exit_join(ag_core *c)
{
    ag_core **at = &live;
    acquire();
    while (*at != NULL && *at != c)
        at = &(*at)->next_live;
    if (*at != NULL)
        *at = c->next_live;
    halt(c);
    release();
}
#endif
