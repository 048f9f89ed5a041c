/* thread_windows: see thread.h. Compiled in every lint, not yet run anywhere. */
#include "io/thread.h"

#ifdef _WIN32

#include <process.h>
#include <windows.h>

static unsigned __stdcall begin(void *arg)
{
    ag_thread *t = arg;
    t->fn(t->arg);
    return 0;
}

bool ag_thread_start(ag_thread *t, void (*fn)(void *), void *arg)
{
    t->fn = fn;
    t->arg = arg;
    t->handle = (void *)_beginthreadex(NULL, 0, begin, t, 0, NULL);
    return t->handle != NULL;
}

void ag_thread_join(ag_thread *t)
{
    (void)WaitForSingleObject(t->handle, INFINITE);
    (void)CloseHandle(t->handle);
}

#else
typedef int ag_thread_windows_unused; /* ISO C wants something in every file */
#endif
