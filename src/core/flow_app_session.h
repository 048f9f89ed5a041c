/* flow_app_session: see flow_app_session.c. */
#ifndef AG_CORE_FLOW_APP_SESSION_H
#define AG_CORE_FLOW_APP_SESSION_H

#include "core/flow.h"

/* Puts a new app session token into *token, which is its parent's and outlives it. NULL: out of memory. */
ag_flow *ag_app_session_flow(ag_client *c, ag_str *token);

#endif
