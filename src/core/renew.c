/* renew: see renew.h. */
#include "core/renew.h"

#include "core/id_token.h"

/* The claims of the stored token were checked when it arrived; what matters here is that it can still be read. */
bool ag_session_sub(const ag_client *c, ag_str *sub, ag_err *e)
{
    const ag_id_token_want want = { .issuer = ag_str_view(&c->metadata.issuer), .client_id = ag_str_view(&c->client_id) };
    return ag_id_token_check(&c->env.alloc, ag_str_view(&c->session.record.id_token), &want, sub, e);
}

bool ag_session_is_of(const ag_client *c, ag_view sub, ag_err *e)
{
    const ag_id_token_want want = {
        .issuer = ag_str_view(&c->metadata.issuer), .client_id = ag_str_view(&c->client_id), .sub = sub
    };
    if (c->session.record.refresh_token.p == NULL)
        return ag_fail(e, AG_E_NO_SESSION, "the session has ended meanwhile");
    return ag_id_token_check(&c->env.alloc, ag_str_view(&c->session.record.id_token), &want, NULL, e);
}

bool ag_session_renew(const ag_client *c, ag_view sub, ag_view id_token, ag_view device_secret, ag_record *out, ag_err *e)
{
    const ag_alloc *a = &c->env.alloc;
    if (!ag_session_is_of(c, sub, e))
        return false;
    if (ag_record_copy(a, out, &c->session.record) && ag_str_set_view(a, &out->id_token, id_token)
            && (device_secret.p == NULL || ag_str_set_view(a, &out->device_secret, device_secret)))
        return true;
    ag_record_free(a, out);
    return ag_fail(e, AG_E_MEMORY, "no memory to keep a new ID token");
}
