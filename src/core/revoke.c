/* revoke: the revocation request and its answer. */
#include "core/revoke.h"

#include "core/form.h"

bool ag_revoke_request(const ag_client *c, ag_view refresh_token, ag_request *out, ag_err *e)
{
    const ag_alloc *a = &c->env.alloc;
    ag_buf form;
    bool ok;
    if (c->metadata.revocation_endpoint.p == NULL)
        return ag_fail(e, AG_E_DISCOVERY, "the server announces no revocation_endpoint");
    ag_request_reset(a, out, "POST");
    out->secret = out->fresh = true;
    if (c->session.record.dpop_jkt.p != NULL) {     /* RFC 9449 does not ask for it, but a server may; without the key: as it is */
        ag_request_prove(out, ag_str_view(&c->session.record.dpop_jkt));
        out->at_will = true;
    }
    ag_buf_init(&form, a, AG_BUF_NO_LIMIT);
    ag_form_add(&form, 0, "token", refresh_token);
    ok = ag_str_set_view(a, &out->url, ag_str_view(&c->metadata.revocation_endpoint))
        && ag_client_authenticate(c, out, &form) && ag_request_form(a, out, &form);
    ag_buf_free(&form);
    return ok || ag_fail(e, AG_E_MEMORY, "no memory for the revocation request");
}

bool ag_revoke_read(const ag_client *c, const ag_answer *ans, ag_view refresh_token, ag_err *e)
{
    const ag_view withhold[] = { refresh_token, ag_str_view(&c->client_secret), { NULL, 0 } };
    if (ans->status == 200)
        return true;
    return ag_answer_fail(ans, withhold, c->env.wall_ms, e);
}
