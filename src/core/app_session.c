/* app_session: asking for an app session token, and the hint that carries it. */
#include "core/app_session.h"

#include "core/api.h"
#include "core/form.h"
#include "core/http.h"

bool ag_app_session_request(const ag_client *c, ag_view refresh_token, ag_request *out, ag_err *e)
{
    ag_buf body;
    bool first = true;
    ag_buf_init(&body, &c->env.alloc, AG_BUF_NO_LIMIT);
    ag_buf_char(&body, '{');
    ag_json_write_field(&body, &first, "refresh_token", refresh_token);
    ag_buf_char(&body, '}');
    if (!ag_api_request(c, "/oauth2/app_session_token", &body, out, e))
        return false;
    if (c->session.record.dpop_jkt.p != NULL)
        ag_request_prove(out, ag_str_view(&c->session.record.dpop_jkt));
    return true;
}

bool ag_app_session_read(const ag_client *c, const ag_answer *ans, ag_view refresh_token, ag_str *token, ag_err *e)
{
    const ag_view withhold[] = { refresh_token, { NULL, 0 } };
    const ag_json *result;
    ag_json *doc = ag_api_read(c, ans, withhold, &result, e);
    ag_view v;
    bool ok;
    if (doc == NULL)
        return false;
    if (!ag_json_string(result, "app_session_token", &v) || !ag_http_is_credential(v)) {
        ok = ag_fail(e, AG_E_INVALID_RESPONSE, "the answer has no usable app_session_token");
        e->status = ans->status;
    } else {
        ok = ag_str_set_view(&c->env.alloc, token, v) || ag_fail(e, AG_E_MEMORY, "no memory for an app session token");
    }
    ag_json_free(doc);
    return ok;
}

bool ag_app_session_hint(const ag_alloc *a, ag_view token, ag_str *hint)
{
    ag_buf b;
    ag_buf_init(&b, a, AG_BUF_NO_LIMIT);
    ag_buf_cstr(&b, "https://authgear.com/login_hint?type=app_session_token&app_session_token=");
    ag_percent_encode(&b, token);
    if (ag_buf_take(&b, hint))
        return true;
    ag_buf_free(&b);
    return false;
}
