/* platform: the few questions every system answers in its own way. One
 * platform_*.c per system answers them all; each file compiles to nothing on the
 * other systems. Must never know what a session, a token or Lua is.
 *
 * Linux is built and tested; Windows is compiled only; macOS is written by care. */
#ifndef AG_IO_PLATFORM_H
#define AG_IO_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* boot_ms: milliseconds since this system started, time asleep included, never
 * set back. wall_ms: milliseconds since 1970 UTC, which may jump. false: no clock. */
bool ag_platform_now(int64_t *boot_ms, int64_t *wall_ms);

/* A string that differs between two starts of the system. false, and "": unknown. */
bool ag_platform_boot_id(char out[40]);

/* The directory where a user's programs keep data, absolute, without a slash at
 * its end. false: unknown or longer than n, and out is "". Nothing is created. */
bool ag_platform_data_dir(char *out, size_t n);

/* path as an absolute one (against the current directory), symbolic links left
 * alone. false: too long, or no current directory. */
bool ag_platform_absolute(const char *path, char *out, size_t n);

/* Does c stand between the parts of a path? */
bool ag_platform_is_separator(char c);

/* The process now running: differs between a parent and its forked child. */
long ag_platform_pid(void);

/* What the errno value err means, in out; returns out. Safe in threads. */
const char *ag_platform_strerror(int err, char *out, size_t n);

/* fd's bytes to the medium itself, as far as the system can: 0, or -1 and errno. */
int ag_platform_fsync(int fd);

/* n bytes nobody can guess: 0, or -1 and errno. n is at most 256. */
int ag_platform_random(void *out, size_t n);

#endif
