/* token: requests to the token endpoint and their answers (RFC 6749 sections 4.1.3, 6, 5.1).
 * Must never accept an answer with a token type it cannot use or a lifetime that makes no sense. */
#ifndef AG_CORE_TOKEN_H
#define AG_CORE_TOKEN_H

#include "core/client.h"
#include "core/json.h"

typedef struct ag_token_answer {
    ag_str access_token;        /* always there */
    ag_str refresh_token, id_token, device_secret, scope;   /* or not there */
    ag_str token_type;          /* "DPoP"; not there: Bearer */
    ag_str dpop_jkt;            /* the key that they are bound to, or not there */
    int64_t expires_in_ms;
} ag_token_answer;

void ag_token_answer_free(const ag_alloc *a, ag_token_answer *t);

/* The grant is that of the login's kind. */
bool ag_token_code_request(const ag_client *c, const ag_login *l, ag_view code, ag_request *out, ag_err *e);
bool ag_token_refresh_request(const ag_client *c, const ag_record *r, ag_request *out, ag_err *e);
/* For the client itself (RFC 6749 section 4.4); may be sent twice. */
bool ag_token_machine_request(const ag_client *c, ag_request *out, ag_err *e);
/* For an anonymous user: jwt is signed by the device key. */
bool ag_token_anonymous_request(const ag_client *c, ag_view jwt, ag_request *out, ag_err *e);
/* A new ID token of the session whose access token it is; may be sent twice. */
bool ag_token_id_request(const ag_client *c, const ag_record *r, ag_request *out, ag_err *e);
/* ID token and device secret for a token that opens another application's page (RFC 8693, OpenID Native SSO); the answer
 * brings new ones of both, and the old secret is dead. e: memory. */
bool ag_token_exchange_request(const ag_client *c, const ag_record *r, ag_request *out, ag_err *e);
/* withhold: the secrets of the request, see ag_answer_fail. e: oauth, server, rate_limited, invalid_response, memory. */
bool ag_token_read(const ag_client *c, const ag_answer *ans, const ag_view *withhold, ag_token_answer *out, ag_err *e);
/* The same of tokens that stand inside another answer. */
bool ag_token_read_json(const ag_client *c, const ag_answer *ans, const ag_json *doc, ag_token_answer *out, ag_err *e);
/* The same for answers that hold an ID token only, and for those of which nothing is asked but that they are one. */
bool ag_token_read_id(const ag_client *c, const ag_answer *ans, const ag_view *withhold, ag_str *id_token, ag_err *e);
bool ag_token_read_done(const ag_client *c, const ag_answer *ans, const ag_view *withhold, ag_err *e);
/* Of an answer that ag_token_read has refused: does it say all the same that the refresh token was replaced? Only a 200 whose
 * JSON the scanner takes, without an error in it, is asked. True: out holds the refresh token, and the device secret if it
 * is any good, and nothing else. False: *e is touched for want of memory only. */
bool ag_token_read_rotated(const ag_client *c, const ag_answer *ans, ag_token_answer *out, ag_err *e);
/* Moves a token answer into a record: what the answer lacks stays as it was, but for the token's type. Stamps the arrival. */
void ag_token_apply(const ag_env *env, ag_token_answer *t, ag_record *r);

#endif
