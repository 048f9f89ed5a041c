/* platform_posix: the platform's answers that are the same on every POSIX system, and
 * parts of those that are not. Must know no system by its name. */
#include "io/platform.h"

#ifndef _WIN32

#include <pwd.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/platform_posix.h"

bool ag_posix_clock_ms(clockid_t id, int64_t *ms)
{
    struct timespec t;
    if (clock_gettime(id, &t) != 0)
        return false;
    *ms = (int64_t)t.tv_sec * 1000 + (int64_t)(t.tv_nsec / 1000000);
    return true;
}

bool ag_posix_join(const char *dir, const char *rest, char *out, size_t n)
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

bool ag_posix_home_dir(const char *home, const char *below, char *out, size_t n)
{
    struct passwd entry, *found = NULL;
    char names[1024];
    if (home != NULL && home[0] == '/')
        return ag_posix_join(home, below, out, n);
    if (getpwuid_r(geteuid(), &entry, names, sizeof names, &found) == 0 && found != NULL &&
        found->pw_dir != NULL && found->pw_dir[0] == '/')
        return ag_posix_join(found->pw_dir, below, out, n);
    if (n > 0)
        out[0] = '\0';
    return false;
}

bool ag_platform_absolute(const char *path, char *out, size_t n)
{
    size_t len;
    if (path[0] == '/')
        return ag_posix_join(path, "", out, n);
    if (n < 2 || getcwd(out, n - 1) == NULL || out[0] != '/')
        return false;
    len = strlen(out);
    if (out[len - 1] != '/')
        out[len++] = '/';
    return ag_posix_join(path, "", out + len, n - len);
}

bool ag_platform_is_separator(char c)
{
    return c == '/';
}

long ag_platform_pid(void)
{
    return (long)getpid();
}

#else
typedef int ag_platform_posix_unused; /* ISO C wants something in every file */
#endif
