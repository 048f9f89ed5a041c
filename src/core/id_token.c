/* id_token: reading the claims of an ID token. */
#include "core/id_token.h"

#include <string.h>

#include "core/b64.h"

ag_json *ag_id_token_payload(const ag_alloc *a, ag_view token, ag_err *e)
{
    const char *dot1 = token.p == NULL ? NULL : memchr(token.p, '.', token.n);
    const char *start, *dot2;
    size_t left, len;
    unsigned char *bytes;
    ag_json *doc = NULL;
    ag_err why;
    ag_err_clear(e);
    if (dot1 == NULL)
        goto bad;
    start = dot1 + 1;
    left = token.n - (size_t)(start - token.p);
    dot2 = memchr(start, '.', left);
    if (dot2 == NULL || memchr(dot2 + 1, '.', token.n - (size_t)(dot2 + 1 - token.p)) != NULL)
        goto bad;
    left = (size_t)(dot2 - start);
    bytes = ag_new0(a, left + 1);
    if (bytes == NULL) {
        (void)ag_fail(e, AG_E_MEMORY, "no memory for an ID token");
        return NULL;
    }
    if (ag_b64url_decode(bytes, &len, start, left)) {
        doc = ag_json_parse((char *)bytes, len, &why);
        if (doc == NULL && why.code == AG_E_MEMORY)
            *e = why;
    }
    ag_free_wiped(a, bytes, left);
    if (doc != NULL && ag_json_is_object(doc))
        return doc;
    if (doc == NULL && e->code == AG_E_MEMORY)
        return NULL;
    ag_json_free(doc);
bad:
    (void)ag_fail(e, AG_E_ID_TOKEN, "the ID token cannot be read");
    return NULL;
}

static bool check_audience(const ag_json *doc, ag_view client_id, ag_err *e)
{
    ag_view azp;
    if (!ag_json_has_string(doc, "aud", client_id))
        return ag_fail(e, AG_E_ID_TOKEN, "the ID token is for another client (aud)");
    if (ag_json_string(doc, "azp", &azp) && !ag_view_eq(azp, client_id))
        return ag_fail(e, AG_E_ID_TOKEN, "the ID token is for another client (azp)");
    return true;
}

static bool check_times(const ag_json *doc, const ag_id_token_want *want, ag_err *e)
{
    double exp, iat, auth_time;
    if (!ag_json_number(doc, "exp", &exp) || !ag_json_number(doc, "iat", &iat))
        return ag_fail(e, AG_E_ID_TOKEN, "the ID token has no exp or iat");
    if (exp + AG_ID_TOKEN_SKEW_S <= want->now_s)
        return ag_fail(e, AG_E_ID_TOKEN, "the ID token has expired already");
    if (want->since_s > 0 && !ag_json_number(doc, "auth_time", &auth_time))
        return ag_fail(e, AG_E_ID_TOKEN, "the ID token does not say when the user was authenticated (auth_time)");
    if (want->since_s > 0 && auth_time + AG_ID_TOKEN_SKEW_S < want->since_s)
        return ag_fail(e, AG_E_ID_TOKEN, "the user was authenticated longer ago than was asked for (auth_time)");
    return true;
}

static bool check_claims(const ag_json *doc, const ag_id_token_want *want, ag_view *sub, ag_err *e)
{
    ag_view iss, nonce;
    if (!ag_json_string(doc, "iss", &iss) || !ag_view_eq(iss, want->issuer))
        return ag_fail(e, AG_E_ID_TOKEN, "the ID token is of another issuer");
    if (!check_audience(doc, want->client_id, e) || !check_times(doc, want, e))
        return false;
    if (want->nonce.p != NULL && (!ag_json_string(doc, "nonce", &nonce) || !ag_view_eq(nonce, want->nonce)))
        return ag_fail(e, AG_E_ID_TOKEN, "the ID token is not for this request (nonce)");
    if (!ag_json_string(doc, "sub", sub) || sub->n == 0 || sub->n > 255)
        return ag_fail(e, AG_E_ID_TOKEN, "the ID token has no subject");
    if (want->sub.p != NULL && !ag_view_eq(*sub, want->sub))
        return ag_fail(e, AG_E_USER_MISMATCH, "the ID token is of another user");
    return true;
}

bool ag_id_token_check(const ag_alloc *a, ag_view token, const ag_id_token_want *want, ag_str *sub, ag_err *e)
{
    ag_view v;
    ag_json *doc;
    bool ok;
    doc = ag_id_token_payload(a, token, e);
    if (doc == NULL)
        return false;
    ok = check_claims(doc, want, &v, e);
    if (ok && sub != NULL && !ag_str_set_view(a, sub, v))
        ok = ag_fail(e, AG_E_MEMORY, "no memory for an ID token");
    ag_json_free(doc);
    return ok;
}
