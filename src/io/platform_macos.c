/* platform_macos: the platform's answers on macOS (and iOS). Written by care: it
 * has not been run. */
#include "io/platform.h"

#ifdef __APPLE__

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sysctl.h>
#include <time.h>
#include <unistd.h>

#include "io/platform_posix.h"

bool ag_platform_now(int64_t *boot_ms, int64_t *wall_ms)
{
    /* Here, other than on Linux, CLOCK_MONOTONIC goes on while the system sleeps. */
    return ag_posix_clock_ms(CLOCK_MONOTONIC, boot_ms) && ag_posix_clock_ms(CLOCK_REALTIME, wall_ms);
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

bool ag_platform_data_dir(char *out, size_t n)
{
    static const char below[] = "/Library/Application Support";
    return ag_posix_home_dir(issetugid() ? NULL : getenv("HOME"), below, out, n);
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
