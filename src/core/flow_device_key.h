/* flow_device_key: parts of the flows about anonymous users: the key, and what it signs. Must never sign with a key that is
 * not stored. */
#ifndef AG_CORE_FLOW_DEVICE_KEY_H
#define AG_CORE_FLOW_DEVICE_KEY_H

#include "core/flow.h"

/* Both: NULL: out of memory. */
ag_flow *ag_device_key_flow(ag_client *c);      /* there is a key afterwards, and it is stored */
/* Puts a JWT for a new challenge into *jwt and the key's id into *key_id; both are the parent's and outlive it.
 * action: "auth" or "promote", static. */
ag_flow *ag_device_jwt_flow(ag_client *c, const char *action, ag_str *jwt, ag_str *key_id);

#endif
