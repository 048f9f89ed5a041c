/* request: putting a request together, and judging an answer that is no success.
 * Must never let a secret of the request come back in an error. */
#include "core/request.h"

#include <string.h>

#include "core/http.h"
#include "core/json.h"
#include "core/withhold.h"

void ag_request_free(const ag_alloc *a, ag_request *r)
{
    ag_str_free(a, &r->url);
    ag_str_free(a, &r->headers);
    ag_str_free(a, &r->body);
    ag_str_free(a, &r->dpop);
    ag_str_free(a, &r->nonce);
    memset(r, 0, sizeof *r);
}

void ag_request_reset(const ag_alloc *a, ag_request *r, const char *method)
{
    size_t n = strlen(method);
    ag_request_free(a, r);
    if (n >= sizeof r->method)
        n = sizeof r->method - 1;
    memcpy(r->method, method, n);
    r->max_body = AG_MAX_PROTOCOL_BODY;
}

/* A header block that begins with what there is, and its end: false when out of memory. */
static void begin_headers(const ag_alloc *a, const ag_request *r, ag_buf *b)
{
    ag_buf_init(b, a, AG_BUF_NO_LIMIT);
    ag_buf_view(b, ag_str_view(&r->headers));
}

static bool take_headers(ag_request *r, ag_buf *b)
{
    if (ag_buf_take(b, &r->headers))
        return true;
    ag_buf_free(b);
    return false;
}

bool ag_request_header(const ag_alloc *a, ag_request *r, const char *name, ag_view value)
{
    ag_buf b;
    begin_headers(a, r, &b);
    ag_http_add_header(&b, name, value);
    return take_headers(r, &b);
}

static void write_authorization(ag_buf *b, const char *scheme, ag_view token)
{
    ag_buf_cstr(b, "Authorization: ");
    ag_buf_cstr(b, scheme);
    ag_buf_view(b, token);
    ag_buf_cstr(b, "\r\n");
}

bool ag_request_bearer(const ag_alloc *a, ag_request *r, ag_view access_token)
{
    ag_buf b;
    begin_headers(a, r, &b);
    write_authorization(&b, "Bearer ", access_token);
    return take_headers(r, &b);
}

void ag_request_write_authorization(ag_buf *b, const ag_record *from)
{
    write_authorization(b, from->token_type.p != NULL ? "DPoP " : "Bearer ", ag_str_view(&from->access_token));
}

bool ag_request_authorize(const ag_alloc *a, ag_request *r, const ag_record *from)
{
    ag_buf b;
    if (from->token_type.p != NULL)
        ag_request_prove(r, ag_str_view(&from->dpop_jkt));
    begin_headers(a, r, &b);
    ag_request_write_authorization(&b, from);
    return take_headers(r, &b);
}

void ag_request_prove(ag_request *r, ag_view jkt)
{
    r->proof = true;
    if (jkt.n < sizeof r->jkt && jkt.p != NULL)
        memcpy(r->jkt, jkt.p, jkt.n);
}

bool ag_request_form(const ag_alloc *a, ag_request *r, ag_buf *body)
{
    if (!ag_buf_take(body, &r->body))
        return false;
    return ag_request_header(a, r, "Content-Type", AG_LIT("application/x-www-form-urlencoded"));
}

/* Copies the printable ASCII that RFC 6749 section 5.2 allows; anything else: nothing is copied. */
static void copy_text(char *out, size_t size, ag_view v)
{
    size_t i, n = v.n < size - 1 ? v.n : size - 1;
    out[0] = '\0';
    for (i = 0; i < n; i++)
        if (v.p[i] < 0x20 || v.p[i] > 0x7e)
            return;
    if (n > 0)
        memcpy(out, v.p, n);
    out[n] = '\0';
}

/* The two parts of an error: OAuth's own, or {"error": {"reason", "message"}} of Authgear's endpoints (core/api.h). */
static bool find_error(const ag_json *body, ag_view *error, ag_view *description)
{
    const ag_json *inner = ag_json_get(body, "error");
    const bool own = inner != NULL && ag_json_is_object(inner);
    if (!ag_json_string(own ? inner : body, own ? "reason" : "error", error) || error->n == 0)
        return false;
    if (!ag_json_string(own ? inner : body, own ? "message" : "error_description", description))
        *description = (ag_view){ NULL, 0 };
    return true;
}

/* True: e is set, to what the answer says or to why that is not known (no memory). */
static bool read_error(const ag_answer *ans, const ag_view *withhold, ag_err *e)
{
    ag_err why;
    ag_view error, description;
    ag_json *body = ag_json_parse(ans->body.p, ans->body.n, &why);
    bool found = body != NULL && find_error(body, &error, &description);
    if (body == NULL && why.code == AG_E_MEMORY) {
        *e = why;
        return true;
    }
    if (found) {
        (void)ag_fail(e, AG_E_OAUTH, "the server answered with an error");
        copy_text(e->oauth_error, sizeof e->oauth_error, error);
        copy_text(e->oauth_error_description, sizeof e->oauth_error_description, description);
        ag_err_withhold(e, withhold);
    }
    ag_json_free(body);
    return found;
}

bool ag_answer_fail(const ag_answer *ans, const ag_view *withhold, int64_t wall_ms, ag_err *e)
{
    static const ag_view none = { NULL, 0 };
    if (withhold == NULL)
        withhold = &none;
    if (ans->status == 429)
        (void)ag_fail(e, AG_E_RATE_LIMITED, "the server asks to slow down");
    else if (ans->status >= 500)
        (void)ag_fail(e, AG_E_SERVER, "the server failed with status %d", ans->status);
    else if (ans->status < 400 || !read_error(ans, withhold, e))
        (void)ag_fail(e, AG_E_INVALID_RESPONSE, "unexpected answer with status %d", ans->status);
    e->status = ans->status;
    e->retry_after = ag_http_retry_after(ans->headers, wall_ms);
    return false;
}

int64_t ag_answer_time(const ag_answer *ans, int64_t wall_ms)
{
    ag_view date;
    int64_t s;
    if (ag_http_header(ans->headers, "Date", &date) && ag_http_date(date, &s))
        return s;
    return wall_ms / 1000;
}
