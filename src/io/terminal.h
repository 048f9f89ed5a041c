/* terminal: what a command-line tool asks of the terminal. Must never be used by the library itself: signals and
 * terminals are the program's. */
#ifndef AG_IO_TERMINAL_H
#define AG_IO_TERMINAL_H

#include <stdbool.h>

/* Is the descriptor (0, 1, 2) a terminal? */
bool ag_terminal_is(int fd);

/* Where standard input, output or error are closed, what is opened next would get their numbers, and what is printed would
 * go there: into a connection, or the session's file. Fills those places with what can be neither read nor written. */
void ag_terminal_fill_streams(void);

/* true: Ctrl-C ends the process, as it does without a handler, for who waits in a read. false: back to what was. Any
 * number of times; one thread. */
void ag_terminal_interrupt_ends(bool on);

#endif
