/* engine_spare: jobs that are over, with the memory they had, for the next ones. What one thread allocates and the
 * other frees makes them wait for each other in malloc: a frame for our thread, which may have lost its processor. So
 * our thread frees nothing that the host has made, but leaves it to the host, and the host gives most of what either has
 * made out again.
 * The host's, but for ag_spare_leave. Must never hold much where nothing is under way. */
#include <stddef.h>
#include <string.h>

#include "io/engine_private.h"

/* What is larger is freed: copying it costs more than malloc, and a job that waits for its answer would hold as much more. */
enum { KEEP = 16 * 1024 };
enum { BUSY_BYTES = 4 * 1024 * 1024, IDLE_BYTES = 64 * 1024 };

/* All of it is allocated: the sum is a size. */
static size_t held(const ag_job *j)
{
    return sizeof *j + j->text.cap + j->headers.cap + j->chunk.cap + j->body.cap;
}

static void free_job(ag_job *j)
{
    ag_alloc a = j->a;
    ag_buffer_free(&a, &j->text, false);
    ag_buffer_free(&a, &j->headers, false);
    ag_buffer_free(&a, &j->chunk, false);
    ag_buffer_free(&a, &j->body, false);
    ag_free(&a, j);
}

static ag_job *pop(ag_engine *g)
{
    ag_job *j = g->spare;
    if (j == NULL)
        return NULL;
    g->spare = j->next;
    g->spare_bytes -= held(j);
    return j;
}

void ag_spare_trim(ag_engine *g)
{
    size_t most = g->stopped ? 0 : g->running > 0 ? BUSY_BYTES : IDLE_BYTES;
    while (g->spare_bytes > most)
        free_job(pop(g));
}

/* Nothing is left of what it was. */
static void put(ag_engine *g, ag_job *j)
{
    ag_job_wipe_request(j);
    ag_buffer_clear(&j->a, &j->text, KEEP, false);
    ag_buffer_clear(&j->a, &j->headers, KEEP, false);
    ag_buffer_clear(&j->a, &j->chunk, KEEP, j->secret);
    ag_buffer_clear(&j->a, &j->body, KEEP, j->secret);
    j->next = g->spare;
    g->spare = j;
    g->spare_bytes += held(j);
}

void ag_spare_put(ag_engine *g, ag_job *j)
{
    put(g, j);
    ag_spare_trim(g);
}

/* What came in from outside is our thread's memory. */
void ag_spare_leave(ag_core *c, ag_job *j)
{
    ag_job *head = atomic_load(&c->spent);
    ag_buffer_free(&j->a, &j->headers, false);
    ag_buffer_free(&j->a, &j->chunk, j->secret);
    ag_buffer_free(&j->a, &j->body, j->secret);
    do
        j->own_next = head;
    while (!atomic_compare_exchange_weak(&c->spent, &head, j));
}

void ag_spare_collect(ag_engine *g, ag_core *c)
{
    ag_job *j, *next;
    for (j = atomic_exchange(&c->spent, NULL); j != NULL; j = next) {
        next = j->own_next;
        put(g, j);
    }
    ag_spare_trim(g);
}

/* What it has room for stays with it. */
static void empty(ag_job *j)
{
    const ag_alloc a = j->a;
    const ag_buffer text = j->text, headers = j->headers, chunk = j->chunk, body = j->body;
    memset(j, 0, offsetof(ag_job, err));
    j->err.code = AG_E_NONE;
    j->a = a;
    j->text = text;
    j->headers = headers;
    j->chunk = chunk;
    j->body = body;
}

static ag_job *take(ag_engine *g)
{
    ag_job *j = pop(g);
    if (j != NULL) {
        empty(j);
        return j;
    }
    j = ag_new0(&g->a, sizeof *j);
    if (j != NULL)
        j->a = g->a;
    return j;
}

ag_job *ag_spare_take(ag_engine *g, size_t text_n)
{
    ag_job *j;
    if (g->spare == NULL && g->core != NULL)
        ag_spare_collect(g, g->core);
    j = take(g);
    if (j == NULL)
        return NULL;
    if (!ag_buffer_reserve(&j->a, &j->text, text_n, false)) {
        free_job(j);
        return NULL;
    }
    j->text.n = text_n;
    return j;
}
