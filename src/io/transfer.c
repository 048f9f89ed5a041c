/* transfer: the life of one exchange, from its start to its end, in steps.
 * See the header. Must never wait longer than it was told to. */
#include "io/transfer.h"

#include "io/platform.h"
#include "io/transfer_private.h"

enum { KEEP_BODY = 128 * 1024, KEEP_HEADERS = 16 * 1024, KEEP_FEED = 128 * 1024 };

static void reset(ag_transfer *t, const ag_transfer_request *r)
{
    ag_err_clear(&t->err);
    t->finished = false;
    t->once = r->fresh || r->once;
    t->secret = r->secret;
    t->attempts = 0;
    t->scout = t->closes = false;
    t->feed_taken = 0;
    t->feed_left = r->has_source ? r->source_length : 0;
    t->feed_wanted = t->feed_ended = false;
    t->status = 0;
    t->headers_total = 0;
    t->headers_done = t->headers_told = false;
    t->body_total = 0;
    t->body_max = r->max_body >= 0 ? r->max_body : r->stream ? INT64_MAX : AG_TRANSFER_MAX_BODY;
    t->mode = r->stream ? AG_MODE_UNDECIDED : AG_MODE_COLLECT;
    t->recv_paused = t->send_paused = false;
    t->refused = AG_E_NONE;
    t->errbuf[0] = '\0';
}

static void end_loose(ag_pool *p, const ag_transfer *but)
{
    if (p->loose != NULL && p->loose != but)
        ag_transfer_end(p->loose);
}

void ag_pool_set_loose(ag_pool *p, ag_transfer *t)
{
    p->loose = t;
}

static int64_t now_ms(void)
{
    int64_t boot = 0, wall;
    (void)ag_platform_now(&boot, &wall);
    return boot;
}

/* now + seconds; 0 seconds is no limit. */
static int64_t deadline(int64_t now, double seconds)
{
    if (!(seconds > 0) || seconds > 1e9)
        return INT64_MAX;
    return now + (int64_t)(seconds * 1000.0 + 0.999);
}

/* libcurl's own timers would cost a tree operation each, and count no time spent in user code. */
static void set_deadlines(ag_transfer *t, const ag_transfer_request *r)
{
    int64_t now;
    t->deadline = t->connect_deadline = INT64_MAX;
    if (!(r->timeout > 0) && !(r->connect_timeout > 0))
        return;
    now = now_ms();
    t->deadline = deadline(now, r->timeout);
    t->connect_deadline = deadline(now, r->connect_timeout);
}

ag_transfer *ag_transfer_start(ag_pool *p, const ag_transfer_request *r, ag_err *e)
{
    ag_transfer *t;
    end_loose(p, NULL);
    t = ag_pool_take(p, r->settings != NULL ? r->settings : p->settings, e);
    if (t == NULL)
        return NULL;
    reset(t, r);
    if (!ag_transfer_options_set(t, r, e)) {
        ag_transfer_end(t);
        return NULL;
    }
    if (p->poller == NULL)
        set_deadlines(t, r);
    ag_pool_add(t);
    return t;
}

void ag_transfer_lost(ag_transfer *t, ag_err_code code, const char *text)
{
    (void)ag_fail(&t->err, code, "%s", text);
    t->finished = true;
}

void ag_transfer_finish(ag_transfer *t, CURLcode code)
{
    t->finished = true;
    ag_transfer_changed(t);
    ag_h2_over(t);
    if (code == CURLE_OK && !t->headers_done)
        code = CURLE_WEIRD_SERVER_REPLY;
    if (code != CURLE_OK && !ag_transfer_sent(t))
        ag_h2_unconnected(t);
    if (code != CURLE_OK && t->err.code == AG_E_NONE)
        ag_curl_error(t, code);
    ag_pool_remove(t);
}

void ag_transfer_changed(ag_transfer *t)
{
    ag_pool *p = t->pool;
    if (p->poller == NULL || t->is_changed)
        return;
    t->is_changed = true;
    t->changed_next = p->changed;
    p->changed = t;
}

/* What there is to say without moving anything. The answer comes before the request's
 * body: a server that has answered early does not want the rest. */
