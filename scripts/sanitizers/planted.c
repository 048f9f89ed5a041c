/* planted: a module with the mistakes that the sanitizers are there to find, so that
 * scripts/sanitize can see them found. Must never be linked to the SDK. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

int luaopen_planted(void *L);

static int shared;

static void *race(void *arg)
{
    shared++;
    return arg;
}

static volatile int sink;

int luaopen_planted(void *L)
{
    const char *what = getenv("PLANTED");
    char *volatile p = malloc(16);
    (void)L;
    if (p == NULL || what == NULL)
        return 0;
    memset(p, 1, 16);
    if (strcmp(what, "race") == 0) {
        pthread_t one, two;
        if (pthread_create(&one, NULL, race, NULL) == 0 && pthread_create(&two, NULL, race, NULL) == 0) {
            (void)pthread_join(one, NULL);
            (void)pthread_join(two, NULL);
        }
    }
    if (strcmp(what, "overflow") == 0)
        sink = p[16 + sink];
    if (strcmp(what, "after-free") == 0) {
        free(p);
        sink = p[1];
        return 0;
    }
    if (strcmp(what, "shift") == 0)
        sink = 1 << (40 + sink);
    if (strcmp(what, "leak") != 0)
        free(p);
    p = NULL;
    return 0;
}
