/* engine_wake: a descriptor by which one thread wakes another that waits for many
 * things. An eventfd on Linux, a pipe elsewhere, on Windows a socket. Set any number of
 * times, it is cleared in one. Must never block. */
#ifndef AG_IO_ENGINE_WAKE_H
#define AG_IO_ENGINE_WAKE_H

#include "io/sock.h"

typedef struct ag_wake {
    ag_sock rd, wr;             /* the same one except for a pipe; rd is readable while it is set */
} ag_wake;

bool ag_wake_open(ag_wake *w);  /* false: no descriptors left */
void ag_wake_close(ag_wake *w);
void ag_wake_set(const ag_wake *w);
bool ag_wake_clear(const ag_wake *w);           /* was it set? */
bool ag_wake_wait(const ag_wake *w, int ms);    /* is it set now, or within ms? A signal ends the wait. */

#endif
