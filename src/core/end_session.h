/* end_session: the URL that ends the browser's own session at the server (OpenID Connect RP-Initiated Logout 1.0).
 * Must never carry a token but the ID token, which is for the server that gave it. */
#ifndef AG_CORE_END_SESSION_H
#define AG_CORE_END_SESSION_H

#include "core/flow.h"

/* All but the endpoint and client_id may be not there. e: discovery (no such endpoint), memory. */
bool ag_end_session_url(const ag_client *c, ag_view id_token, ag_view redirect_uri, ag_view state, ag_str *out, ag_err *e);

/* Makes that URL, with the stored session's ID token if there is one. NULL: out of memory. */
ag_flow *ag_end_session_flow(ag_client *c, ag_view redirect_uri, ag_view state);
ag_view ag_end_session_flow_url(const ag_flow *f);      /* once done; borrowed */

#endif
