/* data_dir: the directory the records live in: where it is, made when it is
 * missing, and checked each time it is opened. Must never keep it open itself. */
#ifndef AG_IO_DATA_DIR_H
#define AG_IO_DATA_DIR_H

#include "core/err.h"
#include "io/sys.h"

/* Longest path of a directory, with its NUL. */
#define AG_DATA_DIR_MAX 4096

/* Where records go unless the user says otherwise: "authgear" in the platform's
 * data directory. Nothing is made. false: there is no such directory. */
bool ag_data_dir_default(char out[AG_DATA_DIR_MAX], ag_err *e);

/* Opens the directory path (absolute) into *fd, which the caller closes. Missing:
 * with make it is made, mode 0700, and what leads to it as well; without, *fd is
 * -1 and the answer true. storage_insecure: a symbolic link, another user's, or
 * others may write to it. */
bool ag_data_dir_open(const ag_sys *sys, const char *path, bool make, int *fd, ag_err *e);

/* Makes it certain that names made, replaced or removed in the open directory fd
 * are so after a power cut. A file system that cannot sync directories passes. */
bool ag_data_dir_sync(const ag_sys *sys, int fd, const char *path, ag_err *e);

/* Makes it certain that the directory path itself is found after a power cut:
 * syncs every directory that leads to it, for who made one of them may have died
 * before syncing anything. One that we may not look into ends it: not ours to make. */
bool ag_data_dir_sync_parents(const ag_sys *sys, const char *path, ag_err *e);

#endif
