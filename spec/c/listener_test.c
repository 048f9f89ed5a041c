/* listener_test: the loopback listener, in what Lua cannot see: signals, and what is left in memory.
 * SIGPIPE is as it is at the start of every program: deadly. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "io/listener.h"
#include "tap.h"

#define STATE "canary-state"
#define GET(target) "GET " target " HTTP/1.1\r\nHost: x\r\n\r\n"

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
    (void)sig;
    signals++;
}

static bool opens(ag_listener *l)
{
    ag_err e;
    return ag_listener_open(l, &tap_alloc, AG_LISTENER_V4, 0, AG_LIT("/callback"), &e) &&
           ag_listener_expect(l, AG_LIT(STATE));
}

/* A client that has sent text; -1: it could not. */
static int stranger(const ag_listener *l, const char *text)
{
    struct sockaddr_in a;
    size_t n = strlen(text);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons(l->port);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0 && send(fd, text, n, MSG_NOSIGNAL) == (ssize_t)n)
        return fd;
    return -1;
}

static void heard_signals(void)
{
    struct sigaction action, before;
    struct itimerval soon = { { 0, 0 }, { 0, 20000 } };
    ag_listener l;
    ag_err e;
    ag_listener_got got;
    OK(opens(&l), "a listener");
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    (void)sigaction(SIGALRM, &action, &before);
    (void)setitimer(ITIMER_REAL, &soon, NULL);
    got = ag_listener_poll(&l, 600 * 1000, &e);
    (void)sigaction(SIGALRM, &before, NULL);
    OK(got == AG_LISTENER_NOTHING && signals == 1, "a signal ends the wait, and nothing else");
    ag_listener_free(&l);
}

/* Who has ended and then resets makes the next send raise SIGPIPE, unless that is asked not to. */
static void survives_sigpipe(void)
{
    static const struct linger at_once = { 1, 0 };
    ag_listener l;
    ag_err e;
    bool good = opens(&l);
    int i;
    for (i = 0; i < 3 && good; i++) {
        int fd = stranger(&l, i == 2 ? GET("/callback?state=" STATE) : GET("/nothing"));
        good = fd >= 0 && shutdown(fd, SHUT_WR) == 0 &&
               setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0 && close(fd) == 0;
        if (i < 2)
            good = good && ag_listener_poll(&l, 50, &e) == AG_LISTENER_NOTHING;
        else
            good = good && ag_listener_poll(&l, 50, &e) == AG_LISTENER_TAKEN;
    }
    OK(good, "answering one that has gone kills nobody, and what it brought is there");
    ag_listener_free(&l);
}

static void wipes(void)
{
    static const char *const texts[] = {
        GET("/callback?code=canary-code&state=" STATE), GET("/callback?code=canary-code&state=wrong"),
        GET("/canary-path"), "GET /callback?code=canary-code", "GET /callback?code=canary-code HTTP/1.1\r\nX: y\r\n",
    };
    size_t i;
    ag_err e;
    tap_canary = "canary";
    tap_unwiped = 0;
    for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ag_listener l;
        bool good = opens(&l);
        int fd = stranger(&l, texts[i]);
        ag_listener_got got = ag_listener_poll(&l, 50, &e);
        good = good && fd >= 0 && got == (i == 0 ? AG_LISTENER_TAKEN : AG_LISTENER_NOTHING);
        if (i == 0)
            good = good && tap_str_is(&l.target, "/callback?code=canary-code&state=" STATE) && l.state.p == NULL;
        if (i == 0)
            ag_listener_forget(&l);
        ag_listener_free(&l);
        ag_listener_free(&l);
        (void)close(fd);
        OK(good && tap_unwiped == 0 && tap_live == 0, tap_name("wiped and freed", texts[i]));
    }
    tap_canary = NULL;
}

/* A close with bytes unread would be a reset, and some browsers would show that in place of the page. */
static void ends_softly(void)
{
    char got[2048];
    ag_listener l;
    ag_err e;
    bool good = opens(&l);
    size_t all = 0;
    ssize_t n;
    int fd = stranger(&l, GET("/callback?state=" STATE) "more");
    good = good && fd >= 0 && ag_listener_poll(&l, 50, &e) == AG_LISTENER_TAKEN && send(fd, "and more", 8, MSG_NOSIGNAL) == 8;
    ag_listener_free(&l);
    while ((n = recv(fd, got + all, sizeof got - 1 - all, 0)) > 0)
        all += (size_t)n;
    got[all] = '\0';
    OK(good && n == 0 && strstr(got, "</html>") != NULL, "the page ends with an end, not a reset");
    (void)close(fd);
}

int main(void)
{
    ends_softly();
    heard_signals();
    survives_sigpipe();
    wipes();
    return tap_end();
}
