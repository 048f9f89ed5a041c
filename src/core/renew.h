/* renew: a session that goes on with newer proof of who its user is: an ID token, and the device secret that belongs to
 * it. Must never change whose session it is. */
#ifndef AG_CORE_RENEW_H
#define AG_CORE_RENEW_H

#include "core/client.h"

/* The subject of the session's ID token; e: id_token, memory. */
bool ag_session_sub(const ag_client *c, ag_str *sub, ag_err *e);
/* Is the session there, and still this user's? e: no_session, user_mismatch, id_token, memory. */
bool ag_session_is_of(const ag_client *c, ag_view sub, ag_err *e);
/* The session's record with the new ID token, whose claims (and signature, if asked for) have been checked, and the new
 * device secret (or the old one, where that is not there). out must be empty. e: as ag_session_is_of. */
bool ag_session_renew(const ag_client *c, ag_view sub, ag_view id_token, ag_view device_secret, ag_record *out, ag_err *e);

#endif
