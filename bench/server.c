/* server: the other side of the benches: answers as fast as it can, on kept connections, so
 * that what is measured is the client. A thread for each connection; ends with the first
 * line of its standard input. Must never be more than a bench needs: it reads no bodies and trusts everybody.
 * Usage: server CERTIFICATE.pem KEY.pem. Prints "http=PORT https=PORT".
 * GET /echo answers with the request's header lines, /new?MS after so many milliseconds and closes the connection,
 * anything else with 200 bytes of JSON. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY_BYTES 200

static SSL_CTX *tls;
static char answer[BODY_BYTES + 400];
static size_t answer_n;

typedef struct conn {
    int fd;
    SSL *ssl;           /* NULL: plain */
} conn;

static long get(conn *c, char *p, size_t n)
{
    return c->ssl != NULL ? SSL_read(c->ssl, p, (int)n) : (long)recv(c->fd, p, n, 0);
}

static long put(conn *c, const char *p, size_t n)
{
    return c->ssl != NULL ? SSL_write(c->ssl, p, (int)n) : (long)send(c->fd, p, n, MSG_NOSIGNAL);
}

static int head(char *out, size_t size, size_t length)
{
    return snprintf(out, size,
                    "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\n"
                    "Content-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: %zu\r\n\r\n", length);
}

/* To be followed by the end of the connection. */
static long answer_new(conn *c, long ms)
{
    char out[BODY_BYTES + 400];
    int n = snprintf(out, sizeof out, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n"
                     "Content-Length: %d\r\n\r\n%.*s", BODY_BYTES, BODY_BYTES, answer + answer_n - BODY_BYTES);
    (void)usleep((useconds_t)(ms * 1000));
    (void)put(c, out, (size_t)n);
    if (c->ssl != NULL)
        (void)SSL_shutdown(c->ssl);
    return 0;
}

static void make_answer(void)
{
    static const char front[] = "{\"data\":\"", back[] = "\"}";
    size_t n = (size_t)head(answer, sizeof answer, BODY_BYTES);
    memset(answer + n, 'x', BODY_BYTES);
    memcpy(answer + n, front, sizeof front - 1);
    memcpy(answer + n + BODY_BYTES - (sizeof back - 1), back, sizeof back - 1);
    answer_n = n + BODY_BYTES;
}

static long reply(conn *c, const char *request, size_t n)
{
    static const char echo[] = "GET /echo", fresh[] = "GET /new?";
    char out[8192 + 400];
    size_t at;
    if (n > sizeof fresh && memcmp(request, fresh, sizeof fresh - 1) == 0)
        return answer_new(c, strtol(request + sizeof fresh - 1, NULL, 10));
    if (n < sizeof echo || memcmp(request, echo, sizeof echo - 1) != 0)
        return put(c, answer, answer_n);
    at = (size_t)head(out, sizeof out, n);
    memcpy(out + at, request, n);
    return put(c, out, at + n);
}

static void *serve(void *ud)
{
    conn *c = ud;
    char in[8192];
    size_t n = 0;
    if (c->ssl != NULL && SSL_accept(c->ssl) != 1)
        goto out;
    for (;;) {
        long got = get(c, in + n, sizeof in - 1 - n);
        if (got <= 0)
            break;
        n += (size_t)got;
        in[n] = '\0';
        if (n < 4 || memcmp(in + n - 4, "\r\n\r\n", 4) != 0)
            continue;
        if (reply(c, in, n) <= 0)
            break;
        n = 0;
    }
out:
    SSL_free(c->ssl);
    (void)close(c->fd);
    free(c);
    return NULL;
}

typedef struct listener {
    int fd;
    int secure;
} listener;

static void *accept_all(void *ud)
{
    const listener *l = ud;
    for (;;) {
        int one = 1, fd = accept(l->fd, NULL, NULL);
        conn *c = fd >= 0 ? calloc(1, sizeof *c) : NULL;
        pthread_t thread;
        if (c == NULL)
            return NULL;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        c->fd = fd;
        if (l->secure) {
            c->ssl = SSL_new(tls);
            (void)SSL_set_fd(c->ssl, fd);
        }
        if (pthread_create(&thread, NULL, serve, c) == 0)
            (void)pthread_detach(thread);
    }
}

/* Listens on a free port of 127.0.0.1; gives the port. */
static int listen_on(listener *l, int secure)
{
    struct sockaddr_in a;
    socklen_t size = sizeof a;
    pthread_t thread;
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    l->secure = secure;
    l->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&a, size) != 0 || listen(l->fd, 64) != 0
            || getsockname(l->fd, (struct sockaddr *)&a, &size) != 0
            || pthread_create(&thread, NULL, accept_all, l) != 0)
        return 0;
    return ntohs(a.sin_port);
}

int main(int argc, char **argv)
{
    static listener plain, secure;
    int http, https;
    char c;
    (void)signal(SIGPIPE, SIG_IGN);
    make_answer();
    tls = SSL_CTX_new(TLS_server_method());
    if (argc < 3 || tls == NULL || SSL_CTX_use_certificate_chain_file(tls, argv[1]) != 1
            || SSL_CTX_use_PrivateKey_file(tls, argv[2], SSL_FILETYPE_PEM) != 1)
        return 2;
    http = listen_on(&plain, 0);
    https = listen_on(&secure, 1);
    if (http == 0 || https == 0)
        return 1;
    printf("http=%d https=%d\n", http, https);
    (void)fflush(stdout);
    (void)!read(0, &c, 1);
    return 0;
}
