/* engine_wake_posix: see engine_wake.h. */
#include "io/engine_wake.h"

#ifndef _WIN32

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/eventfd.h>
#endif

#ifdef __linux__
bool ag_wake_open(ag_wake *w)
{
    w->rd = w->wr = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return w->rd >= 0;
}
#else
static bool prepare(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) >= 0;
}

bool ag_wake_open(ag_wake *w)
{
    int fds[2];
    if (pipe(fds) != 0) {
        w->rd = w->wr = AG_SOCK_NONE;
        return false;
    }
    w->rd = fds[0];
    w->wr = fds[1];
    if (prepare(w->rd) && prepare(w->wr))
        return true;
    ag_wake_close(w);
    return false;
}
#endif

void ag_wake_close(ag_wake *w)
{
    if (w->rd != AG_SOCK_NONE)
        (void)close(w->rd);
    if (w->wr != AG_SOCK_NONE && w->wr != w->rd)
        (void)close(w->wr);
    w->rd = w->wr = AG_SOCK_NONE;
}

void ag_wake_set(const ag_wake *w)
{
    static const uint64_t one = 1;
    /* a full one is set already */
    while (write(w->wr, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

bool ag_wake_clear(const ag_wake *w)
{
    char buf[64];
    bool was = false;
    ssize_t n;
    do {
        n = read(w->rd, buf, sizeof buf);
        was = was || n > 0;
    } while ((n < 0 && errno == EINTR) || n == (ssize_t)sizeof buf);
    return was;
}

bool ag_wake_wait(const ag_wake *w, int ms)
{
    struct pollfd p = { .fd = w->rd, .events = POLLIN };
    return poll(&p, 1, ms) > 0;
}

#else
typedef int ag_engine_wake_posix_unused; /* ISO C wants something in every file */
#endif
