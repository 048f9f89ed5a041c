/* flow_fetch: look, refresh if needed, send, follow, try again, and what to do about a 401. */
#include "core/flow_fetch.h"

#include <string.h>

#include "core/flow_dpop.h"
#include "core/http.h"

typedef struct fetch_flow {
    ag_flow base;
    ag_str url;             /* of the hop that is next */
    ag_str headers;         /* the caller's */
    ag_str sent_token;      /* the access token of the last SEND; not there: none was sent */
    char method[36];
    size_t max_body;
    unsigned hops_left;
    ag_policy policy;
    bool has_body, replayable, authorize, keep_user_agent;
    bool follow;
    bool sent;              /* before we were made */
    bool replayed;          /* once is all */
    bool streaming;         /* the caller has been given some of an answer's body */
    bool answered;          /* the last SEND brought an answer */
    unsigned retries;
    ag_retry_options retry;
} fetch_flow;

static void send(ag_flow *f);
static void on_answer(ag_flow *f, const ag_input *in);

static const ag_view none = { NULL, 0 };

/* Builds the hop's request: the caller's headers, ours, and the token if it may go there. */
static bool build(fetch_flow *x)
{
    ag_flow *f = &x->base;
    ag_client *c = f->client;
    const ag_alloc *a = &c->env.alloc;
    const ag_str *token = &c->session.record.access_token;
    bool with_token = x->authorize && token->p != NULL;
    ag_buf b;
    ag_request_reset(a, &f->request, x->method);
    f->request.max_body = x->max_body;
    f->request.secret = with_token;
    f->request.single = x->has_body && !x->replayable;
    ag_buf_init(&b, a, AG_BUF_NO_LIMIT);
    if (with_token && token->n < AG_BUF_NO_LIMIT / 4)
        ag_buf_reserve(&b, x->headers.n + c->user_agent.n + token->n + 64);
    ag_buf_view(&b, ag_str_view(&x->headers));
    if (!x->keep_user_agent && c->user_agent.p != NULL)
        ag_http_add_header(&b, "User-Agent", ag_str_view(&c->user_agent));
    if (with_token)
        ag_request_write_authorization(&b, &c->session.record);
    if (with_token && c->session.record.token_type.p != NULL)
        ag_request_prove(&f->request, ag_str_view(&c->session.record.dpop_jkt));
    if (ag_buf_take(&b, &f->request.headers)
            && ag_str_set_view(a, &f->request.url, ag_str_view(&x->url))
            && ag_str_set_view(a, &x->sent_token, with_token ? ag_str_view(token) : none))
        return true;
    ag_buf_free(&b);
    return ag_fail(&f->err, AG_E_MEMORY, "no memory for a request");
}

static void send(ag_flow *f)
{
    if (build((fetch_flow *)f))
        ag_flow_want(f, AG_FX_SEND, on_answer);
    else
        ag_flow_fail(f);
}

/* ---- the token ---- */

static void on_refreshed(ag_flow *f, const ag_input *in)
{
    if (in->ok)
        send(f);                /* with the token, or without one if the session has ended */
    else
        ag_flow_fail_with(f, in->err);
}

/* Nothing to refresh, nothing to store? */
static bool is_ready(const ag_client *c)
{
    const ag_session *s = &c->session;
    return s->unsaved.refresh_token.p == NULL
        && (!ag_client_can_renew(c) || ag_session_usable(&c->env, s, none));
}

bool ag_fetch_goes_at_once(ag_client *c, ag_view url)
{
    return c->session.record.access_token.p != NULL && c->session.record.token_type.p == NULL && is_ready(c)
        && ag_client_knows_url(c, url);
}

static void decide(ag_flow *f)
{
    if (is_ready(f->client)) {
        send(f);
        return;
    }
    ag_str_free(&f->client->env.alloc, &f->text);
    ag_flow_want(f, AG_FX_REFRESH, on_refreshed);
}

static void on_loaded(ag_flow *f, const ag_input *in)
{
    if (ag_flow_adopt(f, in))
        decide(f);
    else
        ag_flow_fail(f);
}

static void on_looked(ag_flow *f, const ag_input *in)
{
    if (in->ok && in->flag)
        ag_flow_want(f, AG_FX_LOAD, on_loaded);
    else
        decide(f);
}

static void start_fetch(ag_flow *f)
{
    const fetch_flow *x = (const fetch_flow *)f;
    if (!x->authorize || x->sent)
        send(f);
    else if (f->client->has_look && !f->client->machine)    /* a machine's token is good whatever is stored by now */
        ag_flow_want(f, AG_FX_LOOK, on_looked);
    else
        decide(f);
}

/* ---- redirects ---- */

static void drop_headers(fetch_flow *x, const char *const *names)
{
    const ag_alloc *a = &x->base.client->env.alloc;
    ag_buf b;
    ag_buf_init(&b, a, AG_BUF_NO_LIMIT);
    ag_http_copy_without(&b, ag_str_view(&x->headers), names);
    if (!ag_buf_take(&b, &x->headers)) {
        ag_buf_free(&b);
        ag_str_free(a, &x->headers);    /* rather none than one too many */
    }
}

