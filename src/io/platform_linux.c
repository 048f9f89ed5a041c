/* platform_linux: the platform's answers on Linux (and Android). What is the same on macOS stands in platform_posix.c.
 * Must be nothing on other systems. */
#include "io/platform.h"

#ifdef __linux__

#ifndef _GNU_SOURCE
#error "compile with -D_GNU_SOURCE"
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "io/platform_posix.h"

bool ag_platform_now(int64_t *boot_ms, int64_t *wall_ms)
{
    /* CLOCK_MONOTONIC stands still while a laptop sleeps; a token does not. */
    return ag_posix_clock_ms(CLOCK_BOOTTIME, boot_ms) && ag_posix_clock_ms(CLOCK_REALTIME, wall_ms);
}

static void read_boot_id(char out[40])
{
    ssize_t n = -1;
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        do
            n = read(fd, out, 39);
        while (n < 0 && errno == EINTR);
        (void)close(fd);
    }
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
}

bool ag_platform_boot_id(char out[40])
{
    /* 0: not read, 1: being kept, 2: kept. A thread that loses the race uses what it read itself. */
    static atomic_int state;
    static char kept[40];
    int unread = 0;
    if (atomic_load_explicit(&state, memory_order_acquire) == 2) {
        memcpy(out, kept, sizeof kept);
        return true;
    }
    memset(out, 0, sizeof kept);
    read_boot_id(out);
    if (out[0] == '\0')
        return false;
    if (atomic_compare_exchange_strong(&state, &unread, 1)) {
        memcpy(kept, out, sizeof kept);
        atomic_store_explicit(&state, 2, memory_order_release);
    }
    return true;
}

bool ag_platform_data_dir(char *out, size_t n)
{
    const char *dir = secure_getenv("XDG_DATA_HOME");
    /* The XDG specification: a relative path in it is to be ignored. */
    if (dir != NULL && dir[0] == '/')
        return ag_posix_join(dir, "", out, n);
    return ag_posix_home_dir(secure_getenv("HOME"), "/.local/share", out, n);
}

/* strerror_r is two functions: glibc's returns the text, POSIX's (musl) a number. */
static inline const char *text_given(const char *result, const char *buffer)
{
    (void)buffer;
    return result;
}

static inline const char *text_written(int result, const char *buffer)
{
    (void)result;
    return buffer;
}

const char *ag_platform_strerror(int err, char *out, size_t n)
{
    char text[128] = "";
    const char *found = _Generic(strerror_r(err, text, sizeof text),
                                 char *: text_given,
                                 default: text_written)(strerror_r(err, text, sizeof text), text);
    (void)snprintf(out, n, "%s", found);
    return out;
}

int ag_platform_fsync(int fd)
{
    return fsync(fd);
}

int ag_platform_random(void *out, size_t n)
{
    ssize_t got;
    do
        got = getrandom(out, n, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -1;
    if ((size_t)got == n)
        return 0;
    errno = EIO;
    return -1;
}

#else
typedef int ag_platform_linux_unused; /* ISO C wants something in every file */
#endif