ag_step ag_transfer_peek(ag_transfer *t)
{
    if (t->finished && t->err.code != AG_E_NONE)
        return AG_STEP_ERROR;
    if (t->mode == AG_MODE_UNDECIDED && t->headers_done) {
        t->headers_told = true;
        return AG_STEP_HEADERS;
    }
    if (t->mode == AG_MODE_STREAM && t->body.n > 0)
        return AG_STEP_CHUNK;
    if (t->finished)
        return AG_STEP_DONE;
    return t->feed_wanted ? AG_STEP_NEED : AG_STEP_WAIT;
}

/* Takes back the pauses whose reason is gone. libcurl may call back at once. */
void ag_transfer_resume(ag_transfer *t)
{
    bool recv = t->recv_paused && (t->mode > AG_MODE_STREAM || t->body.n < AG_TRANSFER_MAX_CHUNK);
    bool send = t->send_paused && !t->feed_wanted;
    CURLcode code;
    if (!t->in_multi || (!recv && !send))
        return;
    if (recv)
        t->recv_paused = false;
    if (send)
        t->send_paused = false;
    code = curl_easy_pause(t->easy, (t->recv_paused ? CURLPAUSE_RECV : 0) | (t->send_paused ? CURLPAUSE_SEND : 0));
    if (code != CURLE_OK && !t->finished)
        ag_transfer_finish(t, code);
}

static bool timed_out(ag_transfer *t, int64_t now)
{
    if (now < t->deadline && (now < t->connect_deadline || ag_transfer_sent(t)))
        return false;
    ag_transfer_time_out(t);
    return true;
}

void ag_transfer_time_out(ag_transfer *t)
{
    if (!t->finished)
        ag_transfer_finish(t, CURLE_OPERATION_TIMEDOUT);
}

/* How long to wait for libcurl, in ms: to `until` or a deadline, and not for ever. */
static int patience(const ag_transfer *t, int64_t now, int64_t until)
{
    int64_t ms = 1000;
    if (until - now < ms)
        ms = until - now;
    if (t->deadline - now < ms)
        ms = t->deadline - now;
    if (t->connect_deadline > now && t->connect_deadline - now < ms)
        ms = t->connect_deadline - now;
    return ms > 0 ? (int)ms : 0;
}

static void drive(ag_transfer *t)
{
    ag_transfer_resume(t);
    if (t->finished || ag_pool_drive(t->pool) || t->finished)
        return;
    ag_pool_remove(t);
    ag_transfer_lost(t, AG_E_NETWORK, "libcurl has failed");
}

ag_step ag_transfer_step(ag_transfer *t, double max_wait)
{
    int64_t now, until = -1;
    ag_step step;
    end_loose(t->pool, t);
    ag_pool_check_fork(t->pool);
    /* with a receiver or a feeder there may always be something to say */
    if ((t->mode != AG_MODE_COLLECT || t->feed_wanted) && t->deadline != INT64_MAX && !t->finished)
        (void)timed_out(t, now_ms());
    step = ag_transfer_peek(t);
    if (step != AG_STEP_WAIT)
        return step;
    for (;;) {
        drive(t);
        step = ag_transfer_peek(t);
        if (step != AG_STEP_WAIT)
            return step;
        now = now_ms();
        if (timed_out(t, now))
            return AG_STEP_ERROR;
        if (until < 0)
            until = max_wait < 0 || max_wait > 1e9 ? INT64_MAX : now + (int64_t)(max_wait * 1000.0);
        if (now >= until)
            return AG_STEP_WAIT;
        ag_pool_poll(t->pool, patience(t, now, until));
    }
}

ag_step ag_transfer_outcome(const ag_transfer *t)
{
    if (!t->finished)
        return AG_STEP_WAIT;
    return t->err.code == AG_E_NONE ? AG_STEP_DONE : AG_STEP_ERROR;
}

void ag_transfer_accept(ag_transfer *t, ag_accept how)
{
    int64_t limit = AG_TRANSFER_MAX_BODY;
    if (t->mode != AG_MODE_UNDECIDED || !t->headers_told)
        return;
    t->mode = how == AG_ACCEPT_STREAM ? AG_MODE_STREAM : how == AG_ACCEPT_COLLECT ? AG_MODE_COLLECT : AG_MODE_DROP;
    if (t->mode == AG_MODE_COLLECT && t->body_max == INT64_MAX)
        t->body_max = limit;
    if (t->mode == AG_MODE_DROP)
        ag_buffer_clear(&t->pool->a, &t->body, KEEP_BODY, t->secret);
}

