/* spawn: runs commands in turn, ROUNDS times, and prints for each of them, a line per round,
 * how long the process took from its start to its end in us: wall clock and CPU time.
 * Must never go through a shell. Usage: spawn ROUNDS COMMAND ARG... -- COMMAND ARG... */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double us(struct timeval t)
{
    return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

static int run(char **command)
{
    struct rusage used;
    double started = now();
    pid_t pid;
    int status;
    if (posix_spawnp(&pid, command[0], NULL, NULL, command, environ) != 0 || wait4(pid, &status, 0, &used) != pid
            || status != 0)
        return 0;
    printf("%.1f %.1f ", now() - started, us(used.ru_utime) + us(used.ru_stime));
    return 1;
}

int main(int argc, char **argv)
{
    char **commands[16];
    int n = 1, i;
    long rounds = argc > 2 ? atol(argv[1]) : 0;
    commands[0] = argv + 2;
    for (i = 2; i < argc && n < 16; i++) {
        if (strcmp(argv[i], "--") == 0) {
            argv[i] = NULL;
            commands[n++] = argv + i + 1;
        }
    }
    while (rounds-- > 0) {
        for (i = 0; i < n; i++)
            if (!run(commands[i]))
                return 1;
        printf("\n");
    }
    return 0;
}
