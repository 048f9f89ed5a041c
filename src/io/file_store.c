/* file_store: see the header. How a record is written stands in file_write.c. */
#include "io/file_store.h"

#include <string.h>

#include "io/data_dir.h"
#include "io/file_check.h"
#include "io/file_write.h"
#include "io/platform.h"

/* dir + "/" + file */
static bool join(ag_file_store *s, ag_str *to, const char *file)
{
    char path[AG_DATA_DIR_MAX + AG_FILE_NAME_BUF];
    size_t n = s->dir.n, m = strlen(file);
    memcpy(path, s->dir.p, n);
    if (n == 0 || !ag_platform_is_separator(path[n - 1]))
        path[n++] = '/';
    memcpy(path + n, file, m);
    return ag_str_set(s->alloc, to, path, n + m);
}

static bool set_paths(ag_file_store *s, const char *dir)
{
    char file[AG_FILE_NAME_BUF];
    if (!ag_str_set(s->alloc, &s->dir, dir, strlen(dir)))
        return false;
    ag_file_name_record(s->name, file);
    if (!join(s, &s->path, file))
        return false;
    ag_file_name_lock(s->name, file);
    return join(s, &s->lock_path, file);
}

bool ag_file_store_init(ag_file_store *s, const ag_alloc *alloc, const ag_sys *sys, const char *dir, ag_view name,
                        ag_err *e)
{
    char where[AG_DATA_DIR_MAX];
    memset(s, 0, sizeof *s);
    s->alloc = alloc;
    s->sys = sys;
    ag_file_lock_init(&s->lock);
    if (!ag_file_name(name, s->name))
        return ag_fail(e, AG_E_INVALID_ARGUMENT, name.n == 0 ? "is empty" : "is too long for a file's name");
    if (dir == NULL && !ag_data_dir_default(where, e))
        return false;
    if (dir != NULL && (dir[0] == '\0' || !ag_platform_absolute(dir, where, sizeof where)))
        return ag_file_fail(e, dir[0] == '\0' ? ENOENT : ENAMETOOLONG, "use the directory", dir);
    if (set_paths(s, where))
        return true;
    ag_file_store_free(s);
    return ag_fail(e, AG_E_MEMORY, "out of memory");
}

void ag_file_store_free(ag_file_store *s)
{
    ag_file_store_unlock(s);
    ag_str_free(s->alloc, &s->dir);
    ag_str_free(s->alloc, &s->path);
    ag_str_free(s->alloc, &s->lock_path);
}

static void remember(ag_file_store *s, ag_file_seen seen, const ag_sys_stat *st)
{
    s->seen = seen;
    if (st != NULL)
        s->seen_stat = *st;
}

/* Opens the record: *fd is -1 when there is none. */
static bool open_record(ag_file_store *s, int *fd, ag_sys_stat *st, ag_err *e)
{
    char file[AG_FILE_NAME_BUF];
    int dir, r, err;
    *fd = -1;
    if (!ag_data_dir_open(s->sys, s->dir.p, false, &dir, e))
        return false;
    if (dir < 0)
        return true;
    ag_file_name_record(s->name, file);
    AG_SYS_RETRY(*fd, s->sys->open(s->sys->ud, dir, file, AG_SYS_READ));
    err = errno;
    (void)s->sys->close(s->sys->ud, dir);
    if (*fd < 0)
        return err == ENOENT || ag_file_fail(e, err, "open", s->path.p);
    AG_SYS_RETRY(r, s->sys->fstat(s->sys->ud, *fd, st));
    if (r == 0 ? ag_file_check(e, st, AG_SYS_FILE, s->path.p) : ag_file_fail(e, errno, "look at", s->path.p))
        return true;
    (void)s->sys->close(s->sys->ud, *fd);
    *fd = -1;
    return false;
}

/* Reads the n bytes that should be in fd, to p, which has room for one more. */
static bool read_all(ag_file_store *s, int fd, char *p, size_t n, ag_err *e)
{
    size_t have = 0;
    int64_t got;
    do {
        AG_SYS_RETRY(got, s->sys->read(s->sys->ud, fd, p + have, n + 1 - have));
        if (got < 0)
            return ag_file_fail(e, errno, "read", s->path.p);
        have += (size_t)got;
    } while (got > 0 && have <= n);
    if (have == n)
        return true;
    return ag_fail(e, AG_E_STORAGE, "the stored record was written by another while it was read");
}

static bool read_record(ag_file_store *s, int fd, const ag_sys_stat *st, ag_str *out, ag_err *e)
{
    size_t n = (size_t)st->size;
    char *p;
    if (st->size > AG_FILE_STORE_MAX)
        return ag_fail(e, AG_E_STORAGE_DAMAGED, "the stored record is too large to be one of ours");
    p = ag_new0(s->alloc, n + 1);
    if (p == NULL)
        return ag_fail(e, AG_E_MEMORY, "out of memory");
    if (!read_all(s, fd, p, n, e)) {
        ag_free_wiped(s->alloc, p, n + 1);
        return false;
    }
    p[n] = '\0';
    out->p = p;
    out->n = n;
    return true;
}

bool ag_file_store_get(ag_file_store *s, ag_str *out, ag_err *e)
{
    ag_sys_stat st;
    bool ok;
    int fd;
    *out = (ag_str){ NULL, 0 };
    remember(s, AG_FILE_UNSEEN, NULL);
    if (!open_record(s, &fd, &st, e))
        return false;
    if (fd < 0) {
        remember(s, AG_FILE_MISSING, NULL);
        return true;
    }
    ok = read_record(s, fd, &st, out, e);
    (void)s->sys->close(s->sys->ud, fd);
    if (ok)
        remember(s, AG_FILE_THERE, &st);
    return ok;
}

