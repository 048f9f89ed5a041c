/* sys: the system calls of the file store, as a table that is handed in, so
 * that a test can make any of them fail. One entry is one system call (or the
 * nearest a system has); what to do about an error is the caller's business.
 * Must never retry, decide, or hold state.
 *
 * Every entry gives -1 and sets errno when it fails. */
#ifndef AG_IO_SYS_H
#define AG_IO_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In place of a directory: the name is a whole path. */
#define AG_SYS_NO_DIR (-1)

typedef enum ag_sys_how {
    AG_SYS_READ, /* to read what is there */
    AG_SYS_NEW,  /* a new file to write, mode 0600; EEXIST: the name is taken */
    AG_SYS_LOCK  /* the lock file: made, mode 0600, when it is not there */
} ag_sys_how;

typedef enum ag_sys_type { AG_SYS_FILE, AG_SYS_DIR, AG_SYS_LINK, AG_SYS_OTHER } ag_sys_type;

typedef struct ag_sys_stat {
    uint64_t dev, ino, size, links;
    int64_t mtime_ns, ctime_ns;
    ag_sys_type type;
    bool ours;         /* owned by this process's user, or by the system's */
    bool others_write; /* its group or everybody may write to it */
    bool others_read;  /* its group or everybody may read it, or, of a directory, see what is in it */
} ag_sys_stat;

typedef struct ag_sys {
    void *ud;
    /* Opened things are never inherited by another program (close-on-exec), are
     * never found through a symbolic link (ELOOP), and opening never waits. */
    int (*open_dir)(void *ud, const char *path);
    int (*open)(void *ud, int dir, const char *name, ag_sys_how how);
    int (*close)(void *ud, int fd);
    int (*mkdir)(void *ud, const char *path); /* mode 0700 */
    int (*fstat)(void *ud, int fd, ag_sys_stat *st);
    int (*stat)(void *ud, int dir, const char *name, ag_sys_stat *st); /* of the link itself */
    int64_t (*read)(void *ud, int fd, void *p, size_t n);
    int64_t (*write)(void *ud, int fd, const void *p, size_t n);
    int (*fsync)(void *ud, int fd);
    int (*fsync_dir)(void *ud, int fd);
    int (*touch)(void *ud, int fd); /* changed now, in nanoseconds, not in the kernel's ticks */
    int (*rename)(void *ud, int dir, const char *from, const char *to); /* replaces to */
    int (*unlink)(void *ud, int dir, const char *name);
    int (*lock)(void *ud, int fd); /* whole file, not waiting; EWOULDBLOCK: held by another */
    int (*unlock)(void *ud, int fd);
    /* Calls each for every name; a name may be unlinked by it. */
    int (*list)(void *ud, int dir, void (*each)(void *arg, const char *name), void *arg);
    int (*random)(void *ud, void *out, size_t n);
} ag_sys;

/* The system's own calls: sys.c has POSIX's, platform_windows.c those of Windows. */
extern const ag_sys ag_sys_real;

#endif
