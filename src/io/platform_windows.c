/* platform_windows: the platform's answers on Windows. Compiled, not run. Paths
 * are UTF-8 everywhere but in the calls of the system. */
#include "io/platform.h"

#ifdef _WIN32

#define _CRT_RAND_S
#include <errno.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#define FIRST_OF_1970 116444736000000000LL /* in the 100 ns since 1601 */

bool ag_platform_now(int64_t *boot_ms, int64_t *wall_ms)
{
    FILETIME t;
    GetSystemTimePreciseAsFileTime(&t);
    *wall_ms = ((int64_t)(((uint64_t)t.dwHighDateTime << 32) | t.dwLowDateTime) - FIRST_OF_1970) / 10000;
    *boot_ms = (int64_t)GetTickCount64(); /* goes on while the system sleeps */
    return true;
}

bool ag_platform_boot_id(char out[40])
{
    memset(out, 0, 40);
    return false;
}

static bool to_utf8(const wchar_t *text, char *out, size_t n)
{
    int size = n > 32767 ? 32767 : (int)n;
    if (size > 0 && WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, text, -1, out, size, NULL, NULL) > 0)
        return true;
    if (n > 0)
        out[0] = '\0';
    return false;
}

static void without_end(char *path)
{
    size_t n = strlen(path);
    while (n > 3 && ag_platform_is_separator(path[n - 1])) /* not of C:\ */
        path[--n] = '\0';
}

bool ag_platform_data_dir(char *out, size_t n)
{
    const wchar_t *dir = _wgetenv(L"LOCALAPPDATA");
    if (dir != NULL && dir[0] != L'\0' && to_utf8(dir, out, n)) {
        without_end(out);
        return true;
    }
    if (n > 0)
        out[0] = '\0';
    return false;
}

bool ag_platform_absolute(const char *path, char *out, size_t n)
{
    wchar_t wide[4096], full[4096];
    DWORD size;
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, 4096) == 0)
        return false;
    size = GetFullPathNameW(wide, 4096, full, NULL);
    if (size == 0 || size >= 4096 || !to_utf8(full, out, n))
        return false;
    without_end(out);
    return true;
}

bool ag_platform_is_separator(char c)
{
    return c == '/' || c == '\\';
}

long ag_platform_pid(void)
{
    return (long)GetCurrentProcessId();
}

const char *ag_platform_strerror(int err, char *out, size_t n)
{
    if (strerror_s(out, n, err) != 0)
        (void)snprintf(out, n, "error %d", err);
    return out;
}

int ag_platform_fsync(int fd)
{
    return _commit(fd);
}

int ag_platform_random(void *out, size_t n)
{
    unsigned char *p = out;
    unsigned int value;
    size_t i;
    for (i = 0; i < n; i++) {
        if (rand_s(&value) != 0) {
            errno = EIO;
            return -1;
        }
        p[i] = (unsigned char)(value & 0xff);
    }
    return 0;
}

#else
typedef int ag_platform_windows_unused; /* ISO C wants something in every file */
#endif
