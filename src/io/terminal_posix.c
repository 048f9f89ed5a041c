/* terminal_posix: see terminal.h. */
#include "io/terminal.h"

#ifndef _WIN32

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

bool ag_terminal_is(int fd)
{
    return isatty(fd) == 1;
}

void ag_terminal_fill_streams(void)
{
    int fd;
    for (fd = 0; fd <= 2; fd++) {
        /* The wrong way round on purpose. Those before it are taken, so it gets this number. */
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
            return;
    }
}

void ag_terminal_interrupt_ends(bool on)
{
    static struct sigaction before;
    static bool is_on;
    struct sigaction end;
    if (on == is_on)
        return;
    if (on) {
        memset(&end, 0, sizeof end);
        end.sa_handler = SIG_DFL;
        (void)sigemptyset(&end.sa_mask);
        is_on = sigaction(SIGINT, &end, &before) == 0;
    } else {
        (void)sigaction(SIGINT, &before, NULL);
        is_on = false;
    }
}

#else
typedef int ag_terminal_posix_unused; /* ISO C wants something in every file */
#endif
