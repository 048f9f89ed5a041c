/* userinfo: the user info request and answer (OpenID Connect Core section 5.3).
 * Must never hand on the claims of another user than the session's. */
#ifndef AG_CORE_USERINFO_H
#define AG_CORE_USERINFO_H

#include "core/client.h"
#include "core/json.h"

bool ag_userinfo_request(const ag_client *c, const ag_record *r, ag_request *out, ag_err *e);
/* sub: of the ID token, not there: any. access_token: the one that was sent, to keep it out of errors.
 * The claims are owned by the caller; NULL: e. */
ag_json *ag_userinfo_read(const ag_client *c, const ag_answer *ans, ag_view sub, ag_view access_token, ag_err *e);

#endif
