/* end_session: see end_session.h. */
#include "core/end_session.h"

#include <string.h>

#include "core/form.h"

typedef struct end_session_flow {
    ag_flow base;
    ag_str redirect_uri, state, url;
} end_session_flow;

bool ag_end_session_url(const ag_client *c, ag_view id_token, ag_view redirect_uri, ag_view state, ag_str *out, ag_err *e)
{
    const ag_view base = ag_str_view(&c->metadata.end_session_endpoint);
    ag_buf b;
    size_t start;
    if (base.p == NULL)
        return ag_fail(e, AG_E_DISCOVERY, "the server announces no end_session_endpoint");
    ag_buf_init(&b, &c->env.alloc, AG_BUF_NO_LIMIT);
    ag_buf_view(&b, base);
    ag_buf_char(&b, memchr(base.p, '?', base.n) != NULL ? '&' : '?');
    start = b.n;
    ag_form_add(&b, start, "client_id", ag_str_view(&c->client_id));
    ag_form_add(&b, start, "id_token_hint", id_token);
    ag_form_add(&b, start, "post_logout_redirect_uri", redirect_uri);
    ag_form_add(&b, start, "state", state);
    if (ag_buf_take(&b, out))
        return true;
    ag_buf_free(&b);
    return ag_fail(e, AG_E_MEMORY, "no memory for the end session URL");
}

static void on_metadata(ag_flow *f, const ag_input *in)
{
    end_session_flow *s = (end_session_flow *)f;
    const ag_client *c = f->client;
    if (!in->ok)
        ag_flow_fail_with(f, in->err);
    else if (ag_end_session_url(c, ag_str_view(&c->session.record.id_token), ag_str_view(&s->redirect_uri),
                                ag_str_view(&s->state), &s->url, &f->err))
        ag_flow_done(f);
    else
        ag_flow_fail(f);
}

static void on_loaded(ag_flow *f, const ag_input *in)
{
    if (ag_flow_adopt(f, in))
        ag_flow_call(f, ag_discovery_flow(f->client), on_metadata);
    else
        ag_flow_fail(f);
}

static void start_end_session(ag_flow *f)
{
    ag_flow_want(f, AG_FX_LOAD, on_loaded);
}

static void free_end_session(ag_flow *f)
{
    end_session_flow *s = (end_session_flow *)f;
    const ag_alloc *a = &f->client->env.alloc;
    ag_str_free(a, &s->redirect_uri);
    ag_str_free(a, &s->state);
    ag_str_free(a, &s->url);
}

ag_flow *ag_end_session_flow(ag_client *c, ag_view redirect_uri, ag_view state)
{
    static const ag_flow_type type = { sizeof(end_session_flow), start_end_session, free_end_session };
    end_session_flow *s = (end_session_flow *)ag_flow_new(c, &type);
    if (s == NULL)
        return NULL;
    if (ag_str_set_view(&c->env.alloc, &s->redirect_uri, redirect_uri) && ag_str_set_view(&c->env.alloc, &s->state, state))
        return &s->base;
    ag_flow_free(&s->base);
    return NULL;
}

ag_view ag_end_session_flow_url(const ag_flow *f)
{
    return ag_str_view(&((const end_session_flow *)f)->url);
}
