/* client: options, and the questions that options decide. */
#include "core/client.h"

#include <string.h>

#include "core/anonymous.h"
#include "core/b64.h"
#include "core/form.h"
#include "core/jwks.h"
#include "core/url.h"
#include "core/withhold.h"

ag_client *ag_client_new(const ag_env *env)
{
    ag_client *c = ag_new0(&env->alloc, sizeof *c);
    if (c == NULL)
        return NULL;
    c->env = *env;
    c->refs = 1;
    c->lock_timeout_ms = 30000;
    c->refresh_timeout_ms = 30000;
    c->retry = (ag_retry_options)AG_RETRY_DEFAULT;
    return c;
}

static bool set_purpose(ag_client *c)
{
    ag_buf b;
    ag_buf_init(&b, &c->env.alloc, AG_BUF_NO_LIMIT);
    ag_form_add(&b, 0, "grant_type", AG_LIT("client_credentials"));
    ag_form_add(&b, 0, "resource", ag_str_view(&c->resource));
    ag_form_add(&b, 0, "scope", ag_str_view(&c->scopes));
    if (ag_buf_take(&b, &c->purpose))
        return true;
    ag_buf_free(&b);
    return false;
}

ag_client *ag_client_new_machine(const ag_client *from, ag_view resource, ag_view scope)
{
    const ag_alloc *a = &from->env.alloc;
    ag_client *c = ag_client_new(&from->env);
    if (c == NULL)
        return NULL;
    c->machine = true;
    c->session.state = AG_STATE_NO_SESSION;
    c->allow_http = from->allow_http;
    c->use_dpop = from->use_dpop;
    c->basic_auth = from->basic_auth;
    c->post_auth = from->post_auth;
    c->manual_clock = from->manual_clock;
    c->has_look = from->has_look;
    c->lock_timeout_ms = from->lock_timeout_ms;
    c->refresh_timeout_ms = from->refresh_timeout_ms;
    c->retry = from->retry;
    if (ag_str_set_view(a, &c->endpoint, ag_str_view(&from->endpoint))
            && ag_str_set_view(a, &c->client_id, ag_str_view(&from->client_id))
            && ag_str_set_view(a, &c->client_secret, ag_str_view(&from->client_secret))
            && ag_str_set_view(a, &c->allowed_origins, ag_str_view(&from->allowed_origins))
            && ag_str_set_view(a, &c->user_agent, ag_str_view(&from->user_agent))
            && ag_str_set_view(a, &c->resource, resource) && ag_str_set_view(a, &c->scopes, scope) && set_purpose(c))
        return c;
    ag_client_unref(c);
    return NULL;
}

void ag_client_ref(ag_client *c)
{
    c->refs++;
}

void ag_client_unref(ag_client *c)
{
    const ag_alloc a = c->env.alloc;
    if (--c->refs > 0)
        return;
    while (c->logins != NULL) {
        ag_login *next = c->logins->next;
        ag_login_free(&a, c->logins);
        c->logins = next;
    }
    ag_dpop_free(&a, c->dpop);
    ag_jwks_free(c->id_keys);
    ag_session_free(&a, &c->session);
    ag_metadata_free(&a, &c->metadata);
    ag_str_free(&a, &c->endpoint);
    ag_str_free(&a, &c->client_id);
    ag_str_free(&a, &c->client_secret);
    ag_str_free(&a, &c->scopes);
    ag_str_free(&a, &c->purpose);
    ag_str_free(&a, &c->resource);
    ag_str_free(&a, &c->allowed_origins);
    ag_str_free(&a, &c->user_agent);
    ag_free_wiped(&a, c, sizeof *c);
}

bool ag_client_set_endpoint(ag_client *c, ag_view endpoint, ag_err *e)
{
    ag_url u;
    if (!ag_url_parse(endpoint, &u, e) || !ag_url_check_secure(&u, c->allow_http, e))
        return false;
    if (u.query.p != NULL || u.fragment.p != NULL)
        return ag_fail(e, AG_E_INVALID_URL, "the endpoint must have no query and no fragment");
    while (endpoint.n > 0 && endpoint.p[endpoint.n - 1] == '/')
        endpoint.n--;
    if (!ag_str_set_view(&c->env.alloc, &c->endpoint, endpoint))
        return ag_fail(e, AG_E_MEMORY, "no memory for a client");
    return true;
}

bool ag_client_allow_origin(ag_client *c, ag_view url, ag_err *e)
{
    ag_url u;
    ag_buf b;
    if (!ag_url_parse(url, &u, e) || !ag_url_check_secure(&u, c->allow_http, e))
        return false;
    c->known_n = 0;             /* it may have been no longer one of these */
    ag_buf_init(&b, &c->env.alloc, AG_BUF_NO_LIMIT);
    ag_buf_view(&b, ag_str_view(&c->allowed_origins));
    ag_url_write_origin(&b, &u);
    ag_buf_char(&b, '\n');
    if (ag_buf_take(&b, &c->allowed_origins))
        return true;
    ag_buf_free(&b);
    return ag_fail(e, AG_E_MEMORY, "no memory for allowed_origins");
}

