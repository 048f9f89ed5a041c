/* sys: the table of system calls filled with POSIX's own (Linux and macOS;
 * Windows has its table in platform_windows_sys.c). Must never decide anything. */
#include "io/sys.h"

#ifndef _WIN32

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io/platform.h"

#ifdef __APPLE__
#define MTIME(st) (st)->st_mtimespec
#define CTIME(st) (st)->st_ctimespec
#else
#define MTIME(st) (st)->st_mtim
#define CTIME(st) (st)->st_ctim
#endif

/* O_NONBLOCK: a named pipe put in a file's place must not hang us. */
#define OPEN_SAFELY (O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

static int at(int dir)
{
    return dir == AG_SYS_NO_DIR ? AT_FDCWD : dir;
}

static int open_dir(void *ud, const char *path)
{
    (void)ud;
    /* Not O_DIRECTORY: with it Linux calls a symbolic link "not a directory". */
    return open(path, O_RDONLY | OPEN_SAFELY);
}

static int open_file(void *ud, int dir, const char *name, ag_sys_how how)
{
    int flags = O_RDONLY;
    (void)ud;
    if (how == AG_SYS_NEW)
        flags = O_WRONLY | O_CREAT | O_EXCL;
    else if (how == AG_SYS_LOCK)
        flags = O_RDWR | O_CREAT;
    return openat(at(dir), name, flags | OPEN_SAFELY, 0600);
}

static int close_fd(void *ud, int fd)
{
    (void)ud;
    return close(fd);
}

static int make_dir(void *ud, const char *path)
{
    (void)ud;
    return mkdir(path, 0700);
}

static int64_t in_ns(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000000 + (int64_t)t->tv_nsec;
}

static void fill(ag_sys_stat *to, const struct stat *st)
{
    *to = (ag_sys_stat){ 0 };
    to->dev = (uint64_t)st->st_dev;
    to->ino = (uint64_t)st->st_ino;
    to->size = (uint64_t)st->st_size;
    to->links = (uint64_t)st->st_nlink;
    to->mtime_ns = in_ns(&MTIME(st));
    to->ctime_ns = in_ns(&CTIME(st));
    to->type = S_ISREG(st->st_mode)   ? AG_SYS_FILE
               : S_ISDIR(st->st_mode) ? AG_SYS_DIR
               : S_ISLNK(st->st_mode) ? AG_SYS_LINK
                                      : AG_SYS_OTHER;
    to->ours = st->st_uid == geteuid() || st->st_uid == 0;
    to->others_write = (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
    to->others_read = (st->st_mode & (S_IRGRP | S_IROTH | S_IXGRP | S_IXOTH)) != 0;
}

static int stat_fd(void *ud, int fd, ag_sys_stat *to)
{
    struct stat st;
    (void)ud;
    if (fstat(fd, &st) != 0)
        return -1;
    fill(to, &st);
    return 0;
}

static int stat_name(void *ud, int dir, const char *name, ag_sys_stat *to)
{
    struct stat st;
    (void)ud;
    if (fstatat(at(dir), name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return -1;
    fill(to, &st);
    return 0;
}

static int64_t read_fd(void *ud, int fd, void *p, size_t n)
{
    (void)ud;
    return read(fd, p, n);
}

/* A write beyond the process's limit of file sizes (RLIMIT_FSIZE) raises SIGXFSZ in its thread, which ends the process: with
 * a new token half written, and the session lost. While the signal is held back, write says EFBIG instead. */
static int64_t write_fd(void *ud, int fd, const void *p, size_t n)
{
    sigset_t too_large, old, before;
    int64_t put;
    int why, got;
    (void)ud;
    (void)sigemptyset(&too_large);
    (void)sigemptyset(&before);
    (void)sigaddset(&too_large, SIGXFSZ);
    (void)sigpending(&before);
    if (pthread_sigmask(SIG_BLOCK, &too_large, &old) != 0)
        return write(fd, p, n);
    put = write(fd, p, n);
    why = errno;
    if (put < 0 && why == EFBIG && sigismember(&before, SIGXFSZ) != 1 && sigpending(&before) == 0 &&
        sigismember(&before, SIGXFSZ) == 1)
        (void)sigwait(&too_large, &got); /* it is there, and ours: does not wait */
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = why;
    return put;
}

static int sync_fd(void *ud, int fd)
{
    (void)ud;
    return ag_platform_fsync(fd);
}

static int touch_fd(void *ud, int fd)
{
    struct timespec both[2];
    (void)ud;
    if (clock_gettime(CLOCK_REALTIME, &both[0]) != 0)
        return -1;
    both[1] = both[0];
    return futimens(fd, both);
}

static int rename_in(void *ud, int dir, const char *from, const char *to)
{
    (void)ud;
    return renameat(at(dir), from, at(dir), to);
}

static int unlink_in(void *ud, int dir, const char *name)
{
    (void)ud;
    return unlinkat(at(dir), name, 0);
}

static int lock_fd(void *ud, int fd)
{
    (void)ud;
    return flock(fd, LOCK_EX | LOCK_NB);
}

static int unlock_fd(void *ud, int fd)
{
    (void)ud;
    return flock(fd, LOCK_UN);
}

static int list_dir(void *ud, int dir, void (*each)(void *arg, const char *name), void *arg)
{
    struct dirent *entry;
    DIR *all;
    int err, fd = openat(at(dir), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)ud;
    if (fd < 0)
        return -1;
    all = fdopendir(fd);
    if (all == NULL) {
        err = errno;
        (void)close(fd);
        errno = err;
        return -1;
    }
    while (errno = 0, (entry = readdir(all)) != NULL)
        each(arg, entry->d_name);
    err = errno;
    (void)closedir(all);
    errno = err;
    return err == 0 ? 0 : -1;
}

static int random_bytes(void *ud, void *out, size_t n)
{
    (void)ud;
    return ag_platform_random(out, n);
}

const ag_sys ag_sys_real = {
    .open_dir = open_dir,
    .open = open_file,
    .close = close_fd,
    .mkdir = make_dir,
    .fstat = stat_fd,
    .stat = stat_name,
    .read = read_fd,
    .write = write_fd,
    .fsync = sync_fd,
    .fsync_dir = sync_fd,
    .touch = touch_fd,
    .rename = rename_in,
    .unlink = unlink_in,
    .lock = lock_fd,
    .unlock = unlock_fd,
    .list = list_dir,
    .random = random_bytes,
};

#else
typedef int ag_sys_unused; /* ISO C wants something in every file */
#endif
