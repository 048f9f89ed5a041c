/* platform_posix: what platform_linux.c and platform_macos.c share. For these two only;
 * everybody else includes io/platform.h. */
#ifndef AG_IO_PLATFORM_POSIX_H
#define AG_IO_PLATFORM_POSIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

bool ag_posix_clock_ms(clockid_t id, int64_t *ms);

/* Copies dir and rest to out, without the slashes at the end of dir. False, and out
 * empty: there is no room. */
bool ag_posix_join(const char *dir, const char *rest, char *out, size_t n);

/* `below` within the home directory: `home` where that is an absolute path, or else the
 * one that the user database has. False, and out empty: there is none, or no room. */
bool ag_posix_home_dir(const char *home, const char *below, char *out, size_t n);

#endif
