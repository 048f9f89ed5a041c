/* flow_userinfo: see flow_userinfo.c. */
#ifndef AG_CORE_FLOW_USERINFO_H
#define AG_CORE_FLOW_USERINFO_H

#include "core/flow.h"
#include "core/json.h"

ag_flow *ag_userinfo_flow(ag_client *c);                    /* NULL: out of memory */
const ag_json *ag_userinfo_claims(const ag_flow *f);        /* once done; borrowed */
ag_json *ag_userinfo_take(ag_flow *f);                      /* the same, owned by the caller from then on */

#endif
