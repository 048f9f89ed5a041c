/* engine_test.h: what the C tests of the engine share: the server, jobs to their end, and what is held by this process. */
#ifndef AG_SPEC_ENGINE_TEST_H
#define AG_SPEC_ENGINE_TEST_H

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io/engine.h"
#include "io/sleep.h"
#include "tap.h"

static char et_line[2000], et_ca[300];
static FILE *et_server;

static inline double et_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* One of the server's ports. */
static inline int et_port(const char *name)
{
    char key[40];
    const char *at;
    (void)snprintf(key, sizeof key, "%s=", name);
    for (at = et_line; (at = strstr(at, key)) != NULL; at++)
        if (at == et_line || at[-1] == ' ')
            return atoi(at + strlen(key));
    return 0;
}

static inline bool et_serve(void)
{
    const char *ca;
    et_server = popen("exec node spec/support/raw_server.mjs", "r");
    if (et_server == NULL || fgets(et_line, sizeof et_line, et_server) == NULL || (ca = strstr(et_line, "ca=")) == NULL)
        return false;
    (void)sscanf(ca + 3, "%299s", et_ca);
    return et_port("http") > 0;
}

static inline void et_stop_server(void)
{
    (void)kill((pid_t)et_port("pid"), SIGTERM);
    (void)pclose(et_server);
}

static inline const char *et_url(const char *kind, const char *path)
{
    static char url[300];
    bool tls = strncmp(kind, "tls", 3) == 0 && strcmp(kind, "tls_silent") != 0;
    (void)snprintf(url, sizeof url, "%s://%s:%d%s", tls ? "https" : "http", tls ? "localhost" : "127.0.0.1", et_port(kind), path);
    return url;
}

static inline ag_settings *et_settings(void)
{
    ag_settings_options o = { .proxy = "", .ca_file = et_ca };
    ag_err e;
    return ag_settings_new(&ag_alloc_default, &o, &e);
}

static inline ag_transfer_request et_get(ag_settings *s, const char *url)
{
    return (ag_transfer_request){ .settings = s, .method = AG_LIT("GET"), .url = ag_view_of(url), .source_length = -1,
                                  .timeout = 60, .max_body = -1 };
}

/* Waits for the end; takes chunks, feeds nothing more. */
static inline ag_step et_finish(ag_engine *g, ag_job *j, size_t *taken)
{
    double until = et_now() + 120;
    *taken = 0;
    while (et_now() < until) {
        switch (ag_job_step(j)) {
        case AG_STEP_HEADERS:
            ag_job_accept(j, AG_ACCEPT_STREAM);
            break;
        case AG_STEP_CHUNK:
            *taken += ag_job_body(j).n;
            ag_job_body_taken(j);
            break;
        case AG_STEP_NEED:
            (void)ag_job_feed(j, (ag_view){ NULL, 0 });
            break;
        case AG_STEP_DONE:
            return AG_STEP_DONE;
        case AG_STEP_ERROR:
            return AG_STEP_ERROR;
        case AG_STEP_WAIT:
            while (ag_engine_ready(g) != NULL)
                ;
            (void)ag_engine_wait(g, 0.1);
            break;
        }
    }
    return AG_STEP_WAIT;
}

/* What went wrong with a job. */
static inline ag_err et_error(const ag_job *j)
{
    ag_err e;
    ag_job_error(j, &e);
    return e;
}

/* The status of one request, or 0. */
static inline int et_status(ag_engine *g, ag_settings *s, const char *url)
{
    ag_transfer_request r = et_get(s, url);
    size_t taken;
    ag_err e;
    ag_job *j = ag_engine_submit(g, &r, &e);
    int status = 0;
    if (j == NULL)
        return 0;
    if (et_finish(g, j, &taken) == AG_STEP_DONE)
        status = ag_job_status(j);
    else
        printf("# %s\n", et_error(j).message);
    ag_job_close(j);
    return status;
}

static inline int et_entries(const char *dir)
{
    DIR *d = opendir(dir);
    int n = 0;
    if (d == NULL)
        return -1;
    while (readdir(d) != NULL)
        n++;
    (void)closedir(d);
    return n;
}

/* Descriptors, threads and blocks of memory that are held. */
typedef struct et_held {
    int descriptors, threads;
    long blocks;
} et_held;

static inline et_held et_hold(void)
{
    return (et_held){ et_entries("/proc/self/fd"), et_entries("/proc/self/task"), ag_alloc_test_blocks() };
}

/* As before? Threads that look names up end a little later than whoever asked them to. */
static inline bool et_same(et_held before)
{
    double until = et_now() + 10;
    et_held now = et_hold();
    while ((now.threads != before.threads || now.descriptors != before.descriptors) && et_now() < until) {
        ag_sleep(0.01);
        now = et_hold();
    }
    if (now.descriptors == before.descriptors && now.threads == before.threads && now.blocks == before.blocks)
        return true;
    printf("# descriptors %d, threads %d, blocks %ld more\n", now.descriptors - before.descriptors,
           now.threads - before.threads, now.blocks - before.blocks);
    return false;
}

#endif
