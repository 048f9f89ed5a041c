/* flow_login: the two halves of a log-in, and of what else goes through the browser and comes back (see
 * ag_authz_kind): the authorization URL, and what is done with the callback. Must never store anything of a login before
 * all of it has been checked. */
#ifndef AG_CORE_FLOW_LOGIN_H
#define AG_CORE_FLOW_LOGIN_H

#include "core/flow.h"
#include "core/json.h"

/* Both: NULL: out of memory. */
ag_flow *ag_login_start_flow(ag_client *c, const ag_authz_options *o);  /* o is copied */
ag_flow *ag_login_finish_flow(ag_client *c, ag_view callback_url, ag_authz_kind kind);  /* kind: it was started as */

/* Once done; borrowed. */
ag_view ag_login_url(const ag_flow *start);
ag_view ag_login_state(const ag_flow *start);
const ag_json *ag_login_claims(const ag_flow *finish, bool *partial);   /* partial: of the ID token, not user info */

/* Forgets a login that was started, and stays here. */
void ag_login_cancel(ag_client *c, ag_view state);

#endif
