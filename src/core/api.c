/* api: asking Authgear's own endpoints and reading what they say. */
#include "core/api.h"

bool ag_api_request(const ag_client *c, const char *path, ag_buf *body, ag_request *out, ag_err *e)
{
    const ag_alloc *a = &c->env.alloc;
    ag_buf url;
    bool ok;
    ag_request_reset(a, out, "POST");
    out->secret = true;
    out->proof = c->use_dpop;
    ag_buf_init(&url, a, AG_BUF_NO_LIMIT);
    ag_buf_view(&url, ag_str_view(&c->endpoint));
    ag_buf_cstr(&url, path);
    ok = ag_buf_take(&url, &out->url) && ag_buf_take(body, &out->body)
        && ag_request_header(a, out, "Content-Type", AG_LIT("application/json"))
        && ag_request_header(a, out, "Accept", AG_LIT("application/json"));
    ag_buf_free(&url);
    ag_buf_free(body);
    return ok || ag_fail(e, AG_E_MEMORY, "no memory for a request");
}

ag_json *ag_api_read(const ag_client *c, const ag_answer *ans, const ag_view *withhold, const ag_json **result, ag_err *e)
{
    ag_err why;
    ag_json *doc;
    if (ans->status != 200) {
        (void)ag_answer_fail(ans, withhold, c->env.wall_ms, e);
        return NULL;
    }
    doc = ag_json_parse(ans->body.p, ans->body.n, &why);
    if (doc == NULL && why.code == AG_E_MEMORY) {
        *e = why;
        return NULL;
    }
    *result = doc == NULL ? NULL : ag_json_get(doc, "result");
    if (*result != NULL && ag_json_is_object(*result))
        return doc;
    (void)ag_fail(e, AG_E_INVALID_RESPONSE, "the answer has no result");
    e->status = ans->status;
    ag_json_free(doc);
    return NULL;
}
