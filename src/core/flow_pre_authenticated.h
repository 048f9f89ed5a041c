/* flow_pre_authenticated: see flow_pre_authenticated.c. */
#ifndef AG_CORE_FLOW_PRE_AUTHENTICATED_H
#define AG_CORE_FLOW_PRE_AUTHENTICATED_H

#include "core/flow.h"

/* state: the other application's, or not there. NULL: out of memory. */
ag_flow *ag_pre_authenticated_flow(ag_client *c, ag_view client_id, ag_view redirect_uri, ag_view state);
ag_view ag_pre_authenticated_url(const ag_flow *f);     /* once done; borrowed */

#endif
