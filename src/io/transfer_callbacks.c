/* transfer_callbacks: what libcurl calls while it works. They move bytes
 * between libcurl and the transfer's buffers, and break off what is too large;
 * must never call Lua, free a transfer or start another one. */
#include <string.h>

#include "io/transfer_private.h"

/* libcurl takes any other number than the one it gave for 'stop'. */
static size_t stop(ag_transfer *t, ag_err_code why, size_t given)
{
    t->refused = why;
    return given == 0 ? 1 : 0;
}

/* RFC 9112, 5.2: a folded line is one line with a space in it. */
static bool add_header_line(ag_transfer *t, const char *p, size_t n)
{
    const ag_alloc *a = &t->pool->a;
    bool folded = p[0] == ' ' || p[0] == '\t';
    if (!folded && n >= 2 && p[n - 2] == '\r')
        return ag_buffer_add(a, &t->headers, p, n, false);
    while (n > 0 && (p[n - 1] == '\n' || p[n - 1] == '\r'))
        n--;
    if (folded && t->headers.n >= 2) {
        t->headers.n -= 2;
        while (n > 0 && (*p == ' ' || *p == '\t')) {
            p++;
            n--;
        }
        if (!ag_buffer_add(a, &t->headers, " ", 1, false))
            return false;
    }
    return ag_buffer_add(a, &t->headers, p, n, false) && ag_buffer_add(a, &t->headers, "\r\n", 2, false);
}

/* "HTTP/1.1 200 OK", "HTTP/2 200": the number libcurl has already found good. */
static int status_of(const char *p, size_t n)
{
    const char *space = memchr(p, ' ', n);
    int v = 0;
    size_t i;
    if (space == NULL || n - (size_t)(space - p) < 4)
        return 0;
    for (i = 1; i <= 3; i++) {
        if (space[i] < '0' || space[i] > '9')
            return 0;
        v = v * 10 + (space[i] - '0');
    }
    return v;
}

/* One line at a time: the answers to come (1xx first, then the final one), then trailers. */
static size_t on_header(char *p, size_t size, size_t count, void *ud)
{
    ag_transfer *t = ud;
    size_t n = size * count;
    if (n > AG_TRANSFER_MAX_HEADERS - t->headers_total)
        return stop(t, AG_E_TOO_LARGE, n);
    t->headers_total += n;
    if (t->headers_done)
        return n;
    if (n >= 5 && memcmp(p, "HTTP/", 5) == 0) {
        t->status = status_of(p, n);
        t->headers.n = 0;
    } else if (n == 0 || p[0] == '\n' || (n >= 2 && p[0] == '\r' && p[1] == '\n')) {
        t->headers_done = t->status >= 200;
        if (t->headers_done && t->mode == AG_MODE_UNDECIDED)
            ag_transfer_changed(t);
    } else if (!add_header_line(t, p, n)) {
        return stop(t, AG_E_MEMORY, n);
    }
    return n;
}

/* A first block as large as the server announced, so that the buffer need not grow. */
static bool first_room(ag_transfer *t, size_t n)
{
    curl_off_t length = -1;
    size_t want = n;
    if (curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) == CURLE_OK &&
        length > (curl_off_t)n && length <= (curl_off_t)AG_TRANSFER_MAX_CHUNK && length <= t->body_max)
        want = (size_t)length;
    return ag_buffer_reserve(&t->pool->a, &t->body, want, t->secret);
}

static size_t on_body(char *p, size_t size, size_t count, void *ud)
{
    ag_transfer *t = ud;
    size_t n = size * count;
    if (t->mode <= AG_MODE_STREAM && t->body.n >= AG_TRANSFER_MAX_CHUNK) {
        t->recv_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if ((int64_t)n > t->body_max - t->body_total)
        return stop(t, AG_E_TOO_LARGE, n);
    t->body_total += (int64_t)n;
    if (t->mode == AG_MODE_DROP)
        return n;
    if (t->body.n == 0 && !first_room(t, n))
        return stop(t, AG_E_MEMORY, n);
    if (t->mode == AG_MODE_STREAM)
        ag_transfer_changed(t);
    if (!ag_buffer_add(&t->pool->a, &t->body, p, n, t->secret))
        return stop(t, AG_E_MEMORY, n);
    return n;
}

static size_t on_read(char *p, size_t size, size_t count, void *ud)
{
    ag_transfer *t = ud;
    size_t room = size * count, n = t->feed.n - t->feed_taken;
    if (t->refused != AG_E_NONE)
        return CURL_READFUNC_ABORT;
    if (n == 0) {
        if (t->feed_ended)
            return 0;
        t->feed_wanted = t->send_paused = true;
        ag_transfer_changed(t);
        return CURL_READFUNC_PAUSE;
    }
    if (n > room)
        n = room;
    memcpy(p, t->feed.p + t->feed_taken, n);
    t->feed_taken += n;
    return n;
}

#if LIBCURL_VERSION_NUM >= 0x075000
/* libcurl sends a request again by itself when a kept connection turns out dead, or the
 * server of an HTTP/2 one says 'refused'. A token request must not be (law 5), nor a proof. */
static int on_request(void *ud, char *to, char *from, int to_port, int from_port)
{
    ag_transfer *t = ud;
    (void)to;
    (void)from;
    (void)to_port;
    (void)from_port;
    if (t->once && t->attempts > 0) {
        t->refused = AG_E_NETWORK;
        return CURL_PREREQFUNC_ABORT;
    }
    t->attempts++;
    ag_h2_is_there(t);
    return CURL_PREREQFUNC_OK;
}
#endif

void ag_transfer_callbacks_set(ag_transfer *t)
{
    (void)curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    (void)curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    (void)curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, on_read);
    (void)curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
#if LIBCURL_VERSION_NUM >= 0x075000
    (void)curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_request);
    (void)curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
#endif
}
