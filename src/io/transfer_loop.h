/* transfer_loop: a pool as the engine's thread moves it: all its transfers at once, by
 * what a poller says, with connections that are shared. Must never look at all
 * transfers where one has changed. Nothing here waits but ag_loop_wait. */
#ifndef AG_IO_TRANSFER_LOOP_H
#define AG_IO_TRANSFER_LOOP_H

#include "io/engine_poll.h"
#include "io/transfer.h"
#include "io/transfer_buffer.h"

enum { AG_LOOP_EVENTS = 64 };

/* A pool without settings of its own; the poller is borrowed for its life. ag_transfer_step is not for its transfers. */
ag_pool *ag_loop_new(const ag_alloc *a, ag_poller *poller, ag_err *e);
void ag_loop_limits(ag_pool *p, long total, long per_host);     /* connections */
/* Waits at most ms (< 0: for ever) for sockets and libcurl's timers. How many events are in out; ag_loop_work does what
 * there is to do. */
size_t ag_loop_wait(ag_pool *p, int ms, ag_poll_event out[AG_LOOP_EVENTS]);
/* True: `wake`, which is in the poller, is among the events. */
bool ag_loop_work(ag_pool *p, const ag_poll_event *events, size_t n, ag_sock wake);
/* Next of those that may have something to say (ag_transfer_peek); each once. NULL: none. */
ag_transfer *ag_loop_changed(ag_pool *p);
/* Is a request to this URL to wait, since another one makes the connection that it would share? */
bool ag_loop_must_wait(const ag_pool *p, ag_view url);
bool ag_loop_released(ag_pool *p);          /* may some that had to wait go on? Once each. */
ag_transfer *ag_loop_any(ag_pool *p);       /* one that is not ended; NULL: none */
/* In a forked child: closes the sockets, frees nothing, for the thread may have been anywhere. */
void ag_loop_abandon(ag_pool *p);

void ag_transfer_set_owner(ag_transfer *t, void *owner);
void *ag_transfer_owner(const ag_transfer *t);
ag_step ag_transfer_peek(ag_transfer *t);
/* To be called when something was taken or fed: takes back the pauses whose reason is gone. */
void ag_transfer_resume(ag_transfer *t);
void ag_transfer_time_out(ag_transfer *t);
/* Exchanges the buffers: what has come is the caller's then, of the same allocator. */
void ag_transfer_swap_headers(ag_transfer *t, ag_buffer *with);
void ag_transfer_swap_body(ag_transfer *t, ag_buffer *with);

#endif
