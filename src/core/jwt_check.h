/* jwt_check: the checks of tokens, keys, resolver answers and incoming headers by name. Each is made through AG_BAD, so that in test builds
 * (-DAG_TEST) any one of them can be taken out and a spec can see that this lets something in.
 * Must be nothing but the condition in other builds. */
#ifndef AG_CORE_JWT_CHECK_H
#define AG_CORE_JWT_CHECK_H

/* The token's form, its header, keys of a JWKS, choosing one, claims, and what a policy demands. */
#define AG_JWT_CHECKS(X) \
    X(TOKEN_SIZE) X(JWE) X(PARTS) X(BASE64) X(HEADER_TYPES) X(HEADER_ALG) X(CRIT) X(EMBEDDED_KEY) X(ENC) \
    X(KID_SIZE) \
    X(ALG_LISTED) X(TYP) X(SIGNATURE) \
    X(JWKS_SIZE) X(JWKS_COUNT) X(KEY_USE) X(KEY_OPS) X(KEY_ALG) X(KEY_PRIVATE) X(KEY_KID) X(RSA_SMALL) X(RSA_LARGE) X(RSA_EVEN) \
    X(RSA_ZERO) X(EXP_SMALL) X(EXP_LARGE) X(EXP_EVEN) \
    X(PICK_KID) X(PICK_ALG) X(PICK_KIND) X(PICK_ONE) \
    X(CLAIM_TYPES) X(CLAIM_CONTROL) X(TIME_SANE) X(BOUND) \
    X(ISS) X(AUD) X(SUB) X(SUB_SIZE) X(EXP_THERE) X(EXPIRED) X(NBF) X(IAT) X(CLIENT) \
    X(SCOPE) X(ROLE) X(ANY_ROLE) X(VERIFIED) X(ANONYMOUS) X(AUTH_AGE)

/* How a token is shown (bearer.c), what a resolver answers (resolver.c), which headers pose as ours (incoming.c). */
#define AG_CALLER_CHECKS(X) \
    X(BEARER_SCHEME) X(BEARER_TOKEN) X(BEARER_SIZE) X(COOKIE_ONE) X(COOKIE_VALUE) \
    X(RESOLVER_ONCE) X(RESOLVER_VALID) X(RESOLVER_TRUE) X(RESOLVER_USER) X(RESOLVER_ROLES) X(RESOLVER_AMR) X(RESOLVER_FLAG) \
    X(RESOLVER_TIME) X(INCOMING_OURS) X(INCOMING_SEPARATORS) X(INCOMING_CASE)

enum ag_jwt_check {
    AG_CHECK_NONE,
#define AG_CHECK_ENUM(name) AG_CHECK_##name,
    AG_JWT_CHECKS(AG_CHECK_ENUM)
    AG_CALLER_CHECKS(AG_CHECK_ENUM)
#undef AG_CHECK_ENUM
    AG_CHECK_COUNT
};

#ifdef AG_TEST
extern int ag_jwt_check_off;                        /* the one that is taken out */
const char *ag_jwt_check_name(int check);
#define AG_BAD(check, bad) (ag_jwt_check_off != AG_CHECK_##check && (bad))
#else
#define AG_BAD(check, bad) (bad)
#endif

#endif
