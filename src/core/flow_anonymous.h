/* flow_anonymous: a session for a user without an account, and what turns it into one of a user with an account (the
 * browser's part is flow_login's). Must never use a device key that is not stored yet, nor lose one. */
#ifndef AG_CORE_FLOW_ANONYMOUS_H
#define AG_CORE_FLOW_ANONYMOUS_H

#include "core/flow.h"
#include "core/json.h"

/* Both: NULL: out of memory. */
ag_flow *ag_anonymous_flow(ag_client *c, bool with_key);
/* Once done; borrowed, NULL: nobody could say. partial: of the ID token, not user info. */
const ag_json *ag_anonymous_claims(const ag_flow *f, bool *partial);

/* Puts the login_hint of a promotion into *hint, the code or JWT in it into *secret, and who is promoted into *sub; all are
 * the parent's and outlive it. */
ag_flow *ag_promotion_flow(ag_client *c, ag_str *hint, ag_str *secret, ag_str *sub);

#endif
