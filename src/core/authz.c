/* authz: building the authorization URL, and checking the callback. */
#include "core/authz.h"

#include <string.h>

#include "core/crypto.h"
#include "core/form.h"
#include "core/url.h"
#include "core/withhold.h"

#define AG_LONGEST_REDIRECT_URI 2048

const char *ag_authz_option_name(ag_authz_param p)
{
#define AG_AUTHZ_OPTION(name, option, wire) option,
    static const char *const names[] = { AG_AUTHZ_PARAMS(AG_AUTHZ_OPTION) };
#undef AG_AUTHZ_OPTION
    return names[p];
}

/* What the caller knows the redirect URI as. */
static const char *name_of(ag_authz_kind kind)
{
    switch (kind) {
    case AG_AUTHZ_PAGE: return "page's URL";
    case AG_AUTHZ_PRE_AUTHENTICATED: return "web application's URI";
    default: return "redirect URI";
    }
}

/* A redirect URI is http(s) to loopback, https, or an app's own scheme (RFC 8252 section 7). */
static bool check_redirect_uri(ag_authz_kind kind, ag_view uri, ag_err *e)
{
    size_t i;
    bool colon = false;
    for (i = 0; i < uri.n; i++) {
        if (uri.p[i] <= 0x20 || uri.p[i] > 0x7e || uri.p[i] == '#')
            return ag_fail(e, AG_E_INVALID_URL, "the %s holds a character that may not be there", name_of(kind));
        colon = colon || (i > 0 && uri.p[i] == ':');
    }
    if (uri.n > AG_LONGEST_REDIRECT_URI)
        return ag_fail(e, AG_E_INVALID_URL, "the %s is longer than %d bytes", name_of(kind), AG_LONGEST_REDIRECT_URI);
    if (!colon && kind == AG_AUTHZ_PAGE)
        return ag_fail(e, AG_E_INVALID_URL, "the page is neither known by name nor an absolute URL");
    return colon || ag_fail(e, AG_E_INVALID_URL, "the %s is not an absolute URI", name_of(kind));
}

static const char *response_type(ag_authz_kind kind)
{
    switch (kind) {
    case AG_AUTHZ_SETTINGS: return "urn:authgear:params:oauth:response-type:settings-action";
    case AG_AUTHZ_PAGE: return "none";
    case AG_AUTHZ_PRE_AUTHENTICATED: return "urn:authgear:params:oauth:response-type:pre-authenticated-url token";
    default: return "code";
    }
}

/* What ties the callback to the request. */
static void add_login(ag_buf *b, size_t start, const ag_login *l, const char *challenge)
{
    ag_form_add(b, start, "code_challenge_method", AG_LIT("S256"));
    ag_form_add(b, start, "code_challenge", ag_view_of(challenge));
    ag_form_add(b, start, "state", ag_view_of(l->state));
    ag_form_add(b, start, "nonce", ag_view_of(l->nonce));
}

static void add_params(ag_buf *b, size_t start, const ag_authz_options *o)
{
#define AG_AUTHZ_WIRE(name, option, wire) wire,
    static const char *const names[] = { AG_AUTHZ_PARAMS(AG_AUTHZ_WIRE) };
#undef AG_AUTHZ_WIRE
    size_t i;
    for (i = 0; i < AG_PARAM_COUNT; i++)
        ag_form_add(b, start, names[i], o->params[i]);
    if (o->max_age_s >= 0) {
        ag_buf_cstr(b, "&max_age=");
        ag_buf_i64(b, (long long)o->max_age_s);
    }
    if (o->kind == AG_AUTHZ_PRE_AUTHENTICATED)      /* another application's affair */
        return;
    ag_form_add(b, start, "x_sso_enabled", o->sso_enabled ? AG_LIT("true") : AG_LIT("false"));
    if (!o->sso_enabled)
        ag_form_add(b, start, "x_suppress_idp_session_cookie", AG_LIT("true"));
}

bool ag_authz_url(const ag_alloc *a, const ag_metadata *m, ag_view client_id, ag_view scopes,
                  const ag_authz_options *o, const ag_login *l, ag_str *out, ag_err *e)
{
    char challenge[AG_RANDOM_TEXT_LEN + 1];
    ag_view base = ag_str_view(&m->authorization_endpoint);
    ag_buf b;
    size_t start;
    if (!check_redirect_uri(o->kind, o->redirect_uri, e))
        return false;
    if (l != NULL && !ag_pkce_challenge(l->verifier, challenge))
        return ag_fail(e, AG_E_MEMORY, "SHA-256 failed");
    ag_buf_init(&b, a, AG_BUF_NO_LIMIT);
    ag_buf_view(&b, base);
    ag_buf_char(&b, memchr(base.p, '?', base.n) != NULL ? '&' : '?');
    start = b.n;
    ag_form_add(&b, start, "response_type", ag_view_of(response_type(o->kind)));
    ag_form_add(&b, start, "client_id", client_id);
    ag_form_add(&b, start, "redirect_uri", o->redirect_uri);
    ag_form_add(&b, start, "scope", scopes);
    if (l != NULL)
        add_login(&b, start, l, challenge);
    add_params(&b, start, o);
    if (ag_buf_take(&b, out))
        return true;
    ag_buf_free(&b);
    return ag_fail(e, AG_E_MEMORY, "no memory for the authorization URL");
}

