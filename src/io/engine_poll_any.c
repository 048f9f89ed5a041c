/* engine_poll_any: see engine_poll.h. poll, or on Windows WSAPoll: a list of all sockets
 * is gone through each time. */
#include "io/engine_poll.h"

#if !defined(__linux__) || defined(AG_ENGINE_POLL)

#include <stdint.h>

#ifdef _WIN32
#include <windows.h>
#define POLL(list, n, ms) WSAPoll((list), (ULONG)(n), (ms))
#else
#include <poll.h>
#define POLL(list, n, ms) poll((list), (nfds_t)(n), (ms))
#endif

struct ag_poller {
    ag_alloc a;
    ag_sock_poll_entry *list;
    size_t n, cap;
    size_t from;            /* where the next look begins, so that nobody is passed over for ever */
};

ag_poller *ag_poller_new(const ag_alloc *a)
{
    ag_poller *p = ag_new0(a, sizeof *p);
    if (p != NULL)
        p->a = *a;
    return p;
}

void ag_poller_free(ag_poller *p)
{
    ag_alloc a;
    if (p == NULL)
        return;
    a = p->a;
    ag_free(&a, p->list);
    ag_free(&a, p);
}

static bool grow(ag_poller *p)
{
    size_t cap = p->cap == 0 ? 16 : p->cap * 2, bytes;
    ag_sock_poll_entry *list;
    if (!ag_size_mul(cap, sizeof *list, &bytes))
        return false;
    list = ag_resize(&p->a, p->list, bytes);
    if (list == NULL)
        return false;
    p->list = list;
    p->cap = cap;
    return true;
}

bool ag_poller_set(ag_poller *p, ag_sock s, int events, bool known)
{
    size_t i = 0;
    (void)known;
    while (i < p->n && p->list[i].fd != s)
        i++;
    if (events == 0) {
        if (i < p->n)
            p->list[i] = p->list[--p->n];
        return true;
    }
    if (i == p->n) {
        if (p->n == p->cap && !grow(p))
            return false;
        p->n++;
    }
    p->list[i].fd = s;
    p->list[i].revents = 0;
    p->list[i].events = (short)(((events & AG_POLL_IN) != 0 ? POLLIN : 0) | ((events & AG_POLL_OUT) != 0 ? POLLOUT : 0));
    return true;
}

size_t ag_poller_wait(ag_poller *p, int ms, ag_poll_event *out, size_t n)
{
    size_t i, count = 0;
    if (POLL(p->list, p->n, ms) <= 0)
        return 0;
    for (i = 0; i < p->n && count < n; i++) {
        const ag_sock_poll_entry *e = &p->list[(p->from + i) % p->n];
        if (e->revents == 0)
            continue;
        out[count].sock = e->fd;
        out[count].events = ((e->revents & POLLIN) != 0 ? AG_POLL_IN : 0) | ((e->revents & POLLOUT) != 0 ? AG_POLL_OUT : 0) |
                            ((e->revents & (POLLERR | POLLHUP | POLLNVAL)) != 0 ? AG_POLL_ERROR : 0);
        count++;
    }
    p->from = p->n == 0 ? 0 : (p->from + i) % p->n;
    return count;
}

#else
typedef int ag_engine_poll_any_unused; /* ISO C wants something in every file */
#endif
