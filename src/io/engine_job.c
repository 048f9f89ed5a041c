/* engine_job: one exchange as the host holds it. See engine_private.h for what belongs
 * to whom. Must never wait for the thread. */
#include <stdint.h>
#include <string.h>

#include "io/engine_private.h"

/* --- made and freed ----------------------------------------------------- */

static bool measure(const ag_transfer_request *r, size_t *n)
{
    return ag_size_add(r->method.n, r->url.n, n) && ag_size_add(*n, r->headers.n, n) &&
           ag_size_add(*n, r->body.n, n) && ag_size_add(*n, 1, n);
}

static ag_view copy(char **at, ag_view v)
{
    ag_view out = { v.p == NULL ? NULL : *at, v.n };
    if (v.n > 0)
        memcpy(*at, v.p, v.n);
    *at += v.n;
    return out;
}

ag_job *ag_job_new(ag_engine *g, const ag_transfer_request *r, ag_err *e)
{
    size_t n;
    ag_job *j = measure(r, &n) ? ag_spare_take(g, n) : NULL;
    char *at;
    if (j == NULL) {
        (void)ag_fail(e, AG_E_MEMORY, "out of memory");
        return NULL;
    }
    atomic_init(&j->refs, 2); /* the handle's and the thread's */
    atomic_init(&j->pieces, NULL);
    j->request = *r;
    at = j->text.p;
    j->request.url = copy(&at, r->url);
    *at++ = '\0';
    j->request.method = copy(&at, r->method);
    j->request.headers = copy(&at, r->headers);
    j->request.body = copy(&at, r->body);
    ag_settings_ref(r->settings);
    j->secret = r->secret;
    j->sent = true; /* while nobody knows */
    j->engine = g;
    ag_engine_ref(g);
    j->id = ++g->last_id;
    j->next = g->jobs;
    if (g->jobs != NULL)
        g->jobs->prev = j;
    g->jobs = j;
    g->running++;
    return j;
}

void ag_piece_free(const ag_alloc *a, ag_piece *p)
{
    ag_free_wiped(a, p, sizeof *p + p->n);
}

ag_piece *ag_job_pieces(ag_job *j)
{
    ag_piece *p = atomic_exchange(&j->pieces, NULL), *oldest = NULL;
    while (p != NULL) {
        ag_piece *next = p->next;
        p->next = oldest;
        oldest = p;
        p = next;
    }
    return oldest;
}

void ag_job_wipe_request(ag_job *j)
{
    ag_piece *p = ag_job_pieces(j);
    while (p != NULL) {
        ag_piece *next = p->next;
        ag_piece_free(&j->a, p);
        p = next;
    }
    ag_buffer_clear(&j->a, &j->text, SIZE_MAX, true);
    ag_settings_unref(j->request.settings);
    j->request = (ag_transfer_request){ 0 };
}

static bool drop(ag_job *j)
{
    return atomic_fetch_sub_explicit(&j->refs, 1, memory_order_acq_rel) == 1;
}

void ag_job_unref(ag_engine *g, ag_job *j)
{
    if (drop(j))
        ag_spare_put(g, j);
}

void ag_job_unref_own(ag_core *c, ag_job *j)
{
    if (drop(j))
        ag_spare_leave(c, j);
}

/* --- its end ------------------------------------------------------------- */

static bool is_over(const ag_job *j)
{
    return j->over || j->lost;
}

void ag_job_see(ag_job *j, unsigned news)
{
    if ((news & AG_NEWS_OVER) == 0 || is_over(j))
        return;
    j->over = true;
    j->engine->running--;
}

void ag_job_lose(ag_job *j, ag_err_code code, const char *text)
{
    if (is_over(j))
        return;
    j->lost = true;
    j->engine->running--;
    j->lost_code = code;
    j->lost_why = text;
}

/* Not a byte of what the other thread may have been changing is looked at again. */
void ag_job_orphan(ag_job *j)
{
    atomic_store(&j->refs, 1);
    atomic_store(&j->pieces, NULL);
    atomic_store(&j->host_queued, false);
    if (j->over)
        return;
    atomic_store(&j->news, 0);
    j->request = (ag_transfer_request){ 0 };
    j->text = j->headers = j->chunk = j->body = (ag_buffer){ 0 };
}

/* --- what the host does with it ------------------------------------------ */

