/* transfer_settings: what differs between the clients that share an engine. Must
 * never change once it is made: several threads read it. */
#include "io/transfer_private.h"

static bool copy(ag_settings *s, ag_str *to, const char *from)
{
    return from == NULL || ag_str_set_view(&s->a, to, ag_view_of(from));
}

ag_settings *ag_settings_new(const ag_alloc *a, const ag_settings_options *o, ag_err *e)
{
    ag_settings *s = ag_new0(a, sizeof *s);
    if (s == NULL) {
        (void)ag_fail(e, AG_E_MEMORY, "out of memory");
        return NULL;
    }
    s->a = *a;
    atomic_init(&s->refs, 1);
    if (!copy(s, &s->proxy, o->proxy) || !copy(s, &s->no_proxy, o->no_proxy) || !copy(s, &s->ca_file, o->ca_file)) {
        (void)ag_fail(e, AG_E_MEMORY, "out of memory");
        ag_settings_unref(s);
        return NULL;
    }
    return s;
}

void ag_settings_ref(ag_settings *s)
{
    (void)atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

void ag_settings_unref(ag_settings *s)
{
    ag_alloc a;
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    a = s->a;
    ag_str_free(&a, &s->proxy);
    ag_str_free(&a, &s->no_proxy);
    ag_str_free(&a, &s->ca_file);
    ag_free(&a, s);
}