static bool feed_failed(ag_transfer *t, ag_err_code why)
{
    if (t->finished)
        return false;
    t->refused = why;
    ag_transfer_finish(t, CURLE_ABORTED_BY_CALLBACK);
    return false;
}

bool ag_transfer_feed(ag_transfer *t, ag_view piece)
{
    const ag_alloc *a = &t->pool->a;
    if (t->finished)
        return true;
    if (piece.p == NULL) {
        if (t->feed_left > 0)
            return feed_failed(t, AG_E_USER_CODE);
        t->feed_ended = true;
        t->feed_wanted = false;
        return true;
    }
    if (t->feed_left >= 0) {
        if ((uint64_t)piece.n > (uint64_t)t->feed_left)
            return feed_failed(t, AG_E_USER_CODE);
        t->feed_left -= (int64_t)piece.n;
    }
    if (t->feed_taken == t->feed.n) {
        ag_buffer_clear(a, &t->feed, KEEP_FEED, true);
        t->feed_taken = 0;
    }
    if (!ag_buffer_add(a, &t->feed, piece.p, piece.n, true))
        return feed_failed(t, AG_E_MEMORY);
    if (piece.n > 0)
        t->feed_wanted = false;
    return true;
}

int ag_transfer_status(const ag_transfer *t)
{
    return t->status;
}

ag_view ag_transfer_headers(const ag_transfer *t)
{
    return ag_buffer_view(&t->headers);
}

ag_view ag_transfer_body(const ag_transfer *t)
{
    return ag_buffer_view(&t->body);
}

static void swap(ag_buffer *to, ag_buffer *from)
{
    ag_buffer was = *to;
    *to = *from;
    *from = was;
}

void ag_transfer_swap_headers(ag_transfer *t, ag_buffer *with)
{
    swap(&t->headers, with);
}

void ag_transfer_swap_body(ag_transfer *t, ag_buffer *with)
{
    swap(&t->body, with);
}

void ag_transfer_body_taken(ag_transfer *t)
{
    if (t->secret)
        ag_wipe(t->body.p, t->body.n);
    t->body.n = 0;
}

bool ag_transfer_collected(const ag_transfer *t)
{
    return t->mode == AG_MODE_COLLECT;
}

const char *ag_transfer_http_version(const ag_transfer *t)
{
    long v = 0;
    if (t->easy == NULL || curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &v) != CURLE_OK)
        return NULL;
    switch (v) {
    case CURL_HTTP_VERSION_1_0:
        return "1.0";
    case CURL_HTTP_VERSION_1_1:
        return "1.1";
    case CURL_HTTP_VERSION_2_0:
        return "2";
    case 30: /* CURL_HTTP_VERSION_3, not in every header file */
        return "3";
    default:
        return NULL;
    }
}

const ag_err *ag_transfer_error(const ag_transfer *t)
{
    return &t->err;
}

bool ag_transfer_sent(const ag_transfer *t)
{
    curl_off_t us = 0;
    if (t->easy == NULL)
        return true;
    return t->attempts > 0 ||
           (curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &us) == CURLE_OK && us > 0);
}

void ag_transfer_end(ag_transfer *t)
{
    const ag_alloc *a = &t->pool->a;
    ag_pool_check_fork(t->pool);
    if (t->pool->loose == t)
        t->pool->loose = NULL;
    if (t->in_multi && t->pool->poller != NULL)
        ag_h2_over(t);
    ag_h2_is_there(t); /* one that could not even begin, too: others may wait for it */
    ag_pool_remove(t);
    if (t->easy != NULL && t->set.kind == AG_BODY_POST)
        (void)curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, "");
    ag_buffer_clear(a, &t->header_text, KEEP_HEADERS, true);
    ag_buffer_clear(a, &t->feed, KEEP_FEED, true);
    ag_buffer_clear(a, &t->headers, KEEP_HEADERS, false);
    ag_buffer_clear(a, &t->body, KEEP_BODY, t->secret);
    ag_pool_give_back(t);
}
