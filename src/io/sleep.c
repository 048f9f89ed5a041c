/* sleep: see sleep.h. Must never spin. */
#include "io/sleep.h"

#ifdef _WIN32
#include <windows.h>

void ag_sleep(double seconds)
{
    if (seconds > 0)
        Sleep((DWORD)((seconds < 3600 ? seconds : 3600) * 1000));
}

double ag_clock(void)
{
    LARGE_INTEGER count, frequency;
    if (!QueryPerformanceCounter(&count) || !QueryPerformanceFrequency(&frequency))
        return 0;
    return (double)count.QuadPart / (double)frequency.QuadPart;
}
#else
#include <time.h>

void ag_sleep(double seconds)
{
    struct timespec t;
    if (!(seconds > 0))
        return;
    if (seconds > 3600)
        seconds = 3600;
    t.tv_sec = (time_t)seconds;
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    (void)nanosleep(&t, NULL);
}

double ag_clock(void)
{
    struct timespec t = { 0, 0 };
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
#endif
