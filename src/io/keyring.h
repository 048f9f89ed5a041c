/* keyring: one call to the system's secret store, which keeps a key of 32 bytes for a service and an account of this
 * user. It may take long (a person may be asked for a password), so it is made on a thread of its own and asked
 * whether it is over. What each system has stands in its platform_*_keyring.c:
 * Linux is built and tested; Windows is compiled only; macOS is written by care.
 * Must never write a key anywhere else, nor put one in a message. */
#ifndef AG_IO_KEYRING_H
#define AG_IO_KEYRING_H

#include <stdatomic.h>

#include "core/err.h"
#include "io/thread.h"

enum { AG_KEYRING_KEY = 32, AG_KEYRING_NAME = 256 };

typedef enum ag_keyring_what { AG_KEYRING_GET, AG_KEYRING_SET, AG_KEYRING_DEL } ag_keyring_what;

typedef struct ag_keyring {
    ag_keyring_what what;
    char service[AG_KEYRING_NAME], account[AG_KEYRING_NAME]; /* UTF-8 */
    unsigned char key[AG_KEYRING_KEY]; /* to keep, or what was found */
    bool found;         /* GET: there is one */
    bool ok;            /* else err says why */
    ag_err err;
    void *platform;     /* the system's own, by which a call is cancelled */
    ag_thread thread;
    long pid;
    bool started;
    atomic_bool done;
} ag_keyring;

/* The call's fields up to `key` are set; k stays where it is until ag_keyring_end. False: it could not be started. */
bool ag_keyring_start(ag_keyring *k, ag_err *e);
/* Over? Then found, ok and err hold. Never waits. */
bool ag_keyring_is_done(ag_keyring *k);
/* Ends it, cancelled if it is not over, and wipes the key. Any number of times. */
void ag_keyring_end(ag_keyring *k);

/* The system's part. open and cancel are called by who started the call, run on its thread, close after it. */
bool ag_keyring_open_platform(ag_keyring *k, ag_err *e);
bool ag_keyring_run_platform(ag_keyring *k, ag_err *e);
void ag_keyring_cancel_platform(ag_keyring *k);
void ag_keyring_close_platform(ag_keyring *k);

#endif
