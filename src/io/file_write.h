/* file_write: a file replaced as a whole: a temporary one beside it is written,
 * synced, and given its name. Must never leave the temporary file behind, except
 * when the process is killed; those are found and removed later.
 *
 * A writer holds a lock on its temporary file, so one that can be locked is a
 * dead writer's. */
#ifndef AG_IO_FILE_WRITE_H
#define AG_IO_FILE_WRITE_H

#include <stdbool.h>

#include "core/alloc.h"
#include "core/err.h"
#include "io/sys.h"

/* Where is written; everything borrowed. */
typedef struct ag_file_written {
    const ag_sys *sys;
    int dir;          /* the open directory; syncing it is the caller's */
    const char *name; /* encoded, see file_name.h: the temporary file's begins so */
    const char *path; /* for messages */
} ag_file_written;

/* file: its final name in dir. st: how the file looks in its place (links 0: unknown). */
bool ag_file_write(const ag_file_written *w, const char *file, ag_view bytes, ag_sys_stat *st, ag_err *e);

/* Removes what dead writers left. That it cannot is no matter. */
void ag_file_write_clean(const ag_file_written *w);

#endif
