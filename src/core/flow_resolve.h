/* flow_resolve: see flow_resolve.c. */
#ifndef AG_CORE_FLOW_RESOLVE_H
#define AG_CORE_FLOW_RESOLVE_H

#include "core/flow.h"
#include "core/resolver.h"

/* The query is copied. NULL: e is as ag_resolver_request's. */
ag_flow *ag_resolve_flow(ag_client *c, const ag_resolver_query *q, ag_err *e);
/* Once done: the answer's headers, for ag_resolver_read; empty: nobody is logged in with that. */
ag_view ag_resolve_headers(const ag_flow *f);

#endif
