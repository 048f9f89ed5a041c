/* anonymous: what an Authgear server is asked and told about users without an account: challenges, the device key's JWTs,
 * signing up without a key, promotion codes. Must never let the key out of the record but as a signature. */
#ifndef AG_CORE_ANONYMOUS_H
#define AG_CORE_ANONYMOUS_H

#include "core/client.h"
#include "core/token.h"

/* A new device key into r. e: memory, random. */
bool ag_anonymous_make_key(const ag_env *env, ag_record *r, ag_err *e);
/* The key, and whose it is, from one record into another. False: out of memory. */
bool ag_anonymous_keep_key(const ag_alloc *a, ag_record *to, const ag_record *from);
void ag_anonymous_drop_key(const ag_alloc *a, ag_record *r);
/* Is the stored session that of the stored key's user? */
bool ag_anonymous_is_of_key(const ag_record *r, ag_view sub);

bool ag_challenge_request(const ag_client *c, ag_request *out, ag_err *e);
bool ag_challenge_read(const ag_client *c, const ag_answer *ans, ag_str *challenge, ag_err *e);

/* The request that the key signs; action: "auth" or "promote". e: storage_damaged (the key is none), memory. */
bool ag_anonymous_jwt(const ag_client *c, const ag_record *r, ag_view challenge, const char *action, int64_t now_s,
                      ag_str *jwt, ag_err *e);

/* Without a key. refresh_token: of the session that is there, whose user goes on, or not there. */
bool ag_anonymous_signup_request(const ag_client *c, ag_view refresh_token, ag_request *out, ag_err *e);
bool ag_anonymous_signup_read(const ag_client *c, const ag_answer *ans, ag_view refresh_token, ag_token_answer *out, ag_err *e);

bool ag_promotion_code_request(const ag_client *c, ag_view refresh_token, ag_request *out, ag_err *e);
bool ag_promotion_code_read(const ag_client *c, const ag_answer *ans, ag_view refresh_token, ag_str *code, ag_err *e);

/* The login_hint for a promotion; name: "jwt" or "promotion_code". False: out of memory. */
bool ag_anonymous_hint(const ag_alloc *a, const char *name, ag_view value, ag_str *hint);

#endif
