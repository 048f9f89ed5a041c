/* listener: see listener.h. */
#include "io/listener.h"

#include <string.h>

#include "io/platform.h"

#define ACCEPTS_AT_ONCE 64
#define EXHAUSTED_MS 100
#define SAME_PORT_TRIES 16

static int64_t now_ms(const ag_listener *l)
{
    int64_t boot = 0, wall = 0;
    (void)ag_platform_now(&boot, &wall);
    return boot + l->shift_ms;
}

/* ---- binding ---- */

static bool fail(ag_err *e, const char *host, unsigned port, int err)
{
    char text[96];
    return ag_fail(e, AG_E_LISTENER, "nothing can listen on %s port %u: %s", host, port,
                   ag_sock_error_text(err, text, sizeof text));
}

/* localhost: the browser may try either family first, so a stranger on the other one would get
 * the redirect. One is enough only where the system does not have the other. */
static int listen_both(ag_listener *l, unsigned short wanted)
{
    int tries, v4, v6;
    for (tries = 0;; tries++) {
        l->port = wanted;
        v4 = ag_sock_listen(false, &l->port, &l->socks[0]);
        if (v4 != 0 && !ag_sock_error_no_family(v4))
            return v4;
        v6 = ag_sock_listen(true, &l->port, &l->socks[1]);
        if (v6 == 0 || (v4 == 0 && ag_sock_error_no_family(v6)))
            return 0;
        ag_sock_close(l->socks[0]);
        l->socks[0] = AG_SOCK_NONE;
        if (v4 != 0 || wanted != 0 || !ag_sock_error_in_use(v6) || tries == SAME_PORT_TRIES)
            return v6;
    }
}

bool ag_listener_open(ag_listener *l, const ag_alloc *a, ag_listener_host host, unsigned short port, ag_view path,
                      ag_err *e)
{
    static const char *const names[] = { "127.0.0.1", "::1", "localhost" };
    int err;
    memset(l, 0, sizeof *l);
    l->alloc = a;
    l->socks[0] = l->socks[1] = AG_SOCK_NONE;
    l->port = port;
    if (!ag_str_set_view(a, &l->path, path))
        return ag_fail(e, AG_E_MEMORY, "no memory for a listener");
    l->open = true;
    if (host == AG_LISTENER_BOTH)
        err = listen_both(l, port);
    else
        err = ag_sock_listen(host == AG_LISTENER_V6, &l->port, &l->socks[0]);
    if (err == 0)
        return true;
    ag_listener_free(l);
    return fail(e, names[host], port, err);
}

bool ag_listener_expect(ag_listener *l, ag_view state)
{
    return ag_str_set_view(l->alloc, &l->state, state);
}

/* ---- serving ---- */

/* What the system is asked to wait for: entry i belongs to whose[i], or NULL for a listening socket. */
typedef struct waiting {
    ag_sock_poll_entry list[AG_LISTENER_CONNS + 2];
    ag_listener_conn *whose[AG_LISTENER_CONNS + 2];
    size_t n;
    int64_t until;      /* ms: something ends then */
} waiting;

static void wait_for(waiting *w, ag_sock s, short events, ag_listener_conn *whose)
{
    memset(&w->list[w->n], 0, sizeof w->list[w->n]);
    w->list[w->n].fd = s;
    w->list[w->n].events = events;
    w->whose[w->n++] = whose;
}

static void collect(waiting *w, ag_listener *l, int64_t now, int64_t until)
{
    size_t i;
    w->n = 0;
    w->until = until;
    for (i = 0; i < AG_LISTENER_CONNS; i++) {
        ag_listener_conn *c = &l->conns[i];
        if (c->stage == AG_CONN_FREE)
            continue;
        wait_for(w, c->sock, c->stage == AG_CONN_WRITE ? POLLOUT : POLLIN, c);
        if (c->until < w->until)
            w->until = c->until;
    }
    if (now < l->accept_after) {
        if (l->accept_after < w->until)
            w->until = l->accept_after;
        return;
    }
    for (i = 0; i < 2; i++)
        if (l->socks[i] != AG_SOCK_NONE)
            wait_for(w, l->socks[i], POLLIN, NULL);
}

static ag_listener_conn *worst(ag_listener *l)
{
    ag_listener_conn *found = &l->conns[0];
    size_t i;
    for (i = 1; i < AG_LISTENER_CONNS; i++) {
        ag_listener_conn *c = &l->conns[i];
        int a = ag_listener_conn_worth(c), b = ag_listener_conn_worth(found);
        if (a < b || (a == b && c->since < found->since))
            found = c;
    }
    return found;
}

