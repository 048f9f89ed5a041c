/* listener: waits on loopback for the browser to come back with the one expected
 * redirect, whatever strangers send meanwhile. Every wait, buffer and number of
 * connections has a limit. What the bytes mean is decided by core/listen_http.
 * Must never listen anywhere but on loopback, nor put anything of a request into an answer. */
#ifndef AG_IO_LISTENER_H
#define AG_IO_LISTENER_H

#include <stdint.h>

#include "core/alloc.h"
#include "core/err.h"
#include "io/listener_conn.h"
#include "io/sock.h"

#define AG_LISTENER_CONNS 16        /* at once; one more pushes out the least promising */

typedef enum ag_listener_host {
    AG_LISTENER_V4,         /* 127.0.0.1 */
    AG_LISTENER_V6,         /* ::1 */
    AG_LISTENER_BOTH        /* localhost: both, or the one this system has */
} ag_listener_host;

typedef enum ag_listener_got {
    AG_LISTENER_NOTHING,    /* time is over, or a signal arrived */
    AG_LISTENER_TAKEN,      /* target holds "/path?query" until ag_listener_forget */
    AG_LISTENER_FAILED      /* e is set; it is of no more use */
} ag_listener_got;

/* Owned by the caller, who calls open once and free (any number of times) in the end. */
typedef struct ag_listener {
    const ag_alloc *alloc;  /* borrowed */
    ag_sock socks[2];
    unsigned short port;
    ag_str path;
    ag_str state;           /* not there: nothing is taken */
    ag_str target;
    ag_listener_conn conns[AG_LISTENER_CONNS];
    int64_t accept_after;   /* ms; descriptors had run out */
    int64_t shift_ms;       /* added to the clock: tests make time pass */
    bool open;
} ag_listener;

/* Binds; port 0: any free one. path: the redirect URI's. False: e is AG_E_LISTENER or AG_E_MEMORY, nothing is left open. */
bool ag_listener_open(ag_listener *l, const ag_alloc *a, ag_listener_host host, unsigned short port, ag_view path,
                      ag_err *e);
/* From now on the redirect with this state is taken, once. False: out of memory. */
bool ag_listener_expect(ag_listener *l, ag_view state);
/* Serves what comes, for at most ms (0: what is there already). */
ag_listener_got ag_listener_poll(ag_listener *l, int64_t ms, ag_err *e);
void ag_listener_forget(ag_listener *l);    /* wipes the target */
void ag_listener_free(ag_listener *l);

#endif
