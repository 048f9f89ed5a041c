/* transfer_loop: see the header. */
#include "io/transfer_loop.h"

#include "io/curl_global.h"
#include "io/transfer_private.h"

enum { KEEP_IDLE = 64, BLIND_MS = 10, TOTAL = 256, PER_HOST = 32, STREAMS = 100 };

ag_pool *ag_loop_new(const ag_alloc *a, ag_poller *poller, ag_err *e)
{
    ag_pool *p = ag_pool_new(a, NULL, TOTAL, e);
    if (p == NULL)
        return NULL;
    p->poller = poller;
    p->per_host = PER_HOST;
    p->keep_idle = KEEP_IDLE;
    return p;
}

void ag_loop_limits(ag_pool *p, long total, long per_host)
{
    p->max_connections = total;
    p->per_host = per_host;
    if (p->multi == NULL)
        return;
    (void)curl_multi_setopt(p->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, total);
    (void)curl_multi_setopt(p->multi, CURLMOPT_MAX_HOST_CONNECTIONS, per_host);
    (void)curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, total);
}

/* What to wait for at a socket. A failure must not be told to libcurl: it would give up everything. */
static int on_socket(CURL *easy, curl_socket_t s, int what, void *ud, void *known)
{
    ag_pool *p = ud;
    int events = what == CURL_POLL_REMOVE ? 0
                                          : ((what & CURL_POLL_IN) != 0 ? AG_POLL_IN : 0) |
                                                ((what & CURL_POLL_OUT) != 0 ? AG_POLL_OUT : 0);
    (void)easy;
    if (!ag_poller_set(p->poller, s, events, known != NULL))
        p->blind = true;
    else if (events != 0 && known == NULL)
        (void)curl_multi_assign(p->multi, s, p);
    return 0;
}

void ag_loop_options(ag_pool *p)
{
    (void)curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
    (void)curl_multi_setopt(p->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
#if LIBCURL_VERSION_NUM >= 0x074300
    (void)curl_multi_setopt(p->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)STREAMS);
#endif
    ag_loop_limits(p, p->max_connections, p->per_host);
}

/* How long libcurl lets us wait, at most ms. */
static int patience(const ag_pool *p, int ms)
{
    long own = -1;
    if (p->multi == NULL || curl_multi_timeout(p->multi, &own) != CURLM_OK)
        return ms;
    if (p->blind && (own < 0 || own > BLIND_MS))
        own = BLIND_MS;
    if (own < 0 || (ms >= 0 && ms < own))
        return ms;
    return own > 60000 ? 60000 : (int)own;
}

static void ready(ag_pool *p, const ag_poll_event *e)
{
    int running, bits = ((e->events & AG_POLL_IN) != 0 ? CURL_CSELECT_IN : 0) |
                        ((e->events & AG_POLL_OUT) != 0 ? CURL_CSELECT_OUT : 0);
    if ((e->events & AG_POLL_ERROR) != 0)
        bits = 0; /* libcurl asks itself then */
    (void)curl_multi_socket_action(p->multi, e->sock, bits, &running);
}

size_t ag_loop_wait(ag_pool *p, int ms, ag_poll_event out[AG_LOOP_EVENTS])
{
    return ag_poller_wait(p->poller, patience(p, ms), out, AG_LOOP_EVENTS);
}

bool ag_loop_work(ag_pool *p, const ag_poll_event *events, size_t n, ag_sock wake)
{
    size_t i;
    bool woken = false;
    ag_sigpipe pipe;
    int running;
    if (p->multi != NULL)
        ag_sigpipe_begin(&pipe);
    for (i = 0; i < n; i++) {
        if (events[i].sock == wake)
            woken = true;
        else if (p->multi != NULL)
            ready(p, &events[i]);
    }
    if (p->multi == NULL)
        return woken;
    if (p->blind)
        (void)curl_multi_perform(p->multi, &running);
    else
        (void)curl_multi_socket_action(p->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    ag_sigpipe_end(&pipe);
    ag_pool_collect(p);
    return woken;
}

ag_transfer *ag_loop_changed(ag_pool *p)
{
    ag_transfer *t = p->changed;
    if (t == NULL)
        return NULL;
    p->changed = t->changed_next;
    t->is_changed = false;
    return t;
}

bool ag_loop_must_wait(const ag_pool *p, ag_view url)
{
    ag_host host;
    return ag_host_of_url(url, &host) && ag_h2_is_scouted(p, ag_h2_host(&host));
}

bool ag_loop_released(ag_pool *p)
{
    bool was = p->released;
    p->released = false;
    return was;
}

ag_transfer *ag_loop_any(ag_pool *p)
{
    return p->busy;
}

void ag_loop_abandon(ag_pool *p)
{
    ag_sockets_forked(&p->sockets);
}

void ag_transfer_set_owner(ag_transfer *t, void *owner)
{
    t->owner = owner;
}

void *ag_transfer_owner(const ag_transfer *t)
{
    return t->owner;
}
