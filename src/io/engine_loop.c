/* engine_loop: what our thread does: begins jobs, moves their transfers on, tells their
 * news, ends them. See engine_private.h. Must never wait for the host, nor touch what is
 * the host's. */
#include "io/engine_private.h"
#include "io/platform.h"

/* The timers stand still while the system sleeps; the clock that is asked afterwards does not. */
enum { LONGEST_MS = 5000 };
/* How long a nap is, and for how long after the last patient order it naps in place of sleeping. */
enum { NAP_MS = 2, NAPS_MS = 100 };

static int64_t now_ms(void)
{
    int64_t boot = 0, wall;
    (void)ag_platform_now(&boot, &wall);
    return boot;
}

/* --- beginning and ending ------------------------------------------------ */

/* Nothing of it is left with the thread, but for our reference. */
static void leave(ag_core *c, ag_job *j)
{
    if (j->t != NULL)
        ag_transfer_end(j->t);
    j->t = NULL;
    ag_lines_leave(&c->a, &c->lines, &j->place);
    ag_heap_remove(&c->deadlines, &j->deadline);
    ag_job_wipe_request(j);
    j->done = true;
}

static void abort_job(ag_core *c, ag_job *j)
{
    leave(c, j);
    ag_job_unref_own(c, j);
}

static void tell_over(ag_core *c, ag_job *j)
{
    leave(c, j);
    ag_core_tell_last(c, j, AG_NEWS_OVER);
}

static void take_result(ag_job *j)
{
    ag_transfer *t = j->t;
    if (ag_transfer_error(t)->code != AG_E_NONE)
        j->err = *ag_transfer_error(t);
    j->sent = ag_transfer_sent(t);
    j->collected = ag_transfer_collected(t);
    j->version = ag_transfer_http_version(t);
    if (!j->headers_told) {
        j->status = ag_transfer_status(t);
        ag_transfer_swap_headers(t, &j->headers);
    }
    if (j->collected && j->err.code == AG_E_NONE)
        ag_transfer_swap_body(t, &j->body);
}

static void fail(ag_core *c, ag_job *j, ag_err_code code, const char *text)
{
    (void)ag_fail(&j->err, code, "%s", text);
    j->sent = false;
    tell_over(c, j);
}

/* --- telling ------------------------------------------------------------- */

static void tell_headers(ag_core *c, ag_job *j)
{
    if (j->headers_told)
        return;
    j->headers_told = true;
    j->status = ag_transfer_status(j->t);
    ag_transfer_swap_headers(j->t, &j->headers);
    ag_core_tell(c, j, AG_NEWS_HEADERS);
}

/* False: the host has not taken the last one yet. */
static bool tell_chunk(ag_core *c, ag_job *j)
{
    if (j->chunk_out)
        return false;
    j->chunk_out = true;
    ag_transfer_swap_body(j->t, &j->chunk);
    ag_core_tell(c, j, AG_NEWS_CHUNK);
    ag_transfer_resume(j->t);
    return true;
}

/* Whatever there is to say of it now. */
static void tell(ag_core *c, ag_job *j)
{
    while (j->t != NULL) {
        switch (ag_transfer_peek(j->t)) {
        case AG_STEP_HEADERS:
            tell_headers(c, j);
            return;
        case AG_STEP_CHUNK:
            if (!tell_chunk(c, j))
                return;
            break;
        case AG_STEP_NEED:
            if (!j->need_told)
                ag_core_tell(c, j, AG_NEWS_NEED);
            j->need_told = true;
            return;
        case AG_STEP_DONE:
        case AG_STEP_ERROR:
            take_result(j);
            tell_over(c, j);
            return;
        case AG_STEP_WAIT:
            return;
        }
    }
}

/* --- the host's orders --------------------------------------------------- */

static void feed(ag_job *j)
{
    ag_piece *p, *next;
    if (j->t == NULL)
        return;
    for (p = ag_job_pieces(j); p != NULL; p = next) {
        ag_view v = { p->last ? NULL : (const char *)(p + 1), p->n };
        next = p->next;
        (void)ag_transfer_feed(j->t, v); /* if that was wrong the transfer has failed, which is told */
        ag_piece_free(&j->a, p);
    }
    j->need_told = false;
    ag_transfer_resume(j->t);
}

static void start(ag_core *c, ag_job *j)
{
    if (ag_loop_must_wait(c->pool, j->request.url)) {
        ag_lines_put_back(&c->lines, &j->place);
        return;
    }
    j->t = ag_transfer_start(c->pool, &j->request, &j->err);
    if (j->t == NULL) {
        j->sent = false;
        tell_over(c, j);
        return;
    }
    ag_transfer_set_owner(j->t, j);
    feed(j);
    tell(c, j);
}

static void adopt(ag_core *c, ag_job *j)
{
    double timeout = j->request.timeout;
    j->deadline.owner = j->place.owner = j;
    if (timeout > 0 && timeout <= 1e9) {
        j->deadline.at = now_ms() + (int64_t)(timeout * 1000.0 + 0.999);
        if (!ag_heap_add(&c->a, &c->deadlines, &j->deadline)) {
            fail(c, j, AG_E_MEMORY, "out of memory");
            return;
        }
    }
    if (!ag_lines_join(&c->a, &c->lines, &j->place, j->request.url))
        fail(c, j, AG_E_MEMORY, "out of memory");
}

