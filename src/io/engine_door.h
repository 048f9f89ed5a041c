/* engine_door: a way in for a host that can wait for nothing but a stream socket which it connects
 * itself (nginx): a unix socket in a directory of its own, mode 0700, both of which are gone again
 * as soon as the host is in. Must never wait, nor let in anybody but this process. */
#ifndef AG_IO_ENGINE_DOOR_H
#define AG_IO_ENGINE_DOOR_H

#include "core/err.h"
#include "io/sock.h"

typedef struct ag_door {
    ag_sock listening;      /* AG_SOCK_NONE: no door */
    char dir[64];
    char path[96];          /* of the socket, in dir */
} ag_door;

bool ag_door_open(ag_door *d, ag_err *e);
/* Who is in, or AG_SOCK_NONE; the door is closed in either case. */
ag_sock ag_door_accept(ag_door *d);
/* Puts `by` in the place of s, in one step for every thread that uses s; `by` as such is closed. */
bool ag_door_replace(ag_sock s, ag_sock by);
void ag_door_close(ag_door *d); /* does nothing if there is none */

#endif