static bool take_hop(fetch_flow *x, ag_http_hop *hop, ag_err *e)
{
    static const char *const secrets[] = { "Authorization", "DPoP", "Cookie", "Proxy-Authorization", NULL };
    static const char *const about_body[] = {
        "Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Location", NULL
    };
    const ag_alloc *a = &x->base.client->env.alloc;
    if (hop->to_get) {
        memcpy(x->method, "GET", sizeof "GET");
        x->has_body = false;
        drop_headers(x, about_body);
    } else if (x->has_body && !x->replayable) {
        return ag_fail(e, AG_E_REDIRECT, "a redirect asks for the body again, but it cannot be sent twice");
    }
    if (!hop->same_origin) {
        x->authorize = false;
        drop_headers(x, secrets);
    }
    ag_str_move(a, &x->url, &hop->url);
    return true;
}

static void follow(fetch_flow *x, const ag_answer *ans)
{
    ag_flow *f = &x->base;
    ag_client *c = f->client;
    ag_http_hop hop;
    memset(&hop, 0, sizeof hop);
    if (x->hops_left == 0) {
        (void)ag_fail(&f->err, AG_E_REDIRECT, "too many redirects");
        f->err.status = ans->status;
        ag_flow_fail(f);
        return;
    }
    x->hops_left--;
    if (ag_http_redirect(&c->env.alloc, ag_str_view(&x->url), ag_view_of(x->method), ans->status, ans->headers,
                         c->allow_http, &hop, &f->err) && take_hop(x, &hop, &f->err))
        send(f);
    else
        ag_flow_fail(f);
    ag_http_hop_free(&c->env.alloc, &hop);
}

/* ---- 401 ---- */

static void on_cleared(ag_flow *f, const ag_input *in)
{
    if (!in->ok) {
        ag_flow_fail_with(f, in->err);
        return;
    }
    if (f->client->session.record.access_token.p != NULL) {
        ag_flow_done(f);        /* another session by now: not the one that was refused */
        return;
    }
    (void)ag_fail(&f->err, AG_E_SESSION_REVOKED, "the server refused the session, and it has been cleared");
    f->err.status = 401;
    ag_flow_fail(f);
}

/* The answer stays a 401: the caller gets it, or the session ends with it. */
static void still_refused(fetch_flow *x)
{
    ag_flow *f = &x->base;
    if (x->policy != AG_POLICY_CLEAR) {
        ag_flow_done(f);
    } else if (ag_str_set_view(&f->client->env.alloc, &f->text, ag_str_view(&x->sent_token))) {
        ag_flow_want(f, AG_FX_END, on_cleared);
    } else {
        (void)ag_fail(&f->err, AG_E_MEMORY, "no memory to end the session");
        ag_flow_fail(f);
    }
}

static void on_forced(ag_flow *f, const ag_input *in)
{
    fetch_flow *x = (fetch_flow *)f;
    const ag_record *r = &f->client->session.record;
    if (!in->ok) {
        ag_flow_fail_with(f, in->err);
    } else if (r->access_token.p == NULL || ag_view_eq(ag_str_view(&r->access_token), ag_str_view(&x->sent_token))) {
        still_refused(x);
    } else {
        x->replayed = true;
        send(f);
    }
}

static void refresh_and_replay(fetch_flow *x)
{
    ag_flow *f = &x->base;
    if (x->replayed || (x->has_body && !x->replayable)) {
        still_refused(x);
        return;
    }
    if (ag_str_set_view(&f->client->env.alloc, &f->text, ag_str_view(&x->sent_token))) {
        ag_flow_want(f, AG_FX_REFRESH, on_forced);
        return;
    }
    (void)ag_fail(&f->err, AG_E_MEMORY, "no memory to refresh");
    ag_flow_fail(f);
}

static void on_asked(ag_flow *f, const ag_input *in)
{
    fetch_flow *x = (fetch_flow *)f;
    if (!in->ok) {
        ag_flow_fail_with(f, in->err);
        return;
    }
    x->policy = (ag_policy)in->number;
    if (x->policy == AG_POLICY_RETRY || x->policy == AG_POLICY_CLEAR)
        refresh_and_replay(x);
    else
        ag_flow_done(f);
}

/* ---- trying again ---- */

static bool may_repeat(const fetch_flow *x)
{
    return !x->streaming && ag_retry_is_idempotent(x->method) && !(x->has_body && !x->replayable);
}

static void on_rested(ag_flow *f, const ag_input *in)
{
    const fetch_flow *x = (const fetch_flow *)f;
    if (in->ok && x->authorize)
        decide(f);              /* the token may have grown old */
    else if (in->ok)
        send(f);
    else if (in->err->code != AG_E_TIMEOUT)
        ag_flow_fail_with(f, in->err);
    else if (x->answered)
        ag_flow_done(f);        /* no time to try again: the caller gets the answer there was */
    else
        ag_flow_fail(f);
}

