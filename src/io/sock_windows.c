/* sock_windows: see sock.h. Winsock. Compiled in every lint, not yet run anywhere. */
#include "io/sock.h"

#ifdef _WIN32

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <ws2tcpip.h>

#define BACKLOG 64

#ifndef WSA_FLAG_NO_HANDLE_INHERIT
#define WSA_FLAG_NO_HANDLE_INHERIT 0x80
#endif

/* Counted by Winsock itself; once for good, since the host or its libraries use it too. */
static int start_winsock(void)
{
    static LONG started;
    WSADATA data;
    int err;
    if (InterlockedCompareExchange(&started, 1, 1) == 1)
        return 0;
    err = WSAStartup(MAKEWORD(2, 2), &data);
    if (err == 0)
        (void)InterlockedExchange(&started, 1);
    return err;
}

static int bind_and_listen(SOCKET s, bool v6, unsigned short *port)
{
    struct sockaddr_storage a;
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&a;
    int n = v6 ? (int)sizeof *six : (int)sizeof *v4;
    BOOL yes = TRUE;
    DWORD only = 1;
    u_long nonblocking = 1;
    memset(&a, 0, sizeof a);
    if (v6) {
        six->sin6_family = AF_INET6;
        six->sin6_addr = in6addr_loopback;
        six->sin6_port = htons(*port);
    } else {
        v4->sin_family = AF_INET;
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        v4->sin_port = htons(*port);
    }
    /* On Windows SO_REUSEADDR would let others take our port; this forbids it. */
    if (setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&yes, sizeof yes) != 0 ||
        (v6 && setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, (const char *)&only, sizeof only) != 0) ||
        ioctlsocket(s, (long)FIONBIO, &nonblocking) != 0 || bind(s, (struct sockaddr *)&a, n) != 0 ||
        listen(s, BACKLOG) != 0 || getsockname(s, (struct sockaddr *)&a, &n) != 0)
        return WSAGetLastError();
    *port = ntohs(v6 ? six->sin6_port : v4->sin_port);
    return 0;
}

int ag_sock_listen(bool v6, unsigned short *port, ag_sock *out)
{
    SOCKET s;
    int err = start_winsock();
    *out = AG_SOCK_NONE;
    if (err != 0)
        return err;
    s = WSASocketW(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0,
                   WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (s == INVALID_SOCKET)
        return WSAGetLastError();
    err = bind_and_listen(s, v6, port);
    if (err == 0)
        *out = s;
    else
        (void)closesocket(s);
    return err;
}

bool ag_sock_error_in_use(int err)
{
    /* WSAEACCES: another listens there exclusively, or Windows keeps the port for itself. */
    return err == WSAEADDRINUSE || err == WSAEACCES;
}

bool ag_sock_error_no_family(int err)
{
    return err == WSAEAFNOSUPPORT || err == WSAEADDRNOTAVAIL || err == WSAEPROTONOSUPPORT;
}

const char *ag_sock_error_text(int err, char *out, size_t n)
{
    if (err == WSAEADDRINUSE)
        (void)snprintf(out, n, "the port is in use");
    else if (err == WSAEACCES)
        (void)snprintf(out, n, "the port may not be used");
    else
        (void)snprintf(out, n, "Windows error %d", err);
    return out;
}

ag_sock_accepted ag_sock_accept(ag_sock listening, ag_sock *out)
{
    u_long nonblocking = 1;
    int err;
    *out = accept(listening, NULL, NULL);
    if (*out == INVALID_SOCKET) {
        err = WSAGetLastError();
        return err == WSAEMFILE || err == WSAENOBUFS ? AG_SOCK_EXHAUSTED : AG_SOCK_NOBODY;
    }
    (void)SetHandleInformation((HANDLE)*out, HANDLE_FLAG_INHERIT, 0);
    if (ioctlsocket(*out, (long)FIONBIO, &nonblocking) == 0)
        return AG_SOCK_ACCEPTED;
    (void)closesocket(*out);
    *out = AG_SOCK_NONE;
    return AG_SOCK_NOBODY;
}

static long moved(int n)
{
    if (n != SOCKET_ERROR)
        return n;
    return WSAGetLastError() == WSAEWOULDBLOCK ? AG_SOCK_LATER : AG_SOCK_BROKEN;
}

long ag_sock_recv(ag_sock s, char *p, size_t n)
{
    return moved(recv(s, p, n > INT_MAX ? INT_MAX : (int)n, 0));
}

long ag_sock_send(ag_sock s, const char *p, size_t n)
{
    return moved(send(s, p, n > INT_MAX ? INT_MAX : (int)n, 0));
}

void ag_sock_end(ag_sock s)
{
    (void)shutdown(s, SD_SEND);
}

void ag_sock_close(ag_sock s)
{
    if (s != AG_SOCK_NONE)
        (void)closesocket(s);
}

int ag_sock_poll(ag_sock_poll_entry *list, size_t n, int ms)
{
    int ready = 0;
    if (n == 0)
        Sleep((DWORD)ms); /* WSAPoll calls that an error */
    else
        ready = WSAPoll(list, (ULONG)n, ms);
    return ready >= 0 ? ready : AG_SOCK_BROKEN;
}

#else
typedef int ag_sock_windows_unused; /* ISO C wants something in every file */
#endif
