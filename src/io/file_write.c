/* file_write: see the header. */
#include "io/file_write.h"

#include "io/file_check.h"
#include "io/file_name.h"

/* How many temporary files a cleaner may take from under us before we give up. */
#define TRIES 8

typedef struct temp_file {
    int fd;
    char name[AG_FILE_NAME_BUF];
} temp_file;

static void drop(const ag_file_written *w, temp_file *t)
{
    int r;
    AG_SYS_RETRY(r, w->sys->unlink(w->sys->ud, w->dir, t->name));
    (void)r;
    (void)w->sys->close(w->sys->ud, t->fd);
    t->fd = -1;
}

/* Locks the new temporary file. *lost: a cleaner took it for a dead writer's in
 * the moment before. */
static bool hold(const ag_file_written *w, const temp_file *t, bool *lost, ag_err *e)
{
    ag_sys_stat st;
    int r;
    AG_SYS_RETRY(r, w->sys->lock(w->sys->ud, t->fd));
    *lost = r < 0 && (errno == EWOULDBLOCK || errno == EAGAIN);
    if (r < 0)
        return ag_file_fail(e, errno, "lock a temporary file for", w->path);
    AG_SYS_RETRY(r, w->sys->fstat(w->sys->ud, t->fd, &st));
    if (r < 0)
        return ag_file_fail(e, errno, "look at a temporary file for", w->path);
    *lost = st.links == 0;
    return !*lost || ag_file_fail(e, EBUSY, "keep a temporary file for", w->path);
}

static bool open_temp(const ag_file_written *w, temp_file *t, ag_err *e)
{
    unsigned char random[AG_FILE_TEMP_RANDOM];
    const ag_sys *sys = w->sys;
    bool lost = true;
    int i;
    for (i = 0; i < TRIES && lost; i++) {
        if (sys->random(sys->ud, random, sizeof random) != 0)
            return ag_file_fail(e, errno, "find a temporary name for", w->path);
        ag_file_name_temp(w->name, random, t->name);
        AG_SYS_RETRY(t->fd, sys->open(sys->ud, w->dir, t->name, AG_SYS_NEW));
        if (t->fd < 0)
            return ag_file_fail(e, errno, "make a temporary file for", w->path);
        if (hold(w, t, &lost, e))
            return true;
        drop(w, t);
    }
    return false;
}

static bool fill(const ag_file_written *w, int fd, ag_view bytes, ag_err *e)
{
    const ag_sys *sys = w->sys;
    int64_t put;
    int r;
    while (bytes.n > 0) {
        AG_SYS_RETRY(put, sys->write(sys->ud, fd, bytes.p, bytes.n));
        if (put <= 0)
            return ag_file_fail(e, put < 0 ? errno : ENOSPC, "write", w->path);
        bytes.p += put;
        bytes.n -= (size_t)put;
    }
    /* The kernel's own times can be milliseconds apart: two records written within
     * one tick would look the same to whoever compares them. No matter if it fails. */
    (void)sys->touch(sys->ud, fd);
    AG_SYS_RETRY(r, sys->fsync(sys->ud, fd));
    return r == 0 || ag_file_fail(e, errno, "sync", w->path);
}

bool ag_file_write(const ag_file_written *w, const char *file, ag_view bytes, ag_sys_stat *st, ag_err *e)
{
    const ag_sys *sys = w->sys;
    temp_file t;
    int r;
    if (!open_temp(w, &t, e))
        return false;
    if (!fill(w, t.fd, bytes, e)) {
        drop(w, &t);
        return false;
    }
    if (sys->rename(sys->ud, w->dir, t.name, file) != 0) {
        (void)ag_file_fail(e, errno, "replace", w->path);
        drop(w, &t);
        return false;
    }
    /* Only now: renaming is a change of its own. It is written in any case. */
    AG_SYS_RETRY(r, sys->fstat(sys->ud, t.fd, st));
    if (r < 0)
        st->links = 0;
    (void)sys->close(sys->ud, t.fd);
    return true;
}

static void clean_one(void *arg, const char *file)
{
    const ag_file_written *w = arg;
    const ag_sys *sys = w->sys;
    int fd, r;
    if (!ag_file_name_is_temp(w->name, file))
        return;
    AG_SYS_RETRY(fd, sys->open(sys->ud, w->dir, file, AG_SYS_READ));
    if (fd < 0)
        return;
    AG_SYS_RETRY(r, sys->lock(sys->ud, fd));
    if (r == 0)
        AG_SYS_RETRY(r, sys->unlink(sys->ud, w->dir, file));
    (void)sys->close(sys->ud, fd);
}

void ag_file_write_clean(const ag_file_written *w)
{
    ag_file_written copy = *w;
    (void)w->sys->list(w->sys->ud, w->dir, clean_one, &copy);
}
