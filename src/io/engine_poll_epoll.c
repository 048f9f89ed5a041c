/* engine_poll_epoll: see engine_poll.h. Linux: the cost of a turn is that of what is ready. */
#include "io/engine_poll.h"

#if defined(__linux__) && !defined(AG_ENGINE_POLL)

#include <sys/epoll.h>
#include <unistd.h>

enum { AT_ONCE = 64 };

struct ag_poller {
    ag_alloc a;
    int fd;
};

ag_poller *ag_poller_new(const ag_alloc *a)
{
    ag_poller *p = ag_new0(a, sizeof *p);
    if (p == NULL)
        return NULL;
    p->a = *a;
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    if (p->fd >= 0)
        return p;
    ag_free(a, p);
    return NULL;
}

void ag_poller_free(ag_poller *p)
{
    ag_alloc a;
    if (p == NULL)
        return;
    a = p->a;
    (void)close(p->fd);
    ag_free(&a, p);
}

bool ag_poller_set(ag_poller *p, ag_sock s, int events, bool known)
{
    struct epoll_event e = { 0 };
    if (events == 0) {
        (void)epoll_ctl(p->fd, EPOLL_CTL_DEL, s, &e); /* a closed one is gone by itself */
        return true;
    }
    e.data.fd = s;
    e.events = ((events & AG_POLL_IN) != 0 ? (uint32_t)EPOLLIN : 0) | ((events & AG_POLL_OUT) != 0 ? (uint32_t)EPOLLOUT : 0);
    return epoll_ctl(p->fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, s, &e) == 0 ||
           epoll_ctl(p->fd, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, s, &e) == 0;
}

size_t ag_poller_wait(ag_poller *p, int ms, ag_poll_event *out, size_t n)
{
    struct epoll_event got[AT_ONCE];
    int i, count = epoll_wait(p->fd, got, n < AT_ONCE ? (int)n : AT_ONCE, ms);
    for (i = 0; i < count; i++) {
        uint32_t e = got[i].events;
        out[i].sock = got[i].data.fd;
        out[i].events = ((e & EPOLLIN) != 0 ? AG_POLL_IN : 0) | ((e & EPOLLOUT) != 0 ? AG_POLL_OUT : 0) |
                        ((e & (EPOLLERR | EPOLLHUP)) != 0 ? AG_POLL_ERROR : 0);
    }
    return count > 0 ? (size_t)count : 0;
}

#else
typedef int ag_engine_poll_epoll_unused; /* ISO C wants something in every file */
#endif