static void accept_all(ag_listener *l, ag_sock listening, const ag_listener_wish *wish, int64_t now)
{
    int i;
    for (i = 0; i < ACCEPTS_AT_ONCE; i++) {
        ag_listener_conn *c = worst(l);
        ag_sock s;
        switch (ag_sock_accept(listening, &s)) {
        case AG_SOCK_NOBODY:
            return;
        case AG_SOCK_EXHAUSTED:
            /* It would be reported ready again at once; meanwhile what we hold makes room. */
            ag_listener_conn_close(c);
            l->accept_after = now + EXHAUSTED_MS;
            return;
        case AG_SOCK_ACCEPTED:
            break;
        }
        ag_listener_conn_close(c);
        ag_listener_conn_begin(c, l->alloc, s, now);
        /* What it has to say is often there already: read it before the next can push it out. */
        ag_listener_conn_move(c, wish, now);
    }
}

static void serve(ag_listener *l, const waiting *w, int64_t now)
{
    ag_listener_wish wish = { l->alloc, ag_str_view(&l->path), &l->state, &l->target };
    size_t i;
    for (i = 0; i < w->n; i++)
        if (w->whose[i] != NULL && w->list[i].revents != 0)
            ag_listener_conn_move(w->whose[i], &wish, now);
    for (i = 0; i < AG_LISTENER_CONNS; i++)
        if (l->conns[i].stage != AG_CONN_FREE && now >= l->conns[i].until)
            ag_listener_conn_close(&l->conns[i]);
    for (i = 0; i < w->n; i++)
        if (w->whose[i] == NULL && w->list[i].revents != 0)
            accept_all(l, w->list[i].fd, &wish, now);
}

/* Did somebody close our listening sockets behind our back? */
static bool gone(const waiting *w)
{
    size_t i;
    for (i = 0; i < w->n; i++)
        if (w->whose[i] == NULL && (w->list[i].revents & POLLNVAL) != 0)
            return true;
    return false;
}

/* The redirect is here and its page is on the way. */
static bool arrived(const ag_listener *l)
{
    size_t i;
    if (l->target.p == NULL)
        return false;
    for (i = 0; i < AG_LISTENER_CONNS; i++)
        if (l->conns[i].stage == AG_CONN_WRITE && l->conns[i].taken)
            return false;
    return true;
}

ag_listener_got ag_listener_poll(ag_listener *l, int64_t ms, ag_err *e)
{
    waiting w;
    int64_t now = now_ms(l), end = now + ms;
    int ready;
    if (!l->open) {
        (void)ag_fail(e, AG_E_LISTENER, "the listener is closed");
        return AG_LISTENER_FAILED;
    }
    do {
        collect(&w, l, now, end);
        ready = ag_sock_poll(w.list, w.n, w.until > now ? (int)(w.until - now) : 0);
        if (ready == AG_SOCK_BROKEN || gone(&w)) {
            (void)ag_fail(e, AG_E_LISTENER, "waiting for the browser failed");
            return AG_LISTENER_FAILED;
        }
        now = now_ms(l);
        if (ready == AG_SOCK_LATER)
            break;
        serve(l, &w, now);
    } while (!arrived(l) && now < end);
    return arrived(l) ? AG_LISTENER_TAKEN : AG_LISTENER_NOTHING;
}

void ag_listener_forget(ag_listener *l)
{
    ag_str_free(l->alloc, &l->target);
}

void ag_listener_free(ag_listener *l)
{
    ag_listener_wish wish = { l->alloc, { NULL, 0 }, &l->state, &l->target };
    size_t i;
    if (!l->open)
        return;
    l->open = false;
    ag_sock_close(l->socks[0]);
    ag_sock_close(l->socks[1]);
    for (i = 0; i < AG_LISTENER_CONNS; i++) {
        /* What is still unread would turn our close into a reset, and the browser would lose its page. */
        if (l->conns[i].stage == AG_CONN_WRITE || l->conns[i].stage == AG_CONN_DRAIN)
            ag_listener_conn_move(&l->conns[i], &wish, 0);
        ag_listener_conn_close(&l->conns[i]);
    }
    ag_str_free(l->alloc, &l->path);
    ag_str_free(l->alloc, &l->state);
    ag_str_free(l->alloc, &l->target);
}
