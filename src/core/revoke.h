/* revoke: giving a refresh token back (RFC 7009). Must never take a failure for a token that is revoked. */
#ifndef AG_CORE_REVOKE_H
#define AG_CORE_REVOKE_H

#include "core/client.h"

bool ag_revoke_request(const ag_client *c, ag_view refresh_token, ag_request *out, ag_err *e);
/* 200 is a success, for an unknown token too. */
bool ag_revoke_read(const ag_client *c, const ag_answer *ans, ag_view refresh_token, ag_err *e);

#endif
