/* data_dir: see the header. */
#include "io/data_dir.h"

#include <string.h>

#include "io/file_check.h"
#include "io/platform.h"

bool ag_data_dir_default(char out[AG_DATA_DIR_MAX], ag_err *e)
{
    static const char own[] = "/authgear";
    size_t n;
    if (!ag_platform_data_dir(out, AG_DATA_DIR_MAX - sizeof own)) {
        (void)ag_fail(e, AG_E_STORAGE, "no data directory is known for this user: give one in dir");
        e->retryable = false;
        return false;
    }
    n = strlen(out);
    if (n > 0 && ag_platform_is_separator(out[n - 1]))
        n--;
    memcpy(out + n, own, sizeof own);
    return true;
}

/* Where the last part of path[0..n) starts being cut off: the end of its parent,
 * 0 when there is none. */
static size_t parent_end(const char *path, size_t n)
{
    while (n > 0 && !ag_platform_is_separator(path[n - 1]))
        n--;
    while (n > 0 && ag_platform_is_separator(path[n - 1]))
        n--;
    return n;
}

bool ag_data_dir_sync(const ag_sys *sys, int fd, const char *path, ag_err *e)
{
    int r;
    AG_SYS_RETRY(r, sys->fsync_dir(sys->ud, fd));
    if (r == 0 || errno == EINVAL || errno == EROFS || errno == ENOTSUP)
        return true;
    return ag_file_fail(e, errno, "sync", path);
}

bool ag_data_dir_sync_parents(const ag_sys *sys, const char *path, ag_err *e)
{
    char parent[AG_DATA_DIR_MAX + 2];
    size_t n = strlen(path);
    bool ok = true;
    int fd;
    if (n >= AG_DATA_DIR_MAX)
        return ag_file_fail(e, ENAMETOOLONG, "sync", path);
    memcpy(parent, path, n + 1);
    while (ok && n > 0) {
        n = parent_end(parent, n);
        /* The dot: what leads to our directory may be a symbolic link, only it may not. */
        memcpy(parent + n, "/.", 3);
        AG_SYS_RETRY(fd, sys->open_dir(sys->ud, parent));
        if (fd < 0)
            return errno == EACCES || errno == EPERM || ag_file_fail(e, errno, "open", parent);
        ok = ag_data_dir_sync(sys, fd, parent, e);
        (void)sys->close(sys->ud, fd);
    }
    return ok;
}

/* One mkdir: 0, or an errno. That it is there already is as good. */
static int make_one(const ag_sys *sys, const char *path)
{
    int r;
    AG_SYS_RETRY(r, sys->mkdir(sys->ud, path));
    return r == 0 || errno == EEXIST ? 0 : errno;
}

static bool make_path(const ag_sys *sys, const char *path, ag_err *e)
{
    char part[AG_DATA_DIR_MAX];
    size_t n = strlen(path), end = n;
    int err;
    if (n >= sizeof part)
        return ag_file_fail(e, ENAMETOOLONG, "make", path);
    memcpy(part, path, n + 1);
    while ((err = make_one(sys, part)) == ENOENT && parent_end(part, end) > 0) {
        end = parent_end(part, end);
        part[end] = '\0';
    }
    while (err == 0 && end < n) {
        part[end] = path[end];
        end += strlen(part + end);
        err = make_one(sys, part);
    }
    return err == 0 || ag_file_fail(e, err, "make", part);
}

static bool check_open(const ag_sys *sys, const char *path, int fd, ag_err *e)
{
    ag_sys_stat st;
    int r;
    AG_SYS_RETRY(r, sys->fstat(sys->ud, fd, &st));
    if (r < 0)
        return ag_file_fail(e, errno, "look at", path);
    return ag_file_check(e, &st, AG_SYS_DIR, path);
}

bool ag_data_dir_open(const ag_sys *sys, const char *path, bool make, int *fd, ag_err *e)
{
    AG_SYS_RETRY(*fd, sys->open_dir(sys->ud, path));
    if (*fd < 0 && errno == ENOENT) {
        if (!make)
            return true;
        if (!make_path(sys, path, e))
            return false;
        AG_SYS_RETRY(*fd, sys->open_dir(sys->ud, path));
    }
    if (*fd < 0)
        return ag_file_fail(e, errno, "open", path);
    if (check_open(sys, path, *fd, e))
        return true;
    (void)sys->close(sys->ud, *fd);
    *fd = -1;
    return false;
}
