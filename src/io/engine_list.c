/* engine_list: how jobs pass between the two threads; see engine_private.h. Must never
 * wait, lock or allocate. */
#include "io/engine_private.h"

static void ref(ag_job *j)
{
    (void)atomic_fetch_add_explicit(&j->refs, 1, memory_order_relaxed);
}

static void push_own(ag_core *c, ag_job *j)
{
    ag_job *head = atomic_load(&c->own_list);
    do
        j->own_next = head;
    while (!atomic_compare_exchange_weak(&c->own_list, &head, j));
}

/* True: the list was empty before. */
static bool push_host(ag_core *c, ag_job *j)
{
    ag_job *head = atomic_load(&c->host_list);
    do
        j->host_next = head;
    while (!atomic_compare_exchange_weak(&c->host_list, &head, j));
    return head == NULL;
}

ag_job *ag_core_take_own(ag_core *c)
{
    ag_job *j = atomic_exchange(&c->own_list, NULL), *oldest = NULL;
    while (j != NULL) {
        ag_job *next = j->own_next;
        j->own_next = oldest;
        oldest = j;
        j = next;
    }
    return oldest;
}

ag_job *ag_core_take_host(ag_core *c)
{
    ag_job *j = atomic_exchange(&c->host_list, NULL), *oldest = NULL;
    while (j != NULL) {
        ag_job *next = j->host_next;
        j->host_next = oldest;
        oldest = j;
        j = next;
    }
    return oldest;
}

void ag_core_wake(ag_core *c)
{
    if (!atomic_exchange(&c->own_woken, true))
        ag_wake_set(&c->own_wake);
}

void ag_core_order(ag_core *c, ag_job *j, unsigned order, bool patient)
{
    int attention;
    (void)atomic_fetch_or(&j->orders, order);
    if (!atomic_exchange(&j->own_queued, true)) {
        ref(j);
        push_own(c, j);
    }
    if (patient)
        atomic_store(&c->has_patient, true);
    attention = atomic_load(&c->attention);
    if (attention == AG_ASLEEP || (attention == AG_NAPPING && !patient))
        ag_core_wake(c);
}

static void hand_over(ag_core *c, ag_job *j)
{
    if (push_host(c, j) && atomic_load(&c->has_host_wake) && !atomic_exchange(&c->host_woken, true))
        ag_wake_set(&c->host_wake);
}

void ag_core_tell(ag_core *c, ag_job *j, unsigned news)
{
    (void)atomic_fetch_or(&j->news, news);
    if (atomic_exchange(&j->host_queued, true))
        return;
    ref(j);
    hand_over(c, j);
}

/* The list has the reference then, so that the host is the one who gives back the last. */
void ag_core_tell_last(ag_core *c, ag_job *j, unsigned news)
{
    (void)atomic_fetch_or(&j->news, news);
    if (atomic_exchange(&j->host_queued, true))
        ag_job_unref_own(c, j);
    else
        hand_over(c, j);
}
