/* flow: stepping, children, and the end of a flow. */
#include "core/flow.h"
#include "core/flow_dpop.h"

#include <string.h>

#include "core/withhold.h"

#define AG_LOOK_INTERVAL_MS 10      /* refresh-if-needed looks at the storage at most as often */

ag_flow *ag_flow_new(ag_client *c, const ag_flow_type *type)
{
    ag_flow *f = ag_new0(&c->env.alloc, type->size);
    if (f == NULL)
        return NULL;
    f->type = type;
    f->client = c;
    ag_client_ref(c);
    return f;
}

void ag_flow_free(ag_flow *f)
{
    ag_client *c;
    if (f == NULL)
        return;
    c = f->client;
    ag_flow_free(f->child);
    if (f->type->free != NULL)
        f->type->free(f);
    ag_request_free(&c->env.alloc, &f->request);
    ag_str_free(&c->env.alloc, &f->text);
    ag_free_wiped(&c->env.alloc, f, f->type->size);
    ag_client_unref(c);
}

static bool is_finished(const ag_flow *f)
{
    return f->started && f->child == NULL && (f->fx == AG_FX_DONE || f->fx == AG_FX_FAIL);
}

static void start(ag_flow *f)
{
    f->started = true;
    f->type->start(f);
}

/* Starts children that were called and hands on the results of those that are finished,
 * until somebody wants an effect or f itself is finished. */
static ag_flow *settle(ag_flow *f)
{
    for (;;) {
        ag_flow *parent = NULL, *leaf = f;
        bool locked = f->holds_lock;
        ag_input in;
        while (leaf->child != NULL) {
            parent = leaf;
            leaf = leaf->child;
            locked = locked || leaf->holds_lock;
        }
        if (!leaf->started) {
            start(leaf);
            continue;
        }
        if (ag_flow_lacks_proof(leaf)) {
            ag_flow_prove(leaf, locked);
            continue;
        }
        if (parent == NULL || !is_finished(leaf))
            return leaf;
        memset(&in, 0, sizeof in);
        in.ok = leaf->fx == AG_FX_DONE;
        in.err = &leaf->err;
        parent->child = NULL;
        parent->resume(parent, &in);
        ag_flow_free(leaf);
    }
}

ag_flow *ag_flow_wanting(ag_flow *f)
{
    ag_flow *leaf = settle(f);
    leaf->shown = true;
    return leaf;
}

ag_flow *ag_flow_wanting_anew(ag_flow *f)
{
    ag_flow *leaf = settle(f);
    if (leaf->shown && !leaf->request.keep_going)   /* a transfer that is kept goes on with the one it has */
        leaf->proved = false;
    return ag_flow_wanting(f);
}

/* Whoever reads the answer learns which key the request was proved with. */
static void take_answer(ag_flow *f, const ag_input *in)
{
    char jkt[sizeof f->request.jkt];
    ag_input with = *in;
    ag_err e;
    if (in->ok && ag_flow_proves_again(f, &in->answer, &e)) {
        ag_flow_prove_again(f);
        return;
    }
    if (in->ok && e.code == AG_E_MEMORY) {
        with.ok = false;
        with.err = &e;
    }
    memcpy(jkt, f->request.jkt, sizeof jkt);
    if (f->request.proof)
        with.answer.jkt = ag_view_of(jkt);
    f->resume(f, &with);
}

void ag_flow_step(ag_flow *f, const ag_input *in)
{
    ag_flow *leaf = settle(f);
    if (is_finished(leaf))
        return;
    leaf->again = false;
    if (leaf->fx == AG_FX_LOOK)
        leaf->client->next_look_ms = leaf->client->env.boot_ms + AG_LOOK_INTERVAL_MS;
    if (leaf->fx == AG_FX_UNLOCK)
        leaf->holds_lock = false;
    if (leaf->fx == AG_FX_SEND)
        take_answer(leaf, in);
    else
        leaf->resume(leaf, in);
}

void ag_flow_want(ag_flow *f, ag_fx fx, ag_resume_fn resume)
{
    f->fx = fx;
    f->resume = resume;
    f->proved = f->shown = false;
    f->corrected = 0;
}

void ag_flow_sleep(ag_flow *f, double seconds, ag_resume_fn resume)
{
    f->seconds = seconds;
    ag_flow_want(f, AG_FX_SLEEP, resume);
}

void ag_flow_done(ag_flow *f)
{
    f->fx = AG_FX_DONE;
}

/* The one way into an error that is shown: whoever wrote it, no secret of this client gets through. */
void ag_flow_fail(ag_flow *f)
{
    const ag_view proof[] = { ag_str_view(&f->request.dpop), { NULL, 0 } };
    ag_client_withhold(f->client, &f->err);
    ag_err_withhold(&f->err, proof);
    f->fx = AG_FX_FAIL;
}

void ag_flow_fail_with(ag_flow *f, const ag_err *e)
{
    f->err = *e;
    ag_flow_fail(f);
}

void ag_flow_call(ag_flow *f, ag_flow *child, ag_resume_fn resume)
{
    if (child == NULL) {
        ag_input in;
        (void)ag_fail(&f->err, AG_E_MEMORY, "no memory for a step of the flow");
        memset(&in, 0, sizeof in);
        in.err = &f->err;
        resume(f, &in);
        return;
    }
    f->child = child;
    f->resume = resume;
}