static void order(ag_job *j, unsigned what)
{
    if (!is_over(j) && j->engine->core != NULL)
        ag_core_order(j->engine->core, j, what, j->engine->patient);
}

ag_step ag_job_step(ag_job *j)
{
    unsigned news;
    ag_engine_check(j->engine);
    news = atomic_load(&j->news);
    ag_job_see(j, news);
    if (j->lost || (j->over && j->err.code != AG_E_NONE))
        return AG_STEP_ERROR;
    if ((news & AG_NEWS_HEADERS) != 0)
        return AG_STEP_HEADERS;
    if ((news & AG_NEWS_CHUNK) != 0)
        return AG_STEP_CHUNK;
    if (j->over)
        return AG_STEP_DONE;
    return (news & AG_NEWS_NEED) != 0 ? AG_STEP_NEED : AG_STEP_WAIT;
}

void ag_job_accept(ag_job *j, ag_accept how)
{
    if (j->accepted || (atomic_load(&j->news) & AG_NEWS_HEADERS) == 0)
        return;
    j->accepted = true;
    (void)atomic_fetch_and(&j->news, ~(unsigned)AG_NEWS_HEADERS);
    atomic_store(&j->how, (int)how);
    order(j, AG_ORDER_ACCEPT);
}

bool ag_job_feed(ag_job *j, ag_view piece)
{
    size_t size;
    ag_piece *p, *head;
    if (is_over(j))
        return true;
    if (piece.p == NULL)
        piece.n = 0;
    p = ag_size_add(sizeof *p, piece.n, &size) ? ag_resize(&j->a, NULL, size) : NULL;
    if (p == NULL) {
        order(j, AG_ORDER_CANCEL);
        ag_job_lose(j, AG_E_MEMORY, "out of memory");
        return false;
    }
    p->n = piece.n;
    p->last = piece.p == NULL;
    if (piece.n > 0)
        memcpy(p + 1, piece.p, piece.n);
    head = atomic_load(&j->pieces);
    do
        p->next = head;
    while (!atomic_compare_exchange_weak(&j->pieces, &head, p));
    (void)atomic_fetch_and(&j->news, ~(unsigned)AG_NEWS_NEED);
    order(j, AG_ORDER_FEED);
    return true;
}

int ag_job_status(const ag_job *j)
{
    return j->status;
}

ag_view ag_job_headers(const ag_job *j)
{
    return ag_buffer_view(&j->headers);
}

ag_view ag_job_body(const ag_job *j)
{
    return ag_buffer_view((atomic_load(&j->news) & AG_NEWS_CHUNK) != 0 ? &j->chunk : &j->body);
}

void ag_job_body_taken(ag_job *j)
{
    if ((atomic_load(&j->news) & AG_NEWS_CHUNK) == 0)
        return;
    ag_buffer_clear(&j->a, &j->chunk, j->over ? 0 : SIZE_MAX, j->secret);
    (void)atomic_fetch_and(&j->news, ~(unsigned)AG_NEWS_CHUNK);
    order(j, AG_ORDER_TAKEN);
}

bool ag_job_collected(const ag_job *j)
{
    return j->collected;
}

const char *ag_job_http_version(const ag_job *j)
{
    return j->version;
}

void ag_job_error(const ag_job *j, ag_err *e)
{
    if (j->lost)
        (void)ag_fail(e, j->lost_code, "%s", j->lost_why);
    else
        *e = j->err;
}

bool ag_job_sent(const ag_job *j)
{
    return j->over ? j->sent : true;
}

uint64_t ag_job_id(const ag_job *j)
{
    return j->id;
}

void ag_job_set_tag(ag_job *j, size_t tag)
{
    j->tag = tag;
}

size_t ag_job_tag(const ag_job *j)
{
    return j->tag;
}

void ag_job_close(ag_job *j)
{
    ag_engine *g = j->engine;
    ag_engine_check(g);
    order(j, AG_ORDER_CANCEL);
    if (!is_over(j)) {
        j->lost = true;
        g->running--;
    }
    j->closed = true;
    if (j->prev != NULL)
        j->prev->next = j->next;
    else
        g->jobs = j->next;
    if (j->next != NULL)
        j->next->prev = j->prev;
    j->engine = NULL;
    ag_job_unref(g, j);
    if (g->running == 0)
        ag_spare_trim(g);
    ag_engine_unref(g);
}
