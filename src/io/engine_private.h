/* engine_private: what the files of the engine share, and what its two threads do.
 * Must never be included from outside src/io/engine*.c.
 *
 * Two threads: the host's, which calls io/engine.h, and ours. What both use is atomic; all
 * else in here belongs to one of them, or passes from one to the other:
 *
 * A job is pushed on a list for the other side (host_list: for the host, own_list: for ours)
 * after a bit was set in `news` or `orders`, which says what for. A list is a stack without
 * locks: one side pushes, the other takes all of it at once. `*_queued` keeps a job from
 * standing twice in one. Whoever takes it clears `*_queued` first and reads the bits then, so
 * no bit is overlooked. Nothing is allocated for this, so the end of a job can always be told.
 *
 * A job's parts change hands with the bits: the request is ours from SUBMIT on; status,
 * headers and result are the host's from HEADERS or OVER on; the chunk is the host's from CHUNK
 * until TAKEN. References: the host's handle, ours until OVER was told, and one for each list. Whoever gives back the last
 * one, the memory is the host's then (engine_spare.c). */
#ifndef AG_IO_ENGINE_PRIVATE_H
#define AG_IO_ENGINE_PRIVATE_H

#include <stdatomic.h>

#include "io/engine.h"
#include "io/engine_door.h"
#include "io/engine_heap.h"
#include "io/engine_line.h"
#include "io/engine_poll.h"
#include "io/engine_wake.h"
#include "io/thread.h"
#include "io/transfer_buffer.h"
#include "io/transfer_loop.h"

/* What the host wants of a job. */
enum { AG_ORDER_SUBMIT = 1, AG_ORDER_ACCEPT = 2, AG_ORDER_FEED = 4, AG_ORDER_TAKEN = 8, AG_ORDER_CANCEL = 16 };
/* What there is to tell the host. */
enum { AG_NEWS_HEADERS = 1, AG_NEWS_CHUNK = 2, AG_NEWS_NEED = 4, AG_NEWS_OVER = 8 };

/* A piece of a body on its way, wiped when it has been used. p == end of the struct. */
typedef struct ag_piece {
    struct ag_piece *next;
    size_t n;
    bool last;              /* no bytes: the end of the body */
} ag_piece;

typedef struct ag_core ag_core;

/* When our thread looks at own_list next, unless it is woken. Each state is set before the list is looked at for the last
 * time, and the host pushes before it looks at the state: so what was pushed is seen, or the thread is woken. */
enum { AG_ASLEEP, AG_NAPPING, AG_AWAKE };   /* when it is woken; in a moment; before it waits again */

struct ag_job {
    ag_alloc a;
    atomic_uint refs;
    atomic_uint orders, news;
    atomic_bool own_queued, host_queued;
    ag_job *own_next, *host_next;           /* in the lists; the pusher's, then the taker's */
    _Atomic(ag_piece *) pieces;             /* fed, newest first */
    atomic_int how;                         /* an ag_accept */

    /* handed over as said above */
    ag_transfer_request request;            /* its views are into text */
    ag_buffer text;         /* wiped when the request is done with */
    int status;
    ag_buffer headers, chunk, body;
    const char *version;
    bool secret, collected, sent;

    /* the host's */
    ag_engine *engine;      /* a reference, while the handle is open */
    ag_job *prev, *next;    /* the open ones of the engine */
    uint64_t id;
    size_t tag;
    bool closed;
    bool over;              /* its end was seen */
    bool lost;              /* its end is lost_why: with its thread, or for want of memory */
    bool told;              /* ag_engine_ready has given it for being over */
    bool accepted;
    ag_err_code lost_code;
    const char *lost_why;   /* static */

    /* ours */
    ag_transfer *t;         /* NULL: waits in its line, or is over */
    ag_place place;
    bool done;
    bool headers_told, need_told, chunk_out;
    ag_heap_entry deadline;

    /* handed over with the result; the last, for it is large: but for its code it is left as it was when a job is used again */
    ag_err err;
};

