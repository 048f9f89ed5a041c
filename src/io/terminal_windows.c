/* terminal_windows: see terminal.h. Compiled by the cross build and never run: see platform.h. */
#include "io/terminal.h"

#ifdef _WIN32

#include <io.h>

bool ag_terminal_is(int fd)
{
    return _isatty(fd) != 0;
}

void ag_terminal_fill_streams(void)
{
}

void ag_terminal_interrupt_ends(bool on)
{
    (void)on; /* a read from the console ends with Ctrl-C there */
}

#else
typedef int ag_terminal_windows_unused; /* ISO C wants something in every file */
#endif
