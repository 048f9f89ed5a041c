/* transfer_pool: what outlives one exchange: the kept connections, the idle
 * transfers with their warm buffers, and the loop that moves all of them on.
 * Must never touch a connection it has inherited through a fork. */
#include "io/curl_global.h"
#include "io/transfer_private.h"

enum { KEEP_IDLE = 4, DEFAULT_CONNECTIONS = 16 };

ag_pool *ag_pool_new(const ag_alloc *a, ag_settings *s, long max_connections, ag_err *e)
{
    ag_pool *p;
    if (!ag_curl_global_init(e))
        return NULL;
    p = ag_new0(a, sizeof *p);
    if (p == NULL) {
        (void)ag_fail(e, AG_E_MEMORY, "out of memory");
        return NULL;
    }
    p->a = *a;
    p->refs = 1;
    p->forks = ag_curl_forks();
    p->keep_idle = KEEP_IDLE;
    p->max_connections = max_connections > 0 ? max_connections : DEFAULT_CONNECTIONS;
    ag_sockets_init(&p->sockets, a);
    if (s != NULL)
        ag_settings_ref(s);
    p->settings = s;
    return p;
}

void ag_pool_ref(ag_pool *p)
{
    p->refs++;
}

static void free_transfer(ag_transfer *t)
{
    ag_alloc a = t->pool->a;
    if (t->easy != NULL)
        curl_easy_cleanup(t->easy);
    curl_url_cleanup(t->parsed);
    ag_settings_unref(t->settings);
    ag_buffer_free(&a, &t->url, true);
    ag_buffer_free(&a, &t->header_text, true);
    ag_buffer_free(&a, &t->feed, true);
    ag_buffer_free(&a, &t->headers, false);
    ag_buffer_free(&a, &t->body, t->secret);
    ag_free(&a, t->header_nodes);
    ag_free(&a, t);
}

static void free_idle(ag_pool *p)
{
    while (p->idle != NULL) {
        ag_transfer *t = p->idle;
        p->idle = t->next;
        free_transfer(t);
    }
    p->idle_count = 0;
}

void ag_pool_close(ag_pool *p)
{
    ag_transfer *t;
    ag_sigpipe pipe;
    ag_pool_check_fork(p);
    p->closed = true;
    ag_sigpipe_begin(&pipe);
    for (t = p->busy; t != NULL; t = t->next) {
        ag_pool_remove(t);
        if (!t->finished)
            ag_transfer_lost(t, AG_E_CLOSED, "the client was closed during the transfer");
    }
    free_idle(p);
    if (p->multi != NULL)
        (void)curl_multi_cleanup(p->multi);
    p->multi = NULL;
    ag_sigpipe_end(&pipe);
}

void ag_pool_unref(ag_pool *p)
{
    ag_alloc a = p->a;
    if (--p->refs > 0)
        return;
    while (p->busy != NULL)
        ag_transfer_end(p->busy);
    ag_pool_close(p);
    ag_sockets_free(&p->sockets);
    ag_settings_unref(p->settings);
    ag_free(&a, p);
}

/* In a forked child: the handles are left as they are (freeing them would say goodbye on
 * the parent's connections), only the descriptors are closed. */
void ag_pool_check_fork(ag_pool *p)
{
    ag_transfer *t;
    unsigned forks = ag_curl_forks();
    if (forks == p->forks)
        return;
    p->forks = forks;
    p->multi = NULL;
    ag_sockets_forked(&p->sockets);
    for (t = p->idle; t != NULL; t = t->next)
        t->easy = NULL;
    free_idle(p);
    for (t = p->busy; t != NULL; t = t->next) {
        t->easy = NULL;
        t->in_multi = false;
        if (!t->finished)
            ag_transfer_lost(t, AG_E_NETWORK, "the process was forked during the transfer");
    }
}

static void use_settings(ag_transfer *t, ag_settings *s)
{
    ag_settings_ref(s);
    ag_settings_unref(t->settings);
    t->settings = s;
}

