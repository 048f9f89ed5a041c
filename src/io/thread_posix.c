/* thread_posix: see thread.h. */
#include "io/thread.h"

#ifndef _WIN32

#include <signal.h>
#include <stddef.h>

/* libcurl, OpenSSL and the callbacks take a small part of it; the default can be 8 MiB, or 128 KiB. */
enum { STACK = 1024 * 1024 };

static void *begin(void *arg)
{
    ag_thread *t = arg;
    t->fn(t->arg);
    return NULL;
}

bool ag_thread_start(ag_thread *t, void (*fn)(void *), void *arg)
{
    pthread_attr_t attr;
    sigset_t all, old;
    int err;
    t->fn = fn;
    t->arg = arg;
    if (pthread_attr_init(&attr) != 0)
        return false;
    (void)pthread_attr_setstacksize(&attr, STACK);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old); /* the new one inherits this */
    err = pthread_create(&t->id, &attr, begin, t);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void)pthread_attr_destroy(&attr);
#if defined(__linux__) && defined(__GLIBC__)
    if (err == 0)
        (void)pthread_setname_np(t->id, "authgear");
#endif
    return err == 0;
}

void ag_thread_join(ag_thread *t)
{
    (void)pthread_join(t->id, NULL);
}

#else
typedef int ag_thread_posix_unused; /* ISO C wants something in every file */
#endif
