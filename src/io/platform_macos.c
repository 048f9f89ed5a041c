/* platform_macos: the platform's answers on macOS (and iOS). Written by care: it
 * has not been run. */
#include "io/platform.h"

#ifdef __APPLE__

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sysctl.h>
#include <time.h>
#include <unistd.h>

static bool clock_ms(clockid_t id, int64_t *ms)
{
    struct timespec t;
    if (clock_gettime(id, &t) != 0)
        return false;
    *ms = (int64_t)t.tv_sec * 1000 + (int64_t)(t.tv_nsec / 1000000);
    return true;
}

bool ag_platform_now(int64_t *boot_ms, int64_t *wall_ms)
{
    /* Here, other than on Linux, CLOCK_MONOTONIC goes on while the system sleeps. */
    return clock_ms(CLOCK_MONOTONIC, boot_ms) && clock_ms(CLOCK_REALTIME, wall_ms);
}

bool ag_platform_boot_id(char out[40])
{
    size_t n = 40;
    memset(out, 0, n);
    if (sysctlbyname("kern.bootsessionuuid", out, &n, NULL, 0) != 0)
        out[0] = '\0';
    out[39] = '\0';
    return out[0] != '\0';
}

/* Copies dir and rest to out, without the slashes at the end of dir. */
static bool join(const char *dir, const char *rest, char *out, size_t n)
{
    size_t len = strlen(dir);
    while (len > (rest[0] == '/' ? 0u : 1u) && dir[len - 1] == '/')
        len--;
    if (len + strlen(rest) + 1 > n) {
        if (n > 0)
            out[0] = '\0';
        return false;
    }
    memcpy(out, dir, len);
    memcpy(out + len, rest, strlen(rest) + 1);
    return true;
}

bool ag_platform_data_dir(char *out, size_t n)
{
    static const char below[] = "/Library/Application Support";
    struct passwd entry, *found = NULL;
    char names[1024];
    const char *home = issetugid() ? NULL : getenv("HOME");
    if (home != NULL && home[0] == '/')
        return join(home, below, out, n);
    if (getpwuid_r(geteuid(), &entry, names, sizeof names, &found) == 0 && found != NULL &&
        found->pw_dir != NULL && found->pw_dir[0] == '/')
        return join(found->pw_dir, below, out, n);
    if (n > 0)
        out[0] = '\0';
    return false;
}

bool ag_platform_absolute(const char *path, char *out, size_t n)
{
    size_t len;
    if (path[0] == '/')
        return join(path, "", out, n);
    if (n < 2 || getcwd(out, n - 1) == NULL || out[0] != '/')
        return false;
    len = strlen(out);
    if (out[len - 1] != '/')
        out[len++] = '/';
    return join(path, "", out + len, n - len);
}

bool ag_platform_is_separator(char c)
{
    return c == '/';
}

long ag_platform_pid(void)
{
    return (long)getpid();
}

const char *ag_platform_strerror(int err, char *out, size_t n)
{
    if (strerror_r(err, out, n) != 0)
        (void)snprintf(out, n, "error %d", err);
    return out;
}

int ag_platform_fsync(int fd)
{
    /* fsync stops at the drive's cache here. Not every file system has the better call. */
    if (fcntl(fd, F_FULLFSYNC) == 0)
        return 0;
    return fsync(fd);
}

int ag_platform_random(void *out, size_t n)
{
    return getentropy(out, n);
}

#else
typedef int ag_platform_macos_unused; /* ISO C wants something in every file */
#endif