static ag_transfer *new_transfer(ag_pool *p, ag_settings *s, ag_err *e)
{
    ag_transfer *t = ag_new0(&p->a, sizeof *t);
    if (t == NULL) {
        (void)ag_fail(e, AG_E_MEMORY, "out of memory");
        return NULL;
    }
    t->pool = p;
    use_settings(t, s);
    t->easy = curl_easy_init();
    if (t->easy == NULL)
        (void)ag_fail(e, AG_E_MEMORY, "out of memory");
    if (t->easy == NULL || !ag_transfer_options_once(t, e)) {
        free_transfer(t);
        return NULL;
    }
    return t;
}

/* The idle one that was used last, of those with these settings; else one that is set anew. */
static ag_transfer *take_idle(ag_pool *p, ag_settings *s, ag_err *e)
{
    ag_transfer **at = &p->idle, *t;
    while (*at != NULL && (*at)->settings != s)
        at = &(*at)->next;
    if (*at == NULL)
        at = &p->idle;
    t = *at;
    *at = t->next;
    p->idle_count--;
    if (t->settings == s)
        return t;
    curl_easy_reset(t->easy);
    curl_url_cleanup(t->parsed);
    t->parsed = NULL;
    ag_buffer_clear(&p->a, &t->url, 0, true);
    t->set = (ag_easy_set){ 0 };
    use_settings(t, s);
    if (ag_transfer_options_once(t, e))
        return t;
    free_transfer(t);
    return NULL;
}

ag_transfer *ag_pool_take(ag_pool *p, ag_settings *s, ag_err *e)
{
    ag_transfer *t;
    ag_pool_check_fork(p);
    if (p->closed) {
        (void)ag_fail(e, AG_E_CLOSED, "the client is closed");
        return NULL;
    }
    if (p->multi == NULL && !ag_transfer_options_multi(p, e))
        return NULL;
    t = p->idle == NULL ? new_transfer(p, s, e) : take_idle(p, s, e);
    if (t == NULL)
        return NULL;
    t->prev = NULL;
    t->next = p->busy;
    if (p->busy != NULL)
        p->busy->prev = t;
    p->busy = t;
    return t;
}

static void forget_change(ag_transfer *t)
{
    ag_transfer **at = &t->pool->changed;
    if (!t->is_changed)
        return;
    while (*at != t)
        at = &(*at)->changed_next;
    *at = t->changed_next;
    t->is_changed = false;
}

void ag_pool_give_back(ag_transfer *t)
{
    ag_pool *p = t->pool;
    forget_change(t);
    if (t->prev != NULL)
        t->prev->next = t->next;
    else
        p->busy = t->next;
    if (t->next != NULL)
        t->next->prev = t->prev;
    t->prev = t->next = NULL;
    if (t->easy == NULL || p->closed || p->idle_count >= p->keep_idle) {
        free_transfer(t);
        return;
    }
    t->next = p->idle;
    p->idle = t;
    p->idle_count++;
}

void ag_pool_add(ag_transfer *t)
{
    if (curl_multi_add_handle(t->pool->multi, t->easy) == CURLM_OK)
        t->in_multi = true;
    else
        ag_transfer_lost(t, AG_E_MEMORY, "out of memory");
}

void ag_pool_remove(ag_transfer *t)
{
    ag_sigpipe pipe;
    if (!t->in_multi)
        return;
    ag_sigpipe_begin(&pipe);
    (void)curl_multi_remove_handle(t->pool->multi, t->easy);
    ag_sigpipe_end(&pipe);
    t->in_multi = false;
}

bool ag_pool_drive(ag_pool *p)
{
    ag_sigpipe pipe;
    CURLMcode code;
    int running;
    ag_sigpipe_begin(&pipe);
    code = curl_multi_perform(p->multi, &running);
    ag_sigpipe_end(&pipe);
    ag_pool_collect(p);
    return code == CURLM_OK;
}

void ag_pool_collect(ag_pool *p)
{
    CURLMsg *msg;
    int queued;
    while ((msg = curl_multi_info_read(p->multi, &queued)) != NULL) {
        char *ud = NULL;
        CURLcode result = msg->data.result;
        if (msg->msg == CURLMSG_DONE && curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &ud) == CURLE_OK &&
            ud != NULL)
            ag_transfer_finish((ag_transfer *)(void *)ud, result);
    }
}

void ag_pool_poll(ag_pool *p, int ms)
{
    (void)curl_multi_poll(p->multi, NULL, 0, ms, NULL);
}
