/* engine_door: see engine_door.h. */
#include "io/engine_door.h"

#ifndef _WIN32

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool make_dir(ag_door *d, const char *parent)
{
    int n;
    if (parent == NULL || parent[0] != '/')
        return false;
    n = snprintf(d->dir, sizeof d->dir, "%s/authgear-XXXXXX", parent);
    return n > 0 && (size_t)n < sizeof d->dir && mkdtemp(d->dir) != NULL;
}

/* Wherever this process may make one: a server often has a system of files to itself. */
static bool make_some_dir(ag_door *d)
{
    return make_dir(d, getenv("TMPDIR")) || make_dir(d, "/tmp") || make_dir(d, "/dev/shm") || make_dir(d, "/var/tmp");
}

static bool prepare(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) >= 0;
}

static bool listen_at(ag_door *d)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    (void)snprintf(d->path, sizeof d->path, "%s/news", d->dir);
    if (strlen(d->path) >= sizeof at.sun_path)
        return false;
    (void)memcpy(at.sun_path, d->path, strlen(d->path) + 1);
    d->listening = socket(AF_UNIX, SOCK_STREAM, 0);
    return d->listening >= 0 && prepare(d->listening) && bind(d->listening, (struct sockaddr *)&at, sizeof at) == 0 &&
           listen(d->listening, 4) == 0;
}

bool ag_door_open(ag_door *d, ag_err *e)
{
    *d = (ag_door){ .listening = AG_SOCK_NONE };
    if (!make_some_dir(d)) {
        d->dir[0] = '\0';
        return ag_fail(e, AG_E_HOST, "no directory for a socket could be made in TMPDIR, /tmp, /dev/shm or /var/tmp");
    }
    if (listen_at(d))
        return true;
    ag_door_close(d);
    return ag_fail(e, AG_E_HOST, "no unix socket could be made");
}

/* The directory keeps other users out; this, other processes of ours. */
static bool is_this_process(int fd)
{
#ifdef SO_PEERCRED
    struct ucred peer;
    socklen_t n = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && peer.pid == getpid();
#else
    return fd >= 0;
#endif
}

ag_sock ag_door_accept(ag_door *d)
{
    int fd = AG_SOCK_NONE;
    if (d->listening == AG_SOCK_NONE)
        return fd;
    do {
        if (fd >= 0)
            (void)close(fd);
        fd = accept(d->listening, NULL, NULL);
    } while (fd >= 0 && !(is_this_process(fd) && prepare(fd)));
    ag_door_close(d);
    return fd >= 0 ? fd : AG_SOCK_NONE;
}

bool ag_door_replace(ag_sock s, ag_sock by)
{
    bool done = dup2(by, s) >= 0 && fcntl(s, F_SETFD, FD_CLOEXEC) >= 0;
    (void)close(by);
    return done;
}

void ag_door_close(ag_door *d)
{
    if (d->listening != AG_SOCK_NONE)
        (void)close(d->listening);
    if (d->dir[0] != '\0') {
        (void)unlink(d->path);
        (void)rmdir(d->dir);
    }
    *d = (ag_door){ .listening = AG_SOCK_NONE };
}

#else

bool ag_door_open(ag_door *d, ag_err *e)
{
    *d = (ag_door){ .listening = AG_SOCK_NONE };
    return ag_fail(e, AG_E_HOST, "not on this system");
}

ag_sock ag_door_accept(ag_door *d)
{
    ag_door_close(d);
    return AG_SOCK_NONE;
}

bool ag_door_replace(ag_sock s, ag_sock by)
{
    (void)s;
    (void)by;
    return false;
}

void ag_door_close(ag_door *d)
{
    *d = (ag_door){ .listening = AG_SOCK_NONE };
}

#endif
