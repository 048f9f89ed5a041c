/* flow_resolve: asks the resolver once (more often after failures that pass), and has its answer when that is one: yes or no.
 * What may follow from it is for others to decide. Must never take a failure for a no. */
#include "core/flow_resolve.h"

static void on_answer(ag_flow *f, const ag_input *in)
{
    const ag_client *c = f->client;
    const ag_alloc *a = &c->env.alloc;
    ag_resolved read;
    ag_buf b;
    bool yes;
    if (!in->ok) {
        ag_flow_fail_with(f, in->err);
        return;
    }
    if (in->answer.status != 200) {
        (void)ag_answer_fail(&in->answer, NULL, c->env.wall_ms, &f->err);
        ag_flow_fail(f);
        return;
    }
    yes = ag_resolver_read(a, in->answer.headers, &read, &f->err);
    ag_resolved_free(a, &read);
    if (!yes && f->err.code != AG_E_INVALID_TOKEN) {
        f->err.status = in->answer.status;
        ag_flow_fail(f);
        return;
    }
    ag_buf_init(&b, a, AG_BUF_NO_LIMIT);
    if (yes)
        ag_resolver_copy(&b, in->answer.headers);
    if (ag_buf_take(&b, &f->text)) {
        ag_flow_done(f);
        return;
    }
    (void)ag_fail(&f->err, AG_E_MEMORY, "no memory for the resolver's answer");
    ag_flow_fail(f);
}

static void start_resolve(ag_flow *f)
{
    ag_flow_send(f, on_answer);
}

ag_flow *ag_resolve_flow(ag_client *c, const ag_resolver_query *q, ag_err *e)
{
    static const ag_flow_type type = { sizeof(ag_flow), start_resolve, NULL };
    ag_flow *f = ag_flow_new(c, &type);
    if (f == NULL) {
        (void)ag_fail(e, AG_E_MEMORY, "no memory for a flow");
        return NULL;
    }
    if (ag_resolver_request(&c->env.alloc, ag_str_view(&c->endpoint), c->allow_http, q, &f->request, e))
        return f;
    ag_flow_free(f);
    return NULL;
}

ag_view ag_resolve_headers(const ag_flow *f)
{
    return ag_str_view(&f->text);
}
