/* jwt: see jwt.h. The order: what the header may say, the key, the signature; only then the claims. */
#include "core/jwt.h"

#include <string.h>

#include "core/jwt_check.h"

#define MAX_SUB 255     /* OpenID Connect Core section 2 */

static bool is_listed(ag_view text, ag_views list)
{
    size_t i;
    for (i = 0; i < list.n; i++)
        if (ag_view_eq(text, list.v[i]))
            return true;
    return false;
}

/* A media type, whose "application/" may be left out (RFC 7515 section 4.1.9). */
static ag_view short_type(ag_view v)
{
    static const char prefix[] = "application/";
    size_t n = sizeof prefix - 1;
    if (v.n > n && ag_view_eq_nocase((ag_view){ v.p, n }, AG_LIT("application/"))
            && memchr(v.p + n, '/', v.n - n) == NULL)
        return (ag_view){ v.p + n, v.n - n };
    return v;
}

static bool type_is_listed(ag_view typ, ag_views list)
{
    size_t i;
    for (i = 0; typ.p != NULL && i < list.n; i++)
        if (ag_view_eq_nocase(short_type(typ), short_type(list.v[i])))
            return true;
    return false;
}

static bool check_alg(const ag_jws *jws, unsigned algs, ag_sig_alg *alg, ag_err *e)
{
    *alg = ag_sig_alg_of(jws->alg);
    if (*alg == AG_SIG_COUNT)
        return ag_jws_refuse(e, "alg", "the token's algorithm is none that is ever accepted");
    if (AG_BAD(ALG_LISTED, (algs & 1U << *alg) == 0))
        return ag_jws_refuse(e, "alg", "the token's algorithm is not among those accepted");
    return true;
}

static bool check_header(const ag_jws *jws, const ag_jwt_policy *policy, ag_sig_alg *alg, ag_err *e)
{
    if (!check_alg(jws, policy->algs, alg, e))
        return false;
    if (AG_BAD(TYP, !type_is_listed(jws->typ, policy->types)))
        return ag_jws_refuse(e, "typ", "the token is of another type");
    return true;
}

static bool check_signature(const ag_jws *jws, ag_jwks *keys, ag_sig_alg alg, ag_err *e)
{
    ag_jwk *key;
    switch (ag_jwks_find(keys, jws->kid, alg, &key)) {
    case AG_JWKS_ONE:
        break;
    case AG_JWKS_UNKNOWN:
        (void)ag_fail(e, AG_E_UNKNOWN_KEY, "no key here has the token's key id");
        e->reason = "kid";
        return false;
    case AG_JWKS_UNSUITABLE:
        return ag_jws_refuse(e, "key", "no key here may be used for the token's algorithm");
    case AG_JWKS_MANY:
        return ag_jws_refuse(e, "key", "more than one key here could be meant");
    }
    switch (ag_public_key_verify(key->key, alg, jws->signature, jws->signed_text)) {
    case AG_CRYPTO_GOOD:
        return true;
    case AG_CRYPTO_MEMORY:
        return ag_fail(e, AG_E_MEMORY, "no memory to check a signature");
    case AG_CRYPTO_BAD:
        break;
    }
    return AG_BAD(SIGNATURE, true) ? ag_jws_refuse(e, "signature", "the token's signature is wrong") : true;
}

static bool has_audience(const ag_jwt_claims *c, ag_views list)
{
    size_t i;
    for (i = 0; i < list.n; i++)
        if (ag_texts_have(&c->aud, list.v[i]))
            return true;
    return false;
}

static bool check_identity(const ag_jwt_claims *c, const ag_jwt_policy *policy, ag_err *e)
{
    if (AG_BAD(ISS, c->iss.p == NULL || !ag_view_eq(c->iss, policy->issuer)))
        return ag_jws_refuse(e, "iss", "the token is of another issuer");
    if (AG_BAD(AUD, !has_audience(c, policy->audiences)))
        return ag_jws_refuse(e, "aud", "the token is for another audience");
    if (AG_BAD(SUB, c->sub.n == 0))
        return ag_jws_refuse(e, "sub", "the token has no subject");
    if (AG_BAD(SUB_SIZE, c->sub.n > MAX_SUB))
        return ag_jws_refuse(e, "sub", "the token's subject is too long");
    if (AG_BAD(EXP_THERE, c->exp < 0))
        return ag_jws_refuse(e, "exp", "the token does not say when it expires");
    if (AG_BAD(CLIENT, policy->clients.n > 0 && (c->client_id.p == NULL || !is_listed(c->client_id, policy->clients))))
        return ag_jws_refuse(e, "client", "the token was issued to another client");
    return true;
}

