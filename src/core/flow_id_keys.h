/* flow_id_keys: see flow_id_keys.c. */
#ifndef AG_CORE_FLOW_ID_KEYS_H
#define AG_CORE_FLOW_ID_KEYS_H

#include "core/flow.h"

/* Has the issuer's keys there for ag_id_token_signed, if the client checks signatures at all: those that are held, unless
 * none of them is the one that the token names (not there: any will do). Metadata must be there. NULL: out of memory. */
ag_flow *ag_id_keys_flow(ag_client *c, ag_view id_token);
/* Is the ID token signed by one of those keys, or does the client not ask? e: id_token, memory. */
bool ag_id_token_signed(const ag_client *c, ag_view id_token, ag_err *e);

#endif
