/* file_lock: see the header. */
#include "io/file_lock.h"

#include "io/file_check.h"
#include "io/platform.h"

/* How often a lock file that is removed under our hands is made again. */
#define TRIES 8

void ag_file_lock_init(ag_file_lock *l)
{
    l->fd = -1;
    l->pid = 0;
}

/* Held by this lock and this process? Lets go of what a fork left behind. */
static bool is_held(ag_file_lock *l, const ag_sys *sys)
{
    if (l->fd < 0)
        return false;
    if (l->pid == ag_platform_pid())
        return true;
    /* A forked child: unlocking would unlock the parent too, so close only. */
    (void)sys->close(sys->ud, l->fd);
    l->fd = -1;
    return false;
}

void ag_file_lock_release(ag_file_lock *l, const ag_sys *sys)
{
    int r;
    if (!is_held(l, sys))
        return;
    /* Said aloud, for a forked child may hold a copy of the descriptor. */
    AG_SYS_RETRY(r, sys->unlock(sys->ud, l->fd));
    (void)r;
    (void)sys->close(sys->ud, l->fd);
    l->fd = -1;
}

static bool look(const ag_sys *sys, int fd, ag_sys_stat *st, const char *path, ag_err *e)
{
    int r;
    AG_SYS_RETRY(r, sys->fstat(sys->ud, fd, st));
    if (r < 0)
        return ag_file_fail(e, errno, "look at", path);
    return ag_file_check(e, st, AG_SYS_FILE, path);
}

/* *gone: the file was removed before it was locked, so the lock excludes nobody. */
static ag_file_lock_got take(const ag_sys *sys, int fd, const char *path, bool *gone, ag_err *e)
{
    ag_sys_stat st;
    int r;
    *gone = false;
    if (!look(sys, fd, &st, path, e))
        return AG_FILE_LOCK_FAILED;
    AG_SYS_RETRY(r, sys->lock(sys->ud, fd));
    if (r < 0 && (errno == EWOULDBLOCK || errno == EAGAIN))
        return AG_FILE_LOCK_BUSY;
    if (r < 0) {
        (void)ag_file_fail(e, errno, "lock", path);
        return AG_FILE_LOCK_FAILED;
    }
    if (!look(sys, fd, &st, path, e))
        return AG_FILE_LOCK_FAILED;
    *gone = st.links == 0;
    return AG_FILE_LOCK_TAKEN;
}

ag_file_lock_got ag_file_lock_try(ag_file_lock *l, const ag_sys *sys, int dir, const char *name, const char *path,
                                  ag_err *e)
{
    ag_file_lock_got got;
    bool gone = true;
    int fd, i;
    if (is_held(l, sys))
        return AG_FILE_LOCK_BUSY;
    for (i = 0; i < TRIES && gone; i++) {
        AG_SYS_RETRY(fd, sys->open(sys->ud, dir, name, AG_SYS_LOCK));
        if (fd < 0) {
            (void)ag_file_fail(e, errno, "open", path);
            return AG_FILE_LOCK_FAILED;
        }
        got = take(sys, fd, path, &gone, e);
        if (got == AG_FILE_LOCK_TAKEN && !gone) {
            l->fd = fd;
            l->pid = ag_platform_pid();
            return got;
        }
        (void)sys->close(sys->ud, fd);
        if (got != AG_FILE_LOCK_TAKEN)
            return got;
    }
    (void)ag_fail(e, AG_E_STORAGE, "the lock file keeps being removed");
    return AG_FILE_LOCK_FAILED;
}
