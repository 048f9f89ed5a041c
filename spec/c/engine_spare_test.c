/* The engine's spare jobs: what a request costs once there are some, and what is kept when nothing is under way. */
#include "engine_test.h"

enum { MANY = 200, SIZE = 12000 };

static bool answered(ag_engine *g, ag_settings *s, const char *path, int times)
{
    bool good = true;
    while (times-- > 0)
        good = et_status(g, s, et_url("http", path)) == 200 && good;
    return good;
}

static void one_by_one(ag_engine *g, ag_settings *s)
{
    OK(answered(g, s, "/bytes/100", 20), "twenty to begin with");
    ag_alloc_test_set(0);
    OK(answered(g, s, "/bytes/100", 200), "two hundred more");
    printf("# %ld allocations\n", ag_alloc_test_count());
    OK(ag_alloc_test_count() <= 220, "which allocate no more than the place in the line for each");
}

/* Closed at once: our thread gives these back. */
static void cancelled(ag_engine *g, ag_settings *s)
{
    int i;
    for (i = 0; i < MANY; i++) {
        ag_transfer_request r = et_get(s, et_url("http", i % 2 == 0 ? "/bytes/100" : "/stall"));
        ag_err e;
        ag_job *j = ag_engine_submit(g, &r, &e);
        if (i % 3 == 0)
            (void)ag_engine_wait(g, 0.001);
        ag_job_close(j);
    }
    OK(answered(g, s, "/bytes/100", 5), "others after many that were cancelled");
}

static void many_large(ag_engine *g, ag_settings *s)
{
    static ag_job *jobs[MANY];
    char path[40];
    int64_t before = ag_alloc_test_bytes(), after;
    int i, good = 0;
    size_t taken;
    ag_err e;
    (void)snprintf(path, sizeof path, "/bytes/%d", SIZE);
    for (i = 0; i < MANY; i++) {
        ag_transfer_request r = et_get(s, et_url("http", path));
        jobs[i] = ag_engine_submit(g, &r, &e);
    }
    for (i = 0; i < MANY; i++) {
        good += et_finish(g, jobs[i], &taken) == AG_STEP_DONE && ag_job_body(jobs[i]).n == SIZE;
        ag_job_close(jobs[i]);
    }
    after = ag_alloc_test_bytes();
    printf("# %d answers of %d bytes at once leave %ld bytes\n", MANY, SIZE, (long)(after - before));
    OK(good == MANY && after - before < (int64_t)MANY * SIZE / 2, "many at once leave little where nothing is under way");
}

int main(void)
{
    ag_settings *s;
    ag_engine *g;
    ag_err e;
    int64_t blocks;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (!OK(et_serve(), "the server"))
        return tap_end();
    s = et_settings();
    blocks = ag_alloc_test_blocks();
    g = ag_engine_new(&ag_alloc_default, &e);
    one_by_one(g, s);
    cancelled(g, s);
    many_large(g, s);
    one_by_one(g, s);
    ag_engine_stop(g);
    ag_engine_unref(g);
    OK(ag_alloc_test_blocks() == blocks, "nothing is left of all this");
    ag_settings_unref(s);
    et_stop_server();
    return tap_end();
}
