/* browser: shows a web page in the user's browser. One browser_*.c per kind of system.
 * No shell is ever asked, and nothing of ours (descriptors, signals, terminal) goes along.
 *
 * Linux is built and tested; Windows is compiled only; macOS is written by care. */
#ifndef AG_IO_BROWSER_H
#define AG_IO_BROWSER_H

#include <stdbool.h>

#include "core/alloc.h"
#include "core/err.h"

/* url: http or https, NUL-terminated after n bytes. True: the launcher was started; what becomes
 * of it nobody knows. False: e is AG_E_BROWSER; AG_E_INVALID_URL where the URL is refused. */
bool ag_browser_open(ag_view url, ag_err *e);

/* Is there a screen to show it on, and something to start? A guess from the environment. */
bool ag_browser_available(void);

/* The system's part of ag_browser_open. url has been checked. */
bool ag_browser_launch(const char *url, ag_err *e);

#endif
