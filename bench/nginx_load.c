/* nginx_load: sends the same request over and over on a number of connections that are kept, for some seconds, and prints how many
 * answers came and how many of them were not 200. As little work as possible for each, so that the server is what is measured.
 * Usage: nginx_load PORT CONNECTIONS SECONDS PATH TOKEN */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 1024
#define ROOM 16384

typedef struct connection {
    int fd;
    size_t n;           /* bytes of the answer so far */
    char answer[ROOM];
} connection;

static connection connections[MOST];
static char request[ROOM];
static size_t request_n;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void ask(connection *c)
{
    c->n = 0;
    if (write(c->fd, request, request_n) != (ssize_t)request_n)
        die("write");
}

static void dial(connection *c, int port, int epoll)
{
    struct sockaddr_in to;
    struct epoll_event want;
    int on = 1;
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_port = htons((unsigned short)port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    memset(&want, 0, sizeof want);
    want.events = EPOLLIN;
    want.data.ptr = c;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &want) != 0)
        die("epoll_ctl");
    ask(c);
}

/* Is the answer whole? It has a Content-Length. */
static int is_whole(const connection *c)
{
    const char *end = strstr(c->answer, "\r\n\r\n"), *length = strstr(c->answer, "Content-Length: ");
    return end != NULL && length != NULL && c->n >= (size_t)(end + 4 - c->answer) + strtoul(length + 16, NULL, 10);
}

int main(int argc, char **argv)
{
    int epoll = epoll_create1(0), n, i;
    unsigned long answers = 0, bad = 0;
    double last;
    if (argc != 6 || epoll < 0)
        return 2;
    request_n = (size_t)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n"
                                 "Authorization: Bearer %s\r\n\r\n", argv[4], argv[5]);
    n = atoi(argv[2]);
    last = now() + atof(argv[3]);
    for (i = 0; i < n && i < MOST; i++)
        dial(&connections[i], atoi(argv[1]), epoll);
    while (now() < last) {
        struct epoll_event ready[64];
        int got = epoll_wait(epoll, ready, 64, 1000);
        for (i = 0; i < got; i++) {
            connection *c = ready[i].data.ptr;
            ssize_t more = read(c->fd, c->answer + c->n, ROOM - 1 - c->n);
            if (more <= 0)
                die("read");
            c->n += (size_t)more;
            c->answer[c->n] = '\0';
            if (!is_whole(c))
                continue;
            answers++;
            bad += memcmp(c->answer + 9, "200", 3) != 0;
            ask(c);
        }
    }
    printf("%lu %lu\n", answers, bad);
    return 0;
}