/* What belongs to one thread of ours. */
struct ag_core {
    ag_alloc a;
    _Atomic(ag_job *) own_list, host_list;
    _Atomic(ag_job *) spent;    /* without references, for the host; linked by own_next */
    ag_wake own_wake;       /* made before the thread */
    ag_wake host_wake;      /* the engine's, from has_host_wake on */
    atomic_bool has_host_wake, host_woken;
    atomic_int attention;   /* our thread's: AG_ASLEEP ... */
    atomic_bool own_woken;  /* own_wake is set, or is just being */
    atomic_bool has_patient;    /* an order came that may wait: naps from now on */
    atomic_bool stop;
    atomic_long total, per_host;
    ag_thread thread;
    bool joined;            /* engine_exit.c */
    unsigned forks;
    ag_core *next_live;

    /* ours */
    ag_poller *poller;
    ag_pool *pool;
    ag_heap deadlines;
    ag_lines lines;
    long set_total, set_per_host;
    int64_t nap_until;      /* ms; 0: it sleeps as long as it can */
};

struct ag_engine {
    ag_alloc a;
    unsigned refs;
    bool stopped;
    ag_core *core;          /* NULL: no thread */
    ag_job *jobs;           /* the open ones */
    ag_job *ready;          /* taken from host_list, oldest first; linked by host_next */
    ag_job *spare;          /* owned; linked by next */
    size_t spare_bytes;
    size_t running;
    uint64_t last_id;
    long total, per_host;
    ag_wake wake;           /* made when it is asked for; no rd: wr is a socket that the host reads the other end of */
    bool has_wake;
    bool patient;           /* orders need not wake a thread that naps */
    ag_door door;
};

/* engine_job.c */
ag_job *ag_job_new(ag_engine *g, const ag_transfer_request *r, ag_err *e);
void ag_job_unref(ag_engine *g, ag_job *j);     /* on the host's thread */
void ag_job_unref_own(ag_core *c, ag_job *j);   /* on ours, or once there is none */
void ag_job_wipe_request(ag_job *j);
ag_piece *ag_job_pieces(ag_job *j);         /* oldest first; each is freed with ag_piece_free */
void ag_piece_free(const ag_alloc *a, ag_piece *p);
void ag_job_see(ag_job *j, unsigned news);  /* is it over? */
void ag_job_lose(ag_job *j, ag_err_code code, const char *text);
void ag_job_orphan(ag_job *j);              /* in a forked child: what our thread may have held is left alone */

/* engine.c: has the process been forked since? */
void ag_engine_check(ag_engine *g);

/* engine_list.c */
ag_job *ag_core_take_own(ag_core *c);       /* oldest first, linked by own_next */
ag_job *ag_core_take_host(ag_core *c);
void ag_core_order(ag_core *c, ag_job *j, unsigned order, bool patient);
void ag_core_wake(ag_core *c);
void ag_core_tell(ag_core *c, ag_job *j, unsigned news);
void ag_core_tell_last(ag_core *c, ag_job *j, unsigned news);    /* gives our reference away */

/* engine_core.c */
ag_core *ag_core_start(ag_engine *g, ag_err *e);
void ag_core_stop(ag_core *c, ag_engine *g);    /* joins the thread, frees it */
void ag_core_abandon(ag_core *c);           /* in a forked child */

/* engine_spare.c */
ag_job *ag_spare_take(ag_engine *g, size_t text_n); /* all zero but for its memory and text.n; NULL: out of memory */
void ag_spare_put(ag_engine *g, ag_job *j);         /* owned from now on; nobody else has a reference */
void ag_spare_leave(ag_core *c, ag_job *j);         /* the same on our thread, for the host to collect */
void ag_spare_collect(ag_engine *g, ag_core *c);
void ag_spare_trim(ag_engine *g);                   /* frees what is not worth keeping */

/* engine_loop.c: what the thread does, to its end. */
void ag_core_run(void *core);

/* engine_exit.c: threads are ended before a process's other exit handlers run. */
bool ag_exit_register(ag_core *c);          /* false: out of memory */
void ag_exit_join(ag_core *c);              /* stops and joins its thread, unless that was done; forgets it */

#endif