static bool origin_listed(const ag_client *c, const ag_url *u)
{
    ag_view left = ag_str_view(&c->allowed_origins);
    ag_err ignored;
    while (left.n > 0) {
        const char *end = memchr(left.p, '\n', left.n);
        ag_view one = { left.p, (size_t)(end - left.p) };
        ag_url origin;
        if (ag_url_parse(one, &origin, &ignored) && ag_url_same_origin(&origin, u))
            return true;
        left.n -= one.n + 1;
        left.p = end + 1;
    }
    return false;
}

bool ag_client_may_send_token(const ag_client *c, const ag_url *u)
{
    ag_err ignored;
    if (!ag_url_check_secure(u, c->allow_http, &ignored))
        return false;
    return c->allowed_origins.p == NULL || origin_listed(c, u);
}

bool ag_client_knows_url(ag_client *c, ag_view url)
{
    ag_url u;
    ag_err ignored;
    if (url.n == c->known_n && url.n > 0 && memcmp(url.p, c->known_url, url.n) == 0)
        return true;
    if (!ag_url_parse(url, &u, &ignored) || u.fragment.p != NULL || !ag_client_may_send_token(c, &u))
        return false;
    if (url.n <= sizeof c->known_url) {
        memcpy(c->known_url, url.p, url.n);
        c->known_n = url.n;
    }
    return true;
}

ag_record_owner ag_client_owner(const ag_client *c)
{
    return (ag_record_owner){ ag_str_view(&c->endpoint), ag_str_view(&c->client_id), ag_str_view(&c->purpose) };
}

bool ag_client_keep_keys(const ag_client *c, ag_record *to)
{
    const ag_alloc *a = &c->env.alloc;
    const ag_record *from = &c->session.record;
    return ag_anonymous_keep_key(a, to, from)
        && ag_dpop_keep_key(a, c->dpop, to, from);
}

/* client_secret_basic: both parts form-encoded, then base64 (RFC 6749 section 2.3.1). */
static bool add_basic(const ag_client *c, ag_request *r)
{
    const ag_alloc *a = &c->env.alloc;
    ag_buf plain, line;
    bool ok = false;
    size_t size;
    char *encoded = NULL;
    ag_buf_init(&plain, a, 1 << 16);
    ag_buf_init(&line, a, 1 << 18);
    ag_percent_encode(&plain, ag_str_view(&c->client_id));
    ag_buf_char(&plain, ':');
    ag_percent_encode(&plain, ag_str_view(&c->client_secret));
    if (plain.bad)
        goto out;
    size = (plain.n + 2) / 3 * 4;
    encoded = ag_new0(a, size + 1);
    if (encoded == NULL)
        goto out;
    ag_b64_encode(encoded, plain.p, plain.n);
    ag_buf_view(&line, AG_LIT("Basic "));
    ag_buf_add(&line, encoded, size);
    if (!line.bad)
        ok = ag_request_header(a, r, "Authorization", (ag_view){ line.p, line.n });
    ag_free_wiped(a, encoded, size);
out:
    ag_buf_free(&plain);
    ag_buf_free(&line);
    return ok;
}

bool ag_client_authenticate(const ag_client *c, ag_request *r, ag_buf *form)
{
    bool post = c->post_auth || (!c->basic_auth && (c->metadata.secret_post || !c->metadata.secret_basic));
    if (c->client_secret.p != NULL && !post)
        return add_basic(c, r);
    ag_form_add(form, 0, "client_id", ag_str_view(&c->client_id));
    ag_form_add(form, 0, "client_secret", ag_str_view(&c->client_secret));
    return true;
}

static void withhold_all(ag_err *e, const ag_str *const *secrets, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++) {
        const ag_view one[] = { ag_str_view(secrets[i]), { NULL, 0 } };
        ag_err_withhold(e, one);
    }
}

void ag_client_withhold(const ag_client *c, ag_err *e)
{
    const ag_record *r = &c->session.record, *u = &c->session.unsaved;
    const ag_str *const secrets[] = {
        &c->client_secret, &r->anonymous_key, &r->dpop_key, &r->refresh_token, &r->access_token, &r->id_token, &r->device_secret,
        &u->refresh_token, &u->access_token, &u->id_token, &u->device_secret, &c->session.unsaved_base
    };
    const ag_login *l;
    withhold_all(e, secrets, sizeof secrets / sizeof secrets[0]);
    for (l = c->logins; l != NULL; l = l->next) {
        const ag_view of_login[] = {
            ag_view_of(l->state), ag_view_of(l->verifier), ag_view_of(l->nonce), ag_str_view(&l->secret), { NULL, 0 }
        };
        ag_err_withhold(e, of_login);
    }
}

bool ag_client_can_renew(const ag_client *c)
{
    return c->machine || c->session.record.refresh_token.p != NULL;
}

bool ag_client_is_fresh(ag_client *c)
{
    if (c->machine)             /* its token is good whatever is stored by now */
        return ag_record_fresh(&c->env, &c->session.record);
    if (c->has_look && c->env.boot_ms >= c->next_look_ms)
        return false;
    if (c->session.state == AG_STATE_NO_SESSION)
        return true;            /* a login elsewhere shows up at the next look */
    return c->session.unsaved.refresh_token.p == NULL && ag_record_fresh(&c->env, &c->session.record);
}
