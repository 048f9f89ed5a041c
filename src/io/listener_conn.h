/* listener_conn: one connection of the loopback listener, from its first byte to its
 * end: read the request, answer it, let the other side read the answer. Never waits.
 * Must never put anything of a request into an answer. */
#ifndef AG_IO_LISTENER_CONN_H
#define AG_IO_LISTENER_CONN_H

#include <stdint.h>

#include "core/alloc.h"
#include "core/buf.h"
#include "io/sock.h"

#define AG_LISTENER_READ_MS 10000   /* for a whole request */
#define AG_LISTENER_END_MS 2000     /* for the answer to be fetched, and again for the other side to hang up */

typedef enum ag_listener_stage {
    AG_CONN_FREE,
    AG_CONN_READ,
    AG_CONN_WRITE,
    AG_CONN_DRAIN       /* answered; a close now, with bytes unread, would take the answer back */
} ag_listener_stage;

typedef struct ag_listener_conn {
    ag_sock sock;
    ag_listener_stage stage;
    bool taken;         /* it brought the redirect */
    int64_t since;      /* ms: when it came */
    int64_t until;      /* ms: when this stage ends it */
    ag_buf in;          /* in stage READ; wiped afterwards */
    char answer[768];
    size_t answer_n, answer_sent;
    size_t drained;
} ag_listener_conn;

/* What a connection needs to know of its listener; all borrowed. */
typedef struct ag_listener_wish {
    const ag_alloc *alloc;
    ag_view path;
    ag_str *state;      /* wiped as soon as the redirect is taken */
    ag_str *target;     /* set then */
} ag_listener_wish;

void ag_listener_conn_begin(ag_listener_conn *c, const ag_alloc *a, ag_sock s, int64_t now);
/* Does all that can be done without waiting. */
void ag_listener_conn_move(ag_listener_conn *c, const ag_listener_wish *wish, int64_t now);
void ag_listener_conn_close(ag_listener_conn *c);
/* The lower, the less is lost with it. */
int ag_listener_conn_worth(const ag_listener_conn *c);

#endif
