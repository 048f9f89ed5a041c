/* userinfo: asking for the user info, and checking whose they are. */
#include "core/userinfo.h"

bool ag_userinfo_request(const ag_client *c, const ag_record *r, ag_request *out, ag_err *e)
{
    const ag_alloc *a = &c->env.alloc;
    if (c->metadata.userinfo_endpoint.p == NULL)
        return ag_fail(e, AG_E_DISCOVERY, "the server announces no userinfo_endpoint");
    ag_request_reset(a, out, "GET");
    out->secret = true;
    if (ag_str_set_view(a, &out->url, ag_str_view(&c->metadata.userinfo_endpoint))
            && ag_request_header(a, out, "Accept", AG_LIT("application/json"))
            && ag_request_authorize(a, out, r))
        return true;
    return ag_fail(e, AG_E_MEMORY, "no memory for the user info request");
}

ag_json *ag_userinfo_read(const ag_client *c, const ag_answer *ans, ag_view sub, ag_view access_token, ag_err *e)
{
    const ag_view withhold[] = { access_token, { NULL, 0 } };
    ag_json *doc;
    ag_view theirs;
    ag_err why;
    if (ans->status != 200) {
        (void)ag_answer_fail(ans, withhold, c->env.wall_ms, e);
        return NULL;
    }
    doc = ag_json_parse(ans->body.p, ans->body.n, &why);
    if (doc == NULL && why.code == AG_E_MEMORY) {
        *e = why;
        return NULL;
    }
    if (doc == NULL || !ag_json_string(doc, "sub", &theirs)) {
        (void)ag_fail(e, AG_E_INVALID_RESPONSE, "the user info answer is no JSON object with a sub");
        e->status = ans->status;
    } else if (sub.p != NULL && !ag_view_eq(theirs, sub)) {
        (void)ag_fail(e, AG_E_USER_MISMATCH, "the user info are of another user than the ID token");
    } else {
        return doc;
    }
    ag_json_free(doc);
    return NULL;
}
