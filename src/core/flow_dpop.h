/* flow_dpop: proofs of possession for whatever flows send. flow.c calls these around each SEND, so that a flow has only to
 * mark its request (ag_request_prove). Must never let a request out that is bound to a key which is not durable. */
#ifndef AG_CORE_FLOW_DPOP_H
#define AG_CORE_FLOW_DPOP_H

#include "core/flow.h"

/* Does f want a request sent that still lacks its proof? */
bool ag_flow_lacks_proof(const ag_flow *f);
/* Makes it, or goes for the key first; afterwards f lacks it no more, or has been told that the SEND failed.
 * locked: f or a flow above it holds the lock, and has loaded what is stored. */
void ag_flow_prove(ag_flow *f, bool locked);
/* Takes note of what an answer says about proofs (its body may not be there yet). Is it only that another proof is wanted,
 * and will another be made? False with e->code AG_E_MEMORY: that is not known. */
bool ag_flow_proves_again(ag_flow *f, const ag_answer *ans, ag_err *e);
void ag_flow_prove_again(ag_flow *f);

/* A proof for a request that is sent by somebody else; without waiting, so the key must be there. e: dpop_key, random, memory. */
bool ag_flow_prove_request(ag_client *c, ag_request *r, ag_err *e);
/* Takes note of the time at the authorization server: its first answer comes before any proof is made. */
void ag_flow_learn_clock(ag_client *c, const ag_answer *ans);

/* Makes sure that there is a key, durable and ready; for flows that name its thumbprint before they send anything. */
ag_flow *ag_dpop_key_flow(ag_client *c);

#endif
