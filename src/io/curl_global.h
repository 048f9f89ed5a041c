/* curl_global: what libcurl needs once in a process. Must never undo the global set-up: libcurl's resolver threads may
 * outlive everything else (modules that hold this are linked -z nodelete). */
#ifndef AG_IO_CURL_GLOBAL_H
#define AG_IO_CURL_GLOBAL_H

#include "core/err.h"

bool ag_curl_global_init(ag_err *e);    /* any thread, any number of times */
/* Differs in a forked child from what it was in the parent, once the above has run. Costs no system call. */
unsigned ag_curl_forks(void);
const char *ag_curl_version(void);      /* libcurl's own text, static */

/* Nobody forks meanwhile: what is changed under it is whole in a child. For a moment only. */
void ag_fork_lock(void);
void ag_fork_unlock(void);

/* libcurl before 7.88 lets OpenSSL write to sockets, which raises SIGPIPE when the
 * server is gone; CURLOPT_NOSIGNAL leaves that to us. Around every call that may write. */
typedef struct ag_sigpipe {
    bool blocked, was_pending;
#ifndef _WIN32
    char old[128];          /* a sigset_t; its size is checked where it is used */
#endif
} ag_sigpipe;
void ag_sigpipe_begin(ag_sigpipe *s);
void ag_sigpipe_end(ag_sigpipe *s);

#endif