/* Has the request failed in a way that passes, and are there tries left? Then it is sent again after a pause. */
static bool try_again(fetch_flow *x, const ag_input *in)
{
    ag_flow *f = &x->base;
    const ag_env *env = &f->client->env;
    double retry_after = 0, pause;
    if (!may_repeat(x) || (in->ok ? !ag_retry_is_passing_status(in->answer.status) : !ag_retry_is_passing(in->err)))
        return false;
    if (in->ok)
        retry_after = ag_http_retry_after(in->answer.headers, env->wall_ms);
    pause = ag_retry_pause(env, &x->retry, x->retries, retry_after);
    if (pause < 0)
        return false;
    x->retries++;
    x->answered = in->ok;
    if (!in->ok)
        f->err = *in->err;
    ag_flow_sleep(f, pause, on_rested);
    return true;
}

/* An answer that only minds the proof says nothing about the token. */
static bool refused(const fetch_flow *x, const ag_answer *ans)
{
    ag_err ignored;         /* there is no body to be read */
    return ans->status == 401 && !ag_dpop_is_refused(ans, &ignored) && x->sent_token.p != NULL && x->policy != AG_POLICY_RETURN;
}

static void on_answer(ag_flow *f, const ag_input *in)
{
    fetch_flow *x = (fetch_flow *)f;
    ag_view location;
    if (try_again(x, in))
        return;
    if (!in->ok)
        ag_flow_fail_with(f, in->err);
    else if (x->follow && ag_http_is_redirect(in->answer.status)
             && ag_http_header(in->answer.headers, "Location", &location))
        follow(x, &in->answer);
    else if (!refused(x, &in->answer))
        ag_flow_done(f);
    else if (x->policy == AG_POLICY_ASK && !x->replayed)
        ag_flow_want(f, AG_FX_ASK, on_asked);
    else
        refresh_and_replay(x);
}

/* ---- making one ---- */

bool ag_fetch_sends_body(const ag_flow *f)
{
    return ((const fetch_flow *)f)->has_body;
}

void ag_fetch_body_used(ag_flow *f)
{
    ((fetch_flow *)f)->replayable = false;
    f->request.single = true;
}

/* Is it not the last word? Then its body is not the caller's. */
static bool goes_on(fetch_flow *x, const ag_answer *head)
{
    ag_view location;
    ag_err e;
    if (x->follow && ag_http_is_redirect(head->status) && ag_http_header(head->headers, "Location", &location))
        return true;
    if (ag_retry_is_passing_status(head->status))
        return may_repeat(x) && x->retries < x->retry.retries;
    if (ag_flow_proves_again(&x->base, head, &e) || e.code == AG_E_MEMORY)
        return true;
    return refused(x, head) && !x->replayed
        && !(x->has_body && !x->replayable && x->policy == AG_POLICY_RETRY);
}

bool ag_fetch_accepts(ag_flow *f, const ag_answer *head)
{
    fetch_flow *x = (fetch_flow *)f;
    if (goes_on(x, head))
        return false;
    x->streaming = true;
    return true;
}

static void free_fetch(ag_flow *f)
{
    fetch_flow *x = (fetch_flow *)f;
    const ag_alloc *a = &f->client->env.alloc;
    ag_str_free(a, &x->url);
    ag_str_free(a, &x->headers);
    ag_str_free(a, &x->sent_token);
}

static bool set_up(fetch_flow *x, const ag_fetch_options *o, ag_err *e)
{
    const ag_client *c = x->base.client;
    const ag_alloc *a = &c->env.alloc;
    ag_url u;
    ag_view url = o->url;
    if (!ag_http_check_method(o->method, e) || !ag_url_parse(o->url, &u, e)
            || !ag_url_check_secure(&u, c->allow_http, e))
        return false;
    if (u.fragment.p != NULL)
        url.n = (size_t)(u.fragment.p - 1 - url.p);
    memcpy(x->method, o->method.p, o->method.n);
    x->policy = o->policy;
    x->has_body = o->has_body;
    x->replayable = o->replayable;
    x->keep_user_agent = o->keep_user_agent;
    x->sent = o->sent;
    x->retry = o->retry != NULL ? *o->retry : c->retry;
    x->max_body = o->max_body;
    x->hops_left = o->max_redirects;
    x->follow = o->max_redirects > 0;
    x->authorize = o->authorize && ag_client_may_send_token(c, &u);
    if (ag_str_set_view(a, &x->url, url) && ag_str_set_view(a, &x->headers, o->headers))
        return true;
    return ag_fail(e, AG_E_MEMORY, "no memory for a request");
}

ag_flow *ag_fetch_flow(ag_client *c, const ag_fetch_options *o, ag_err *e)
{
    static const ag_flow_type type = { sizeof(fetch_flow), start_fetch, free_fetch };
    fetch_flow *x = (fetch_flow *)ag_flow_new(c, &type);
    if (x == NULL) {
        (void)ag_fail(e, AG_E_MEMORY, "no memory for a request");
        return NULL;
    }
    if (set_up(x, o, e))
        return &x->base;
    ag_flow_free(&x->base);
    return NULL;
}
