/* listener_conn: see the header. */
#include "io/listener_conn.h"

#include <stdio.h>
#include <string.h>

#include "core/listen_http.h"

#define CHUNK 4096
#define MAX_IN (AG_LISTEN_MAX_LINE + 2 + AG_LISTEN_MAX_HEAD + 2 + CHUNK)
#define MAX_DRAIN (1024 * 1024)
#define DRAIN_AT_ONCE (128 * 1024)

/* Self-contained, and the same whatever the redirect said: an answer to a stranger who
 * guessed the state must not show what it asked for. */
#define PAGE \
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n" \
    "<meta name=\"viewport\" content=\"width=device-width\">\n<title>Back to the program</title>\n</head>\n" \
    "<body>\n<p>You can close this window and go back to the program.</p>\n</body>\n</html>\n"

static const char *reason(int status)
{
    switch (status) {
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 414:
        return "URI Too Long";
    case 431:
        return "Request Header Fields Too Large";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Bad Request";
    }
}

static void answer(ag_listener_conn *c, int status, const char *what, const char *type, const char *body, int64_t now)
{
    int n = snprintf(c->answer, sizeof c->answer,
                     "HTTP/1.1 %d %s\r\nContent-Type: %s; charset=utf-8\r\nContent-Length: %lu\r\n"
                     "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"
                     "Content-Security-Policy: default-src 'none'\r\nX-Content-Type-Options: nosniff\r\n"
                     "%sConnection: close\r\n\r\n%s",
                     status, what, type, (unsigned long)strlen(body), status == 405 ? "Allow: GET\r\n" : "", body);
    c->answer_n = n > 0 && (size_t)n < sizeof c->answer ? (size_t)n : 0;
    c->answer_sent = 0;
    c->stage = AG_CONN_WRITE;
    c->until = now + AG_LISTENER_END_MS;
    ag_buf_free(&c->in);
}

static void refuse(ag_listener_conn *c, int status, int64_t now)
{
    char body[64];
    (void)snprintf(body, sizeof body, "%s\n", reason(status));
    answer(c, status, reason(status), "text/plain", body, now);
}

/* The redirect is here. Without memory to keep it the connection ends unanswered: loading the page again helps. */
static void take(ag_listener_conn *c, const ag_listener_wish *wish, ag_view target, int64_t now)
{
    if (!ag_str_set_view(wish->alloc, wish->target, target)) {
        ag_listener_conn_close(c);
        return;
    }
    ag_str_free(wish->alloc, wish->state);
    c->taken = true;
    answer(c, 200, "OK", "text/html", PAGE, now);
}

/* Looks at what is there. True: there is more to be read before that can be decided. */
static bool look(ag_listener_conn *c, const ag_listener_wish *wish, int64_t now)
{
    ag_view target;
    int status;
    switch (ag_listen_read(c->in.p, c->in.n, wish->path, ag_str_view(wish->state), &target, &status)) {
    case AG_LISTEN_TAKE:
        take(c, wish, target, now);
        return false;
    case AG_LISTEN_REFUSE:
        refuse(c, status, now);
        return false;
    case AG_LISTEN_MORE:
        break;
    }
    if (c->in.n + CHUNK <= MAX_IN)
        return true;
    refuse(c, 431, now);
    return false;
}

static void read_request(ag_listener_conn *c, const ag_listener_wish *wish, int64_t now)
{
    char chunk[CHUNK];
    long n;
    do {
        n = ag_sock_recv(c->sock, chunk, sizeof chunk);
        if (n == AG_SOCK_LATER)
            break;
        if (n > 0)
            ag_buf_add(&c->in, chunk, (size_t)n);
        if (n <= 0 || c->in.bad) {
            ag_listener_conn_close(c);
            break;
        }
    } while (look(c, wish, now));
    ag_wipe(chunk, sizeof chunk);
}

static void write_answer(ag_listener_conn *c, int64_t now)
{
    while (c->answer_sent < c->answer_n) {
        long n = ag_sock_send(c->sock, c->answer + c->answer_sent, c->answer_n - c->answer_sent);
        if (n == AG_SOCK_LATER)
            return;
        if (n <= 0) {
            ag_listener_conn_close(c);
            return;
        }
        c->answer_sent += (size_t)n;
    }
    ag_sock_end(c->sock);
    c->stage = AG_CONN_DRAIN;
    c->until = now + AG_LISTENER_END_MS;
    c->drained = 0;
}

static void drain(ag_listener_conn *c)
{
    char chunk[CHUNK];
    size_t now = 0;
    long n;
    do {
        n = ag_sock_recv(c->sock, chunk, sizeof chunk);
        if (n > 0) {
            now += (size_t)n;
            c->drained += (size_t)n;
        }
    } while (n > 0 && now < DRAIN_AT_ONCE && c->drained < MAX_DRAIN);
    ag_wipe(chunk, sizeof chunk);
    if ((n <= 0 && n != AG_SOCK_LATER) || c->drained >= MAX_DRAIN)
        ag_listener_conn_close(c);
}

void ag_listener_conn_begin(ag_listener_conn *c, const ag_alloc *a, ag_sock s, int64_t now)
{
    memset(c, 0, sizeof *c);
    c->sock = s;
    c->stage = AG_CONN_READ;
    c->since = now;
    c->until = now + AG_LISTENER_READ_MS;
    ag_buf_init(&c->in, a, MAX_IN);
}

void ag_listener_conn_move(ag_listener_conn *c, const ag_listener_wish *wish, int64_t now)
{
    if (c->stage == AG_CONN_READ)
        read_request(c, wish, now);
    if (c->stage == AG_CONN_WRITE)
        write_answer(c, now);
    if (c->stage == AG_CONN_DRAIN)
        drain(c);
}

void ag_listener_conn_close(ag_listener_conn *c)
{
    if (c->stage == AG_CONN_FREE)
        return;
    ag_buf_free(&c->in);
    ag_sock_close(c->sock);
    c->sock = AG_SOCK_NONE;
    c->stage = AG_CONN_FREE;
}

int ag_listener_conn_worth(const ag_listener_conn *c)
{
    switch (c->stage) {
    case AG_CONN_DRAIN:
        return c->taken ? 3 : 1;
    case AG_CONN_READ:
        return c->in.n == 0 ? 2 : 4;
    case AG_CONN_WRITE:
        return c->taken ? 6 : 5;
    case AG_CONN_FREE:
        break;
    }
    return 0;
}
