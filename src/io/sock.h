/* sock: the few calls the loopback listener makes on sockets, said once for every
 * system (sock_posix.c, sock_windows.c). Every socket is non-blocking and is not
 * inherited by a started program. Must never listen anywhere but on loopback.
 *
 * Linux is built and tested; Windows is compiled only; macOS is written by care. */
#ifndef AG_IO_SOCK_H
#define AG_IO_SOCK_H

#include <stdbool.h>
#include <stddef.h>

#ifdef _WIN32
#include <winsock2.h>
typedef SOCKET ag_sock;
typedef WSAPOLLFD ag_sock_poll_entry;
#define AG_SOCK_NONE INVALID_SOCKET
#else
#include <poll.h>
typedef int ag_sock;
typedef struct pollfd ag_sock_poll_entry;
#define AG_SOCK_NONE (-1)
#endif

/* Listens on 127.0.0.1 or, v6, on ::1 and nothing else, at *port (0: any free one,
 * which is put there). 0, or the system's error number, and *out is AG_SOCK_NONE. */
int ag_sock_listen(bool v6, unsigned short *port, ag_sock *out);

/* What such a number means: the port is another's; this system has no such addresses. */
bool ag_sock_error_in_use(int err);
bool ag_sock_error_no_family(int err);
const char *ag_sock_error_text(int err, char *out, size_t n); /* returns out */

typedef enum ag_sock_accepted {
    AG_SOCK_ACCEPTED,
    AG_SOCK_NOBODY,     /* nobody is waiting, or has gone again */
    AG_SOCK_EXHAUSTED   /* too many descriptors, no memory: somebody is waiting still */
} ag_sock_accepted;

ag_sock_accepted ag_sock_accept(ag_sock listening, ag_sock *out);

#define AG_SOCK_LATER (-1)  /* it would have to wait */
#define AG_SOCK_BROKEN (-2)

/* How many bytes went, or one of the two above; recv: 0 is the other side's end. No SIGPIPE. */
long ag_sock_recv(ag_sock s, char *p, size_t n);
long ag_sock_send(ag_sock s, const char *p, size_t n);

void ag_sock_end(ag_sock s);    /* no more from us; the other side may go on */
void ag_sock_close(ag_sock s);

/* Waits at most ms (>= 0). How many are ready; AG_SOCK_LATER: a signal arrived; AG_SOCK_BROKEN. */
int ag_sock_poll(ag_sock_poll_entry *list, size_t n, int ms);

#endif
