/* curl_global: see the header. Must never hold anything of one client. */
#include "io/curl_global.h"

#include <curl/curl.h>
#include <signal.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
#else
#include <pthread.h>
#endif

static CURLcode global_result = CURLE_FAILED_INIT;
static unsigned version_number;
static volatile sig_atomic_t forks;

#ifdef _WIN32
static SRWLOCK fork_lock = SRWLOCK_INIT;

void ag_fork_lock(void)
{
    AcquireSRWLockExclusive(&fork_lock);
}

void ag_fork_unlock(void)
{
    ReleaseSRWLockExclusive(&fork_lock);
}
#else
static pthread_mutex_t fork_lock = PTHREAD_MUTEX_INITIALIZER;

void ag_fork_lock(void)
{
    (void)pthread_mutex_lock(&fork_lock);
}

void ag_fork_unlock(void)
{
    (void)pthread_mutex_unlock(&fork_lock);
}

static void on_fork(void)
{
    forks++;
    ag_fork_unlock();
}
#endif

static void global_init(void)
{
    curl_version_info_data *v;
    global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
    v = curl_version_info(CURLVERSION_NOW);
    version_number = v == NULL ? 0 : v->version_num;
#ifndef _WIN32
    if (pthread_atfork(ag_fork_lock, ag_fork_unlock, on_fork) != 0)
        global_result = CURLE_OUT_OF_MEMORY;
#endif
}

#ifdef _WIN32
static BOOL CALLBACK global_init_once(PINIT_ONCE once, PVOID arg, PVOID *out)
{
    (void)once;
    (void)arg;
    (void)out;
    global_init();
    return TRUE;
}
#endif

bool ag_curl_global_init(ag_err *e)
{
#ifdef _WIN32
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    (void)InitOnceExecuteOnce(&once, global_init_once, NULL, NULL);
#else
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, global_init);
#endif
    if (global_result == CURLE_OK)
        return true;
    return ag_fail(e, AG_E_MEMORY, "libcurl could not be set up (%d)", (int)global_result);
}

unsigned ag_curl_forks(void)
{
    return (unsigned)forks;
}

const char *ag_curl_version(void)
{
    return curl_version();
}

#ifdef _WIN32
void ag_sigpipe_begin(ag_sigpipe *s)
{
    s->blocked = s->was_pending = false;
}

void ag_sigpipe_end(ag_sigpipe *s)
{
    (void)s;
}
#else
_Static_assert(sizeof(sigset_t) <= sizeof ((ag_sigpipe *)0)->old, "ag_sigpipe.old is too small");

void ag_sigpipe_begin(ag_sigpipe *s)
{
    sigset_t set, old;
    s->blocked = s->was_pending = false;
    if (version_number >= 0x075800) /* 7.88.0: every write goes through send(MSG_NOSIGNAL) */
        return;
    if (sigpending(&set) == 0)
        s->was_pending = sigismember(&set, SIGPIPE) == 1;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    if (pthread_sigmask(SIG_BLOCK, &set, &old) != 0)
        return;
    memcpy(s->old, &old, sizeof old);
    s->blocked = true;
}

void ag_sigpipe_end(ag_sigpipe *s)
{
    sigset_t set, old;
    int got;
    if (!s->blocked)
        return;
    if (!s->was_pending && sigpending(&set) == 0 && sigismember(&set, SIGPIPE) == 1) {
        sigemptyset(&set);
        sigaddset(&set, SIGPIPE);
        (void)sigwait(&set, &got); /* pending and blocked: does not wait */
    }
    memcpy(&old, s->old, sizeof old);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}
#endif
