/* file_check: which files may be trusted, and what a failed system call means.
 * Must never touch a file itself, and its messages never hold what is in one. */
#ifndef AG_IO_FILE_CHECK_H
#define AG_IO_FILE_CHECK_H

#include <errno.h>
#include <stdbool.h>

#include "core/err.h"
#include "io/sys.h"

/* A call that a signal cut short is made again. Not for rename, which may have
 * been done all the same, nor for close, after which the descriptor is gone. */
#define AG_SYS_RETRY(result, call) \
    do { \
        (result) = (call); \
    } while ((result) < 0 && errno == EINTR)

/* "cannot DOING PATH: what errno says". Code storage, or storage_insecure when
 * a symbolic link stood in the way. Always false. */
bool ag_file_fail(ag_err *e, int err, const char *doing, const char *path);

/* Is this one of the type wanted, ours, and written by nobody else? If not:
 * false, storage_insecure. */
bool ag_file_check(ag_err *e, const ag_sys_stat *st, ag_sys_type want, const char *path);

#endif