bool ag_jwt_check_times(const ag_jwt_claims *c, const ag_jwt_policy *policy, double now_s, ag_err *e)
{
    if (AG_BAD(EXPIRED, c->exp >= 0 && !(now_s < c->exp + policy->skew)))
        return ag_jws_refuse(e, "expired", "the token has expired");
    if (AG_BAD(NBF, c->nbf >= 0 && !(now_s >= c->nbf - policy->skew)))
        return ag_jws_refuse(e, "nbf", "the token is not valid yet");
    if (AG_BAD(IAT, c->iat >= 0 && !(now_s >= c->iat - policy->skew)))
        return ag_jws_refuse(e, "iat", "the token was issued in the future");
    if (AG_BAD(AUTH_AGE, policy->max_auth_age >= 0
                         && !(c->auth_time >= 0 && now_s <= c->auth_time + policy->max_auth_age + policy->skew))) {
        (void)ag_fail(e, AG_E_INSUFFICIENT_AUTHENTICATION, "the user logged in too long ago");
        e->reason = "auth_time";
        return false;
    }
    return true;
}

static bool insufficient(ag_err *e, const char *reason, const char *message)
{
    (void)ag_fail(e, AG_E_INSUFFICIENT_SCOPE, "%s", message);
    e->reason = reason;
    return false;
}

/* Scopes stand in one text, apart by spaces (RFC 6749 section 3.3). */
static bool has_scope(ag_view scopes, ag_view want)
{
    size_t at = 0, end;
    for (; at < scopes.n; at = end + 1) {
        for (end = at; end < scopes.n && scopes.p[end] != ' '; end++)
            ;
        if (ag_view_eq((ag_view){ scopes.p + at, end - at }, want))
            return true;
    }
    return false;
}

bool ag_jwt_check_rights(const ag_jwt_claims *c, const ag_jwt_policy *policy, ag_err *e)
{
    size_t i;
    bool any = policy->any_role.n == 0;
    for (i = 0; i < policy->scopes.n; i++)
        if (AG_BAD(SCOPE, !has_scope(c->scope, policy->scopes.v[i])))
            return insufficient(e, "scope", "the token lacks a scope that is needed");
    for (i = 0; i < policy->roles.n; i++)
        if (AG_BAD(ROLE, !ag_texts_have(&c->roles, policy->roles.v[i])))
            return insufficient(e, "role", "the user lacks a role that is needed");
    for (i = 0; i < policy->any_role.n && !any; i++)
        any = ag_texts_have(&c->roles, policy->any_role.v[i]);
    if (AG_BAD(ANY_ROLE, !any))
        return insufficient(e, "role", "the user has none of the roles of which one is needed");
    if (AG_BAD(VERIFIED, policy->only_verified && c->is_verified != AG_FLAG_TRUE))
        return insufficient(e, "unverified", "the user is not verified");
    if (AG_BAD(ANONYMOUS, policy->refuse_anonymous && c->is_anonymous != AG_FLAG_FALSE))
        return insufficient(e, "anonymous", "the user is anonymous");
    return true;
}

bool ag_jwt_verify(const ag_alloc *a, ag_jws *jws, ag_jwks *keys, const ag_jwt_policy *policy, double now_s,
                   ag_jwt_claims *out, ag_err *e)
{
    ag_sig_alg alg;
    return check_header(jws, policy, &alg, e) && check_signature(jws, keys, alg, e)
        && ag_jwt_read_claims(a, jws, out, e) && check_identity(out, policy, e)
        && ag_jwt_check_times(out, policy, now_s, e) && ag_jwt_check_rights(out, policy, e);
}

bool ag_jws_verify(const ag_jws *jws, ag_jwks *keys, unsigned algs, ag_err *e)
{
    ag_sig_alg alg;
    return check_alg(jws, algs, &alg, e) && check_signature(jws, keys, alg, e);
}
