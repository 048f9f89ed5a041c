/* flow_fetch: a request of the application's own, with a fresh access token, redirects
 * hop by hop and the 401 policy. The body stays with the caller: only status and headers
 * come through here. Must never send the token to another origin than the one it was for. */
#ifndef AG_CORE_FLOW_FETCH_H
#define AG_CORE_FLOW_FETCH_H

#include "core/flow.h"

typedef enum ag_policy { AG_POLICY_RETURN, AG_POLICY_RETRY, AG_POLICY_CLEAR, AG_POLICY_ASK } ag_policy;

/* All borrowed. */
typedef struct ag_fetch_options {
    ag_view method, url;
    ag_view headers;        /* a header block, every header checked already */
    bool has_body;
    bool replayable;        /* the body, if any, can be sent again */
    bool authorize;         /* attach the access token */
    bool keep_user_agent;   /* the headers hold one */
    bool sent;              /* already, see ag_fetch_goes_at_once: begins with the SEND whose result is there */
    const ag_retry_options *retry;  /* NULL: the client's */
    ag_policy policy;
    unsigned max_redirects; /* 0: redirects are returned */
    size_t max_body;        /* bytes */
} ag_fetch_options;

/* NULL: e is invalid_url, insecure_url, invalid_argument or memory. */
ag_flow *ag_fetch_flow(ag_client *c, const ag_fetch_options *o, ag_err *e);
/* Would the flow for this URL, with the access token, ask for nothing before its SEND but a LOOK? Then it can be sent
 * without a flow, with the headers of one that was; only an error, a redirect or a 401 needs a flow, afterwards. */
bool ag_fetch_goes_at_once(ag_client *c, ag_view url);
/* Does the wanted SEND carry the caller's body? */
bool ag_fetch_sends_body(const ag_flow *f);
/* Asked when the headers are there: is this the answer the caller will get, so that its body may be streamed? */
bool ag_fetch_accepts(ag_flow *f, const ag_answer *head);
/* The caller's body source has been read from: it cannot be sent again. */
void ag_fetch_body_used(ag_flow *f);

#endif
