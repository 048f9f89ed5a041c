/* discovery: asking for the metadata and reading them. Must never build an endpoint by hand. */
#include "core/discovery.h"

#include <string.h>

#include "core/json.h"
#include "core/url.h"

#define AG_MAX_ISSUER 2048

void ag_metadata_free(const ag_alloc *a, ag_metadata *m)
{
    ag_str_free(a, &m->issuer);
    ag_str_free(a, &m->authorization_endpoint);
    ag_str_free(a, &m->token_endpoint);
    ag_str_free(a, &m->userinfo_endpoint);
    ag_str_free(a, &m->revocation_endpoint);
    ag_str_free(a, &m->end_session_endpoint);
    ag_str_free(a, &m->jwks_uri);
    memset(m, 0, sizeof *m);
}

bool ag_discovery_request(const ag_alloc *a, ag_view endpoint, ag_request *out, ag_err *e)
{
    ag_buf b;
    ag_request_reset(a, out, "GET");
    ag_buf_init(&b, a, AG_BUF_NO_LIMIT);
    ag_buf_view(&b, endpoint);
    ag_buf_cstr(&b, "/.well-known/openid-configuration");
    if (ag_buf_take(&b, &out->url) && ag_request_header(a, out, "Accept", AG_LIT("application/json")))
        return true;
    ag_buf_free(&b);
    return ag_fail(e, AG_E_MEMORY, "no memory for the discovery request");
}

static ag_view without_slash(ag_view v)
{
    while (v.n > 0 && v.p[v.n - 1] == '/')
        v.n--;
    return v;
}

typedef struct reader {
    const ag_alloc *a;
    const ag_json *doc;
    bool allow_http;
    ag_err *e;
} reader;

/* An endpoint of the document: a secure URL, or not there if that is allowed. */
static bool read_endpoint(const reader *r, const char *key, bool required, ag_str *out)
{
    ag_view v;
    ag_url u;
    ag_err why;
    if (ag_json_get(r->doc, key) == NULL && !required)
        return true;
    if (!ag_json_string(r->doc, key, &v))
        return ag_fail(r->e, AG_E_DISCOVERY, "the discovery document has no usable %s", key);
    if (!ag_url_parse(v, &u, &why) || u.fragment.p != NULL)
        return ag_fail(r->e, AG_E_DISCOVERY, "%s in the discovery document is not a usable URL", key);
    if (!ag_url_check_secure(&u, r->allow_http, &why))
        return ag_fail(r->e, AG_E_DISCOVERY, "%s in the discovery document is not https", key);
    if (!ag_str_set_view(r->a, out, v))
        return ag_fail(r->e, AG_E_MEMORY, "no memory for the discovery document");
    return true;
}

static bool read_issuer(const reader *r, ag_view endpoint, ag_str *out)
{
    ag_view v;
    if (!ag_json_string(r->doc, "issuer", &v) || v.n > AG_MAX_ISSUER)
        return ag_fail(r->e, AG_E_DISCOVERY, "the discovery document has no issuer");
    if (!ag_view_eq(without_slash(v), without_slash(endpoint)))
        return ag_fail(r->e, AG_E_DISCOVERY, "the discovery document is of another issuer than the endpoint");
    if (!ag_str_set_view(r->a, out, v))
        return ag_fail(r->e, AG_E_MEMORY, "no memory for the discovery document");
    return true;
}

static bool read_document(const reader *r, ag_view endpoint, ag_metadata *m)
{
    const char *methods = "token_endpoint_auth_methods_supported";
    if (!ag_json_is_object(r->doc))
        return ag_fail(r->e, AG_E_DISCOVERY, "the discovery document is not an object");
    if (!read_issuer(r, endpoint, &m->issuer)
            || !read_endpoint(r, "authorization_endpoint", true, &m->authorization_endpoint)
            || !read_endpoint(r, "token_endpoint", true, &m->token_endpoint)
            || !read_endpoint(r, "userinfo_endpoint", false, &m->userinfo_endpoint)
            || !read_endpoint(r, "revocation_endpoint", false, &m->revocation_endpoint)
            || !read_endpoint(r, "end_session_endpoint", false, &m->end_session_endpoint)
            || !read_endpoint(r, "jwks_uri", false, &m->jwks_uri))
        return false;
    if (!ag_json_bool(r->doc, "authorization_response_iss_parameter_supported", &m->iss_in_callback))
        m->iss_in_callback = false;
    m->secret_post = ag_json_has_string(r->doc, methods, AG_LIT("client_secret_post"));
    m->secret_basic = ag_json_has_string(r->doc, methods, AG_LIT("client_secret_basic"));
    return true;
}

bool ag_discovery_read(const ag_alloc *a, ag_view endpoint, bool allow_http, const ag_answer *ans,
                       int64_t wall_ms, ag_metadata *out, ag_err *e)
{
    ag_metadata m;
    ag_json *doc = NULL;
    ag_err why;
    bool ok = false;
    memset(&m, 0, sizeof m);
    if (ans->status != 200)
        return ag_answer_fail(ans, NULL, wall_ms, e);
    doc = ag_json_parse(ans->body.p, ans->body.n, &why);
    if (doc == NULL) {
        (void)ag_fail(e, why.code == AG_E_MEMORY ? AG_E_MEMORY : AG_E_INVALID_RESPONSE,
                      "the discovery document cannot be read: %s", why.message);
        e->status = ans->status;
    } else {
        const reader r = { a, doc, allow_http, e };
        ok = read_document(&r, endpoint, &m);
    }
    if (ok) {
        ag_metadata_free(a, out);
        *out = m;
    } else {
        ag_metadata_free(a, &m);
    }
    ag_json_free(doc);
    return ok;
}
