/* transfer_sockets: see the header. Must never run Lua. */
#include "io/transfer_sockets.h"

#include <stdint.h>

#include "io/curl_global.h"

#ifdef _WIN32
#include <winsock2.h>
#define CLOSE closesocket
#else
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#define CLOSE close
#endif

void ag_sockets_init(ag_sockets *s, const ag_alloc *a)
{
    *s = (ag_sockets){ .a = *a };
}

/* Not remembering one costs a descriptor in a forked child, no more: no failure. */
static void remember(ag_sockets *s, curl_socket_t fd)
{
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 8 : s->cap * 2, bytes;
        curl_socket_t *list;
        if (!ag_size_mul(cap, sizeof *list, &bytes))
            return;
        list = ag_resize(&s->a, s->list, bytes);
        if (list == NULL)
            return;
        s->list = list;
        s->cap = cap;
    }
    s->list[s->n++] = fd;
}

static curl_socket_t on_open(void *ud, curlsocktype purpose, struct curl_sockaddr *addr)
{
    curl_socket_t fd;
    int type = addr->socktype;
    (void)purpose;
#ifdef SOCK_CLOEXEC
    type |= SOCK_CLOEXEC;
#endif
    ag_fork_lock();
    fd = socket(addr->family, type, addr->protocol);
    if (fd == CURL_SOCKET_BAD) {
        ag_fork_unlock();
        return fd;
    }
#if !defined(SOCK_CLOEXEC) && defined(FD_CLOEXEC)
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
    remember(ud, fd);
    ag_fork_unlock();
    return fd;
}

static int on_close(void *ud, curl_socket_t fd)
{
    ag_sockets *s = ud;
    size_t i;
    int result;
    ag_fork_lock();
    for (i = 0; i < s->n; i++)
        if (s->list[i] == fd) {
            s->list[i] = s->list[--s->n];
            break;
        }
    result = CLOSE(fd);
    ag_fork_unlock();
    return result;
}

void ag_sockets_set(ag_sockets *s, CURL *easy)
{
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, s);
    (void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    (void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, s);
}

void ag_sockets_forked(ag_sockets *s)
{
    size_t i;
    for (i = 0; i < s->n; i++)
        (void)CLOSE(s->list[i]);
    s->n = 0;
}

void ag_sockets_free(ag_sockets *s)
{
    ag_free(&s->a, s->list);
    s->list = NULL;
    s->n = s->cap = 0;
}
