/* sock_posix: see sock.h. */
#include "io/sock.h"

#ifndef _WIN32

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/platform.h"

#define BACKLOG 64

#ifdef MSG_NOSIGNAL
#define QUIETLY MSG_NOSIGNAL
#else
#define QUIETLY 0 /* macOS: SO_NOSIGPIPE, below */
#endif

typedef union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} any_address;

/* Linux and the BSDs make sockets as they have to be; on macOS it takes more calls. */
#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
#define AT_BIRTH (SOCK_NONBLOCK | SOCK_CLOEXEC)
#else
#define AT_BIRTH 0
#endif

static bool prepare(int fd)
{
    int flags;
#ifdef SO_NOSIGPIPE
    int yes = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &yes, sizeof yes);
#endif
    if (AT_BIRTH != 0)
        return true;
    flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) >= 0;
}

static socklen_t loopback(bool v6, unsigned short port, any_address *a)
{
    memset(a, 0, sizeof *a);
    if (v6) {
        a->v6.sin6_family = AF_INET6;
        a->v6.sin6_addr = in6addr_loopback;
        a->v6.sin6_port = htons(port);
        return sizeof a->v6;
    }
    a->v4.sin_family = AF_INET;
    a->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a->v4.sin_port = htons(port);
    return sizeof a->v4;
}

/* 0, or errno's. */
static int bind_and_listen(int fd, bool v6, unsigned short *port)
{
    any_address a;
    socklen_t n = loopback(v6, *port, &a);
    int yes = 1;
    if (!prepare(fd))
        return errno;
    /* A port whose last connection has not long been closed; not one where somebody listens. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0)
        return errno;
    if (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) < 0)
        return errno;
    if (bind(fd, &a.any, n) < 0 || listen(fd, BACKLOG) < 0 || getsockname(fd, &a.any, &n) < 0)
        return errno;
    *port = ntohs(v6 ? a.v6.sin6_port : a.v4.sin_port);
    return 0;
}

int ag_sock_listen(bool v6, unsigned short *port, ag_sock *out)
{
    int err, fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | AT_BIRTH, 0);
    *out = AG_SOCK_NONE;
    if (fd < 0)
        return errno;
    err = bind_and_listen(fd, v6, port);
    if (err == 0)
        *out = fd;
    else
        (void)close(fd);
    return err;
}

bool ag_sock_error_in_use(int err)
{
    return err == EADDRINUSE;
}

bool ag_sock_error_no_family(int err)
{
    return err == EAFNOSUPPORT || err == EADDRNOTAVAIL || err == EPROTONOSUPPORT;
}

const char *ag_sock_error_text(int err, char *out, size_t n)
{
    return ag_platform_strerror(err, out, n);
}

ag_sock_accepted ag_sock_accept(ag_sock listening, ag_sock *out)
{
#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
    int fd = accept4(listening, NULL, NULL, AT_BIRTH);
#else
    int fd = accept(listening, NULL, NULL);
#endif
    if (fd >= 0 && !prepare(fd)) {
        (void)close(fd);
        fd = -1;
        errno = ECONNABORTED;
    }
    *out = fd;
    if (fd >= 0)
        return AG_SOCK_ACCEPTED;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        return AG_SOCK_EXHAUSTED;
    return AG_SOCK_NOBODY;
}

static long moved(ssize_t n)
{
    if (n >= 0)
        return (long)n;
    return errno == EAGAIN || errno == EINTR
#if EWOULDBLOCK != EAGAIN
           || errno == EWOULDBLOCK
#endif
           ? AG_SOCK_LATER : AG_SOCK_BROKEN;
}

long ag_sock_recv(ag_sock s, char *p, size_t n)
{
    return moved(recv(s, p, n, 0));
}

long ag_sock_send(ag_sock s, const char *p, size_t n)
{
    return moved(send(s, p, n, QUIETLY));
}

void ag_sock_end(ag_sock s)
{
    (void)shutdown(s, SHUT_WR);
}

void ag_sock_close(ag_sock s)
{
    if (s != AG_SOCK_NONE)
        (void)close(s);
}

int ag_sock_poll(ag_sock_poll_entry *list, size_t n, int ms)
{
    int ready = poll(list, (nfds_t)n, ms);
    if (ready >= 0)
        return ready;
    return errno == EINTR || errno == EAGAIN ? AG_SOCK_LATER : AG_SOCK_BROKEN;
}

#else
typedef int ag_sock_posix_unused; /* ISO C wants something in every file */
#endif