static void obey(ag_core *c, ag_job *j)
{
    unsigned orders;
    atomic_store(&j->own_queued, false);
    orders = atomic_exchange(&j->orders, 0);
    if (j->done)
        return;
    if ((orders & AG_ORDER_CANCEL) != 0) {
        abort_job(c, j);
        return;
    }
    if ((orders & AG_ORDER_SUBMIT) != 0)
        adopt(c, j);
    if (j->t == NULL)
        return;
    if ((orders & AG_ORDER_ACCEPT) != 0)
        ag_transfer_accept(j->t, (ag_accept)atomic_load(&j->how));
    if ((orders & AG_ORDER_TAKEN) != 0)
        j->chunk_out = false;
    if ((orders & AG_ORDER_FEED) != 0)
        feed(j);
    ag_transfer_resume(j->t);
    tell(c, j);
}

static void obey_all(ag_core *c)
{
    ag_job *j, *next;
    for (j = ag_core_take_own(c); j != NULL; j = next) {
        next = j->own_next; /* once it is obeyed it may be pushed again */
        obey(c, j);
        ag_job_unref_own(c, j);
    }
}

/* --- the loop ------------------------------------------------------------ */

static void expire(ag_core *c)
{
    ag_heap_entry *first = ag_heap_first(&c->deadlines);
    int64_t now;
    if (first == NULL)
        return;
    now = now_ms();
    for (; first != NULL && first->at <= now; first = ag_heap_first(&c->deadlines)) {
        ag_job *j = first->owner;
        ag_heap_remove(&c->deadlines, first);
        if (j->t == NULL) {
            fail(c, j, AG_E_TIMEOUT, "the time was over before the request could be sent");
        } else {
            ag_transfer_time_out(j->t);
            tell(c, j);
        }
    }
}

static int patience(const ag_core *c)
{
    const ag_heap_entry *first = ag_heap_first(&c->deadlines);
    int64_t ms;
    if (first == NULL)
        return -1;
    ms = first->at - now_ms();
    return ms <= 0 ? 0 : ms > LONGEST_MS ? LONGEST_MS : (int)ms;
}

/* How long it may wait; until it is over, `attention` says how the host gets hold of it. */
static int lie_down(ag_core *c)
{
    int ms = patience(c), attention = AG_ASLEEP;
    if (atomic_load(&c->has_patient)) {
        atomic_store(&c->has_patient, false);
        c->nap_until = now_ms() + NAPS_MS;
    } else if (c->nap_until != 0 && now_ms() >= c->nap_until) {
        c->nap_until = 0;
    }
    if (c->nap_until != 0) {
        attention = AG_NAPPING;
        ms = ms < 0 || ms > NAP_MS ? NAP_MS : ms;
    }
    atomic_store(&c->attention, attention);
    return atomic_load(&c->own_list) == NULL && !atomic_load(&c->stop) ? ms : 0;
}

static void turn(ag_core *c)
{
    ag_poll_event events[AG_LOOP_EVENTS];
    size_t n = ag_loop_wait(c->pool, lie_down(c), events);
    atomic_store(&c->attention, AG_AWAKE);
    if (!ag_loop_work(c->pool, events, n, c->own_wake.rd))
        return;
    (void)ag_wake_clear(&c->own_wake);
    atomic_store(&c->own_woken, false); /* before the list is looked at */
}

static void follow_limits(ag_core *c)
{
    long total = atomic_load(&c->total), per_host = atomic_load(&c->per_host);
    if (total == c->set_total && per_host == c->set_per_host)
        return;
    c->set_total = total;
    c->set_per_host = per_host;
    ag_loop_limits(c->pool, total, per_host);
}

/* Everything under way is broken off, and nobody told: the host knows. */
static void finish(ag_core *c)
{
    ag_transfer *t;
    ag_place *p;
    ag_job *j, *next;
    for (j = ag_core_take_own(c); j != NULL; j = next) {
        next = j->own_next;
        if (!j->done && j->place.line == NULL) /* not even in line */
            abort_job(c, j);
        ag_job_unref_own(c, j);
    }
    ag_lines_release(&c->lines);
    do {
        while ((t = ag_loop_any(c->pool)) != NULL)
            abort_job(c, ag_transfer_owner(t));
        p = ag_lines_next(&c->lines);
        if (p != NULL)
            abort_job(c, p->owner);
    } while (p != NULL);
    ag_pool_unref(c->pool);
    c->pool = NULL;
}

void ag_core_run(void *core)
{
    ag_core *c = core;
    ag_transfer *t;
    ag_place *p;
    while (!atomic_load(&c->stop)) {
        follow_limits(c);
        obey_all(c);
        expire(c);
        for (;;) {
            if (ag_loop_released(c->pool))
                ag_lines_release(&c->lines);
            t = ag_loop_changed(c->pool);
            if (t != NULL)
                tell(c, ag_transfer_owner(t));
            else if ((p = ag_lines_next(&c->lines)) != NULL)
                start(c, p->owner);
            else
                break;
        }
        turn(c);
    }
    finish(c);
}
