/* flow_jwks: see flow_jwks.c. */
#ifndef AG_CORE_FLOW_JWKS_H
#define AG_CORE_FLOW_JWKS_H

#include "core/flow.h"
#include "core/jwks.h"

ag_flow *ag_jwks_flow(ag_client *c);            /* NULL: out of memory */
/* Once done: the keys, which are the caller's from then on (NULL the second time). */
ag_jwks *ag_jwks_flow_take(ag_flow *f);
/* Once done: the set as it came, for whoever shares it with other states. */
ag_view ag_jwks_flow_text(const ag_flow *f);

#endif
