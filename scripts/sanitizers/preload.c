/* preload: goes into the Lua under test together with ASan's runtime, and nowhere else:
 * what that Lua starts (shells, servers) is not ours to check. Must never do anything in
 * a build that is installed. */
#include <stdlib.h>

/* A module that is gone has no names in a stack trace. */
int dlclose(void *handle);
int dlclose(void *handle)
{
    (void)handle;
    return 0;
}

__attribute__((constructor)) static void only_here(void)
{
    (void)unsetenv("LD_PRELOAD");
}