/* What a set would replace: false when that is not a record to be replaced. */
static bool check_target(ag_file_store *s, int dir, const char *file, bool *there, ag_err *e)
{
    ag_sys_stat st;
    int r;
    AG_SYS_RETRY(r, s->sys->stat(s->sys->ud, dir, file, &st));
    *there = r == 0;
    if (r < 0)
        return errno == ENOENT || ag_file_fail(e, errno, "look at", s->path.p);
    return ag_file_check(e, &st, AG_SYS_FILE, s->path.p);
}

bool ag_file_store_set(ag_file_store *s, ag_view bytes, ag_err *e)
{
    char file[AG_FILE_NAME_BUF];
    ag_file_written w = { s->sys, -1, s->name, s->path.p };
    ag_sys_stat st;
    bool there, ok;
    remember(s, AG_FILE_UNSEEN, NULL);
    if (bytes.n > AG_FILE_STORE_MAX)
        return ag_fail(e, AG_E_TOO_LARGE, "the record is larger than the file store takes");
    if (!ag_data_dir_open(s->sys, s->dir.p, true, &w.dir, e))
        return false;
    ag_file_name_record(s->name, file);
    ok = check_target(s, w.dir, file, &there, e);
    /* Before there is a record: where one is, the way to it is on the medium. */
    if (ok && !there)
        ok = ag_data_dir_sync_parents(s->sys, s->dir.p, e);
    ok = ok && ag_file_write(&w, file, bytes, &st, e) && ag_data_dir_sync(s->sys, w.dir, s->dir.p, e);
    (void)s->sys->close(s->sys->ud, w.dir);
    if (ok && st.links == 1)
        remember(s, AG_FILE_THERE, &st);
    return ok;
}

static bool remove_record(ag_file_store *s, int dir, ag_err *e)
{
    char file[AG_FILE_NAME_BUF];
    ag_sys_stat st;
    int r;
    ag_file_name_record(s->name, file);
    AG_SYS_RETRY(r, s->sys->stat(s->sys->ud, dir, file, &st));
    if (r < 0 && errno != ENOENT)
        return ag_file_fail(e, errno, "look at", s->path.p);
    if (r == 0) {
        /* Who may write to it does not matter any more; what it is, does. */
        st.ours = true;
        st.others_write = false;
        if (!ag_file_check(e, &st, AG_SYS_FILE, s->path.p))
            return false;
        AG_SYS_RETRY(r, s->sys->unlink(s->sys->ud, dir, file));
        if (r < 0 && errno != ENOENT)
            return ag_file_fail(e, errno, "remove", s->path.p);
    }
    /* Even if it was gone: who removed it may have died before the sync. */
    return ag_data_dir_sync(s->sys, dir, s->dir.p, e);
}

bool ag_file_store_del(ag_file_store *s, ag_err *e)
{
    bool ok = true;
    int dir;
    remember(s, AG_FILE_UNSEEN, NULL);
    if (!ag_data_dir_open(s->sys, s->dir.p, false, &dir, e))
        return false;
    if (dir >= 0) {
        ok = remove_record(s, dir, e);
        (void)s->sys->close(s->sys->ud, dir);
    }
    if (ok)
        remember(s, AG_FILE_MISSING, NULL);
    return ok;
}

bool ag_file_store_changed(ag_file_store *s)
{
    const ag_sys_stat *old = &s->seen_stat;
    ag_sys_stat now;
    if (s->seen == AG_FILE_UNSEEN)
        return true;
    if (s->sys->stat(s->sys->ud, AG_SYS_NO_DIR, s->path.p, &now) != 0)
        return errno != ENOENT || s->seen != AG_FILE_MISSING;
    return s->seen != AG_FILE_THERE || now.dev != old->dev || now.ino != old->ino || now.size != old->size ||
           now.mtime_ns != old->mtime_ns || now.ctime_ns != old->ctime_ns;
}

bool ag_file_store_look(ag_file_store *s, ag_file_look *look, ag_err *e)
{
    ag_sys_stat st;
    int dir, r;
    memset(look, 0, sizeof *look);
    if (!ag_data_dir_open(s->sys, s->dir.p, false, &dir, e))
        return false;
    if (dir < 0)
        return true;
    AG_SYS_RETRY(r, s->sys->fstat(s->sys->ud, dir, &st));
    (void)s->sys->close(s->sys->ud, dir);
    if (r < 0)
        return ag_file_fail(e, errno, "look at", s->dir.p);
    look->dir_there = true;
    look->dir_read = st.others_read;
    AG_SYS_RETRY(r, s->sys->stat(s->sys->ud, AG_SYS_NO_DIR, s->path.p, &st));
    if (r < 0)
        return errno == ENOENT || ag_file_fail(e, errno, "look at", s->path.p);
    look->record_there = true;
    look->record_read = st.others_read;
    return ag_file_check(e, &st, AG_SYS_FILE, s->path.p);
}

ag_file_lock_got ag_file_store_try_lock(ag_file_store *s, ag_err *e)
{
    char file[AG_FILE_NAME_BUF];
    ag_file_lock_got got;
    ag_file_written w = { s->sys, -1, s->name, s->path.p };
    if (!ag_data_dir_open(s->sys, s->dir.p, true, &w.dir, e))
        return AG_FILE_LOCK_FAILED;
    ag_file_name_lock(s->name, file);
    got = ag_file_lock_try(&s->lock, s->sys, w.dir, file, s->lock_path.p, e);
    if (got == AG_FILE_LOCK_TAKEN)
        ag_file_write_clean(&w);
    (void)s->sys->close(s->sys->ud, w.dir);
    return got;
}

void ag_file_store_unlock(ag_file_store *s)
{
    ag_file_lock_release(&s->lock, s->sys);
}
