/* file_store: one client's record in one file, as bytes. A reader finds the old
 * record or the new one, whole, whatever happens while it is written.
 * Must never judge what the bytes say, and never puts them in a message. */
#ifndef AG_IO_FILE_STORE_H
#define AG_IO_FILE_STORE_H

#include "core/alloc.h"
#include "core/err.h"
#include "io/file_lock.h"
#include "io/file_name.h"
#include "io/sys.h"

/* The largest record, in bytes. */
#define AG_FILE_STORE_MAX ((size_t)1 << 20)

typedef enum ag_file_seen { AG_FILE_UNSEEN, AG_FILE_MISSING, AG_FILE_THERE } ag_file_seen;

/* Everything in it is its own, but for alloc and sys, which are borrowed. */
typedef struct ag_file_store {
    const ag_alloc *alloc;
    const ag_sys *sys;
    ag_str dir;       /* absolute */
    ag_str path;      /* of the record */
    ag_str lock_path;
    char name[AG_FILE_NAME_BUF]; /* encoded */
    ag_file_lock lock;
    ag_file_seen seen; /* what the last get, set or del left or found */
    ag_sys_stat seen_stat;
} ag_file_store;

/* dir: where the files are, NULL for the platform's place; against the current
 * directory of now if it is relative. Nothing is made or opened. On false there is
 * nothing to free; invalid_argument: the name is empty or too long. */
bool ag_file_store_init(ag_file_store *s, const ag_alloc *alloc, const ag_sys *sys, const char *dir, ag_view name,
                        ag_err *e);
void ag_file_store_free(ag_file_store *s); /* lets go of the lock */

/* out (freed by the caller): the record, or 'not there' when there is none. */
bool ag_file_store_get(ag_file_store *s, ag_str *out, ag_err *e);
/* true: the record is on the medium. false: it is the old one or the new one. */
bool ag_file_store_set(ag_file_store *s, ag_view bytes, ag_err *e);
bool ag_file_store_del(ag_file_store *s, ag_err *e); /* none there is fine */

/* Is the record another than the one last got, set or deleted through s? One
 * system call. In doubt: true. */
bool ag_file_store_changed(ag_file_store *s);

/* What is there, for people who look for a mistake. */
typedef struct ag_file_look {
    bool dir_there, dir_read, record_there, record_read; /* _read: others than its owner can */
} ag_file_look;

bool ag_file_store_look(ag_file_store *s, ag_file_look *look, ag_err *e);

/* Takes the lock if nobody holds it, and removes what dead writers left. */
ag_file_lock_got ag_file_store_try_lock(ag_file_store *s, ag_err *e);
void ag_file_store_unlock(ag_file_store *s);

#endif
