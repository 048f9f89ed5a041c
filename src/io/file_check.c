/* file_check: see the header. */
#include "io/file_check.h"

#include <string.h>

#include "io/platform.h"

/* A message has 160 bytes: of a long path the end says more than the start. */
#define PATH_SHOWN 80

static const char *shown(const char *path, const char **dots)
{
    size_t n = strlen(path);
    *dots = n > PATH_SHOWN ? "..." : "";
    return n > PATH_SHOWN ? path + (n - PATH_SHOWN) : path;
}

/* Worth another try without anybody having changed anything? */
static bool passes(int err)
{
    switch (err) {
    case EACCES:
    case EPERM:
    case EROFS:
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case ENOSYS:
    case EINVAL:
        return false;
    default:
        return true;
    }
}

static bool insecure(ag_err *e, const char *path, const char *why)
{
    const char *dots, *tail = shown(path, &dots);
    return ag_fail(e, AG_E_STORAGE_INSECURE, "%s%s %s", dots, tail, why);
}

bool ag_file_fail(ag_err *e, int err, const char *doing, const char *path)
{
    char text[56];
    const char *dots, *tail = shown(path, &dots);
    if (err == ELOOP)
        return insecure(e, path, "is a symbolic link");
    (void)ag_fail(e, AG_E_STORAGE, "cannot %s %s%s: %s", doing, dots, tail,
                  ag_platform_strerror(err, text, sizeof text));
    e->retryable = passes(err);
    return false;
}

bool ag_file_check(ag_err *e, const ag_sys_stat *st, ag_sys_type want, const char *path)
{
    if (st->type == AG_SYS_LINK)
        return insecure(e, path, "is a symbolic link");
    if (st->type != want)
        return insecure(e, path, want == AG_SYS_DIR ? "is not a directory" : "is not a regular file");
    if (!st->ours)
        return insecure(e, path, "belongs to another user");
    if (st->others_write)
        return insecure(e, path, "may be written by others");
    return true;
}