/* One parameter of the callback; ABSENT leaves out alone. False: e is set. */
static bool parameter(const ag_alloc *a, ag_view query, const char *key, ag_str *out, ag_err *e)
{
    bool oom = false;
    switch (ag_form_get(a, query, key, out, &oom)) {
    case AG_FORM_ABSENT:
    case AG_FORM_ONE:
        return true;
    case AG_FORM_MANY:
        return ag_fail(e, AG_E_CALLBACK, "the callback has the parameter %s twice", key);
    case AG_FORM_BAD:
        break;
    }
    if (oom)
        return ag_fail(e, AG_E_MEMORY, "no memory to read the callback");
    return ag_fail(e, AG_E_CALLBACK, "the callback's parameter %s cannot be read", key);
}

/* Authgear answers in the query; response_mode fragment is never asked for, so a fragment says nothing. */
bool ag_callback_state(const ag_alloc *a, ag_view url, ag_str *state, ag_err *e)
{
    ag_callback_url parts;
    ag_url_split_callback(url, &parts);
    if (!parameter(a, parts.query, "state", state, e))
        return false;
    if (state->p == NULL)
        return ag_fail(e, AG_E_CALLBACK, "the callback has no state");
    return true;
}

static bool check_base(const ag_login *l, ag_view base, ag_err *e)
{
    ag_callback_url expected;
    ag_url_split_callback(ag_str_view(&l->redirect_uri), &expected);
    if (!ag_view_eq(expected.base, base))
        return ag_fail(e, AG_E_CALLBACK, "the callback is not at this login's redirect URI");
    return true;
}

static bool check_state(const ag_alloc *a, const ag_login *l, ag_view url, ag_err *e)
{
    ag_str state = { NULL, 0 };
    bool ok = ag_callback_state(a, url, &state, e);
    if (ok && !ag_secret_eq(state.p, state.n, l->state, AG_RANDOM_TEXT_LEN))
        ok = ag_fail(e, AG_E_STATE_MISMATCH, "the callback's state is not the one that was sent");
    ag_str_free(a, &state);
    return ok;
}

/* RFC 9207: checked whenever it is there, required where the metadata announce it. */
static bool check_issuer(const ag_alloc *a, const ag_metadata *m, ag_view query, ag_err *e)
{
    ag_str iss = { NULL, 0 };
    bool ok = parameter(a, query, "iss", &iss, e);
    if (ok && iss.p == NULL && m->iss_in_callback)
        ok = ag_fail(e, AG_E_ISSUER_MISMATCH, "the callback lacks the issuer that this server announces");
    if (ok && iss.p != NULL && !ag_view_eq(ag_str_view(&iss), ag_str_view(&m->issuer)))
        ok = ag_fail(e, AG_E_ISSUER_MISMATCH, "the callback is from another issuer");
    ag_str_free(a, &iss);
    return ok;
}

static void copy_printable(char *out, size_t size, const ag_str *s)
{
    size_t i;
    for (i = 0; s->p != NULL && i < s->n && i + 1 < size; i++)
        out[i] = s->p[i] >= 0x20 && s->p[i] <= 0x7e ? s->p[i] : '?';
    out[i] = '\0';
}

/* An error callback (RFC 6749 section 4.1.2.1): its words go into e, without what else stands in the URL. True:
 * there was none. */
static bool check_error(const ag_alloc *a, const ag_login *l, ag_view query, ag_err *e)
{
    ag_str error = { NULL, 0 }, description = { NULL, 0 }, code = { NULL, 0 };
    ag_err ignored;
    bool ok = parameter(a, query, "error", &error, e);
    if (ok && error.p != NULL) {
        ok = parameter(a, query, "error_description", &description, e);
        if (ok)
            ok = ag_fail(e, AG_E_OAUTH, "the login was not completed");
        copy_printable(e->oauth_error, sizeof e->oauth_error, &error);
        copy_printable(e->oauth_error_description, sizeof e->oauth_error_description, &description);
        (void)parameter(a, query, "code", &code, &ignored);
        if (code.n < 8)     /* none of a server's: words would match it by chance */
            ag_str_free(a, &code);
        ag_err_withhold(e, (const ag_view[]){ ag_view_of(l->state), ag_view_of(l->verifier), ag_view_of(l->nonce),
                                              ag_str_view(&code), { NULL, 0 } });
    }
    ag_str_free(a, &error);
    ag_str_free(a, &description);
    ag_str_free(a, &code);
    return ok;
}

bool ag_callback_read(const ag_alloc *a, const ag_metadata *m, const ag_login *l, ag_view url, ag_str *code, ag_err *e)
{
    ag_callback_url parts;
    ag_url_split_callback(url, &parts);
    if (!check_base(l, parts.base, e) || !check_state(a, l, url, e)
            || !check_issuer(a, m, parts.query, e) || !check_error(a, l, parts.query, e)
            || !parameter(a, parts.query, "code", code, e))
        return false;
    if (code->p == NULL || code->n == 0)
        return ag_fail(e, AG_E_CALLBACK, "the callback has no code");
    return true;
}
