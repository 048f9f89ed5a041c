/* jwt: is this access token good, and whose is it? (RFC 7519, RFC 8725, RFC 9068.) No I/O: keys, policy and the time
 * are handed in. Must never give a claim of a token that is not good in every respect, nor show one in an error. */
#ifndef AG_CORE_JWT_H
#define AG_CORE_JWT_H

#include "core/jwks.h"
#include "core/jws.h"

/* Texts of a list one after the other, each with a NUL behind it. */
typedef struct ag_texts {
    const char *p;
    size_t n;           /* how many */
    bool there;
} ag_texts;

typedef enum ag_flag { AG_FLAG_ABSENT, AG_FLAG_FALSE, AG_FLAG_TRUE } ag_flag;

#define AG_TIME_ABSENT (-1.0)

/* Borrowed from the ag_jws. Texts may be not there, except iss and sub. */
typedef struct ag_jwt_claims {
    ag_view payload;                            /* the JSON text */
    ag_view iss, sub, client_id, scope, jti;
    ag_texts aud, roles, amr;
    double exp, nbf, iat, auth_time;            /* seconds since 1970 */
    ag_flag is_anonymous, is_verified, can_reauthenticate;
} ag_jwt_claims;

typedef struct ag_views {
    const ag_view *v;
    size_t n;
} ag_views;

/* What a token must be. All borrowed. An empty list demands nothing, except algs, audiences and types, which then
 * let nothing in. */
typedef struct ag_jwt_policy {
    unsigned algs;              /* bits 1 << ag_sig_alg */
    size_t max_bytes;
    ag_view issuer;             /* to the letter */
    ag_views audiences;         /* one of these */
    ag_views types;             /* header typ: one of these, in any case, with or without application/ */
    ag_views clients;           /* client_id: one of these */
    ag_views scopes, roles;     /* every one of these */
    ag_views any_role;          /* at least one of these */
    bool only_verified;         /* is_verified must be true */
    bool refuse_anonymous;      /* is_anonymous must be false */
    double skew;                /* seconds that clocks may differ */
    double max_auth_age;        /* seconds since the user logged in; negative: any */
} ag_jwt_policy;

/* True: out has the claims. False: e is
 *   invalid_token   with a reason (docs/verify.md lists them)
 *   unknown_key     no key of the set has the token's kid: newer keys may
 *   insufficient_scope, insufficient_user_authentication   a good token that the policy wants more of, with a reason
 *   memory */
bool ag_jwt_verify(const ag_alloc *a, ag_jws *jws, ag_jwks *keys, const ag_jwt_policy *policy, double now_s,
                   ag_jwt_claims *out, ag_err *e);
/* The part that time changes, for claims that were verified under this policy before. */
bool ag_jwt_check_times(const ag_jwt_claims *c, const ag_jwt_policy *policy, double now_s, ag_err *e);
/* The part about what the user may do (scopes, roles, verified, anonymous), for claims of whatever source. */
bool ag_jwt_check_rights(const ag_jwt_claims *c, const ag_jwt_policy *policy, ag_err *e);

/* Parts of the above. The signature alone, by one of these algorithms (bits 1 << ag_sig_alg); e: invalid_token, unknown_key,
 * memory. */
bool ag_jws_verify(const ag_jws *jws, ag_jwks *keys, unsigned algs, ag_err *e);
/* Reads a scanned payload. */
bool ag_jwt_read_claims(const ag_alloc *a, ag_jws *jws, ag_jwt_claims *out, ag_err *e);
bool ag_texts_have(const ag_texts *list, ag_view text);

#endif
