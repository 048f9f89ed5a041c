/* flow_id_token: see flow_id_token.c. */
#ifndef AG_CORE_FLOW_ID_TOKEN_H
#define AG_CORE_FLOW_ID_TOKEN_H

#include "core/flow.h"

ag_flow *ag_id_token_flow(ag_client *c);        /* NULL: out of memory */

#endif
