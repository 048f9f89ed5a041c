/* engine_poll: waiting for many sockets at once, told once of each. epoll on Linux,
 * poll elsewhere (and with -DAG_ENGINE_POLL, to test that). One thread's. Must never
 * own a socket. */
#ifndef AG_IO_ENGINE_POLL_H
#define AG_IO_ENGINE_POLL_H

#include "core/alloc.h"
#include "io/sock.h"

enum { AG_POLL_IN = 1, AG_POLL_OUT = 2, AG_POLL_ERROR = 4 };

typedef struct ag_poll_event {
    ag_sock sock;
    int events;
} ag_poll_event;

typedef struct ag_poller ag_poller;

/* NULL: out of memory or descriptors. */
ag_poller *ag_poller_new(const ag_alloc *a);
/* In a forked child this leaves the parent's waiting as it is. */
void ag_poller_free(ag_poller *p);
/* events: what to wait for; 0: no longer for this one. known: it is being waited for already.
 * False: out of memory; nothing changed. */
bool ag_poller_set(ag_poller *p, ag_sock s, int events, bool known);
/* Waits at most ms (< 0: for ever). How many events are in out, which has room for n; 0: the time is over, or a signal. */
size_t ag_poller_wait(ag_poller *p, int ms, ag_poll_event *out, size_t n);

#endif
