/* file_lock: an advisory lock on a file of its own, which is never renamed or
 * removed. It ends with its holder, however that ends. Two locks of one process
 * exclude each other as those of two processes do. Must never wait.
 *
 * A child forked (without exec) while the lock is held shares the system's lock:
 * in the child it counts as not held, and letting go of it there closes the
 * child's descriptor only. Until the child does that or ends, the lock survives
 * a parent that dies without unlocking. On NFS, flock is the system's imitation,
 * which does not keep two handles of one process apart. */
#ifndef AG_IO_FILE_LOCK_H
#define AG_IO_FILE_LOCK_H

#include "core/err.h"
#include "io/sys.h"

typedef struct ag_file_lock {
    int fd;   /* -1: not held; the lock's own descriptor otherwise */
    long pid; /* who took it */
} ag_file_lock;

typedef enum ag_file_lock_got {
    AG_FILE_LOCK_FAILED, /* e says why */
    AG_FILE_LOCK_TAKEN,  /* it is ours now */
    AG_FILE_LOCK_BUSY    /* another holds it, or this one already does */
} ag_file_lock_got;

void ag_file_lock_init(ag_file_lock *l);

/* name: the lock file's in the open directory dir; path: for messages. */
ag_file_lock_got ag_file_lock_try(ag_file_lock *l, const ag_sys *sys, int dir, const char *name, const char *path,
                                  ag_err *e);

/* Not held is fine. Cannot fail: closing ends the lock in any case. */
void ag_file_lock_release(ag_file_lock *l, const ag_sys *sys);

#endif
