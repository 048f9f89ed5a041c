/* engine_wake_windows: see engine_wake.h. A datagram socket on loopback that is connected to
 * itself, so it takes from nobody else. Compiled in every lint, not yet run anywhere. */
#include "io/engine_wake.h"

#ifdef _WIN32

#include <string.h>
#include <ws2tcpip.h>

#ifndef WSA_FLAG_NO_HANDLE_INHERIT
#define WSA_FLAG_NO_HANDLE_INHERIT 0x80
#endif

bool ag_wake_open(ag_wake *w)
{
    struct sockaddr_in a;
    int n = (int)sizeof a;
    u_long nonblocking = 1;
    /* Winsock has been started: curl_global_init does. */
    SOCKET s = WSASocketW(AF_INET, SOCK_DGRAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    w->rd = w->wr = s;
    if (s == INVALID_SOCKET)
        return false;
    if (ioctlsocket(s, (long)FIONBIO, &nonblocking) == 0 && bind(s, (struct sockaddr *)&a, n) == 0 &&
        getsockname(s, (struct sockaddr *)&a, &n) == 0 && connect(s, (struct sockaddr *)&a, n) == 0)
        return true;
    ag_wake_close(w);
    return false;
}

void ag_wake_close(ag_wake *w)
{
    if (w->rd != AG_SOCK_NONE)
        (void)closesocket(w->rd);
    w->rd = w->wr = AG_SOCK_NONE;
}

void ag_wake_set(const ag_wake *w)
{
    (void)send(w->wr, "!", 1, 0);
}

bool ag_wake_clear(const ag_wake *w)
{
    char buf[8];
    bool was = false;
    while (recv(w->rd, buf, (int)sizeof buf, 0) > 0)
        was = true;
    return was;
}

bool ag_wake_wait(const ag_wake *w, int ms)
{
    ag_sock_poll_entry e;
    memset(&e, 0, sizeof e);
    e.fd = w->rd;
    e.events = POLLIN;
    return WSAPoll(&e, 1, ms) > 0;
}

#else
typedef int ag_engine_wake_windows_unused; /* ISO C wants something in every file */
#endif
