/* client: one configured client: options, metadata, session, logins under way.
 * Counted references: the binding's client and every flow hold one. Must never do I/O. */
#ifndef AG_CORE_CLIENT_H
#define AG_CORE_CLIENT_H

#include "core/authz.h"
#include "core/discovery.h"
#include "core/dpop.h"
#include "core/env.h"
#include "core/retry.h"
#include "core/session.h"
#include "core/url.h"

enum { AG_CLIENT_KNOWN_URL = 160 };

typedef struct ag_client {
    ag_env env;
    unsigned refs;
    ag_str endpoint;            /* no trailing slash */
    ag_str client_id;
    ag_str client_secret;       /* not there: a public client */
    ag_str scopes;              /* not there: the defaults */
    ag_str purpose;             /* what the stored record is for, when it is no user's session (see core/record.h) */
    ag_str resource;            /* of a machine: what its tokens are for (RFC 8707), or not there */
    ag_str allowed_origins;     /* "origin\norigin\n", not there: any */
    ag_str user_agent;
    bool sso_enabled, pre_authenticated_url_enabled, allow_http;
    bool verify_id_token;       /* check the signatures of ID tokens, too */
    bool machine;               /* no user: tokens come from the client's own credentials (RFC 6749 section 4.4) */
    bool basic_auth, post_auth; /* how the secret goes to the token endpoint; neither: as the metadata say */
    bool use_dpop;              /* what is asked for from now on is bound to a key of ours */
    bool manual_clock;          /* whoever steps a flow sets env's times by hand */
    bool has_look;              /* the storage may be changed by others */
    bool keeps_logins;          /* logins under way wait in the storage, not here: see login_kept.h */
    int64_t lock_timeout_ms;
    int64_t refresh_timeout_ms; /* for one refresh, its retries and their pauses included */
    int64_t refresh_not_before_ms;  /* boot clock: until then the token endpoint wants to be left alone; 0: it does not */
    ag_retry_options retry;
    int64_t next_look_ms;       /* boot clock: the fast path looks at the storage from then on */
    ag_metadata metadata;
    bool has_metadata;
    struct ag_jwks *id_keys;    /* that ID tokens are signed with; owned; NULL: not fetched yet */
    ag_session session;
    ag_dpop *dpop;              /* owned; NULL: none has been needed yet */
    ag_login *logins;           /* started, not finished; newest first; owned */
    size_t known_n;             /* of known_url: the last URL of those that the token may go to, most likely the next too */
    char known_url[AG_CLIENT_KNOWN_URL];
} ag_client;

ag_client *ag_client_new(const ag_env *env);        /* one reference; NULL: out of memory */
/* A machine's client with from's options, for tokens for this resource and scope (or not there). NULL: out of memory. */
ag_client *ag_client_new_machine(const ag_client *from, ag_view resource, ag_view scope);
void ag_client_ref(ag_client *c);
void ag_client_unref(ag_client *c);                 /* the last one frees and wipes */

/* Checks and keeps the endpoint; e: invalid_url, insecure_url, memory. allow_http must be set before. */
bool ag_client_set_endpoint(ag_client *c, ag_view endpoint, ag_err *e);
bool ag_client_allow_origin(ag_client *c, ag_view url, ag_err *e);
/* May the access token go to this URL? (law 8) */
bool ag_client_may_send_token(const ag_client *c, const ag_url *u);
/* The same of a URL as it was given: false also when it is none, or has a fragment, which is not sent. Quick for the last one. */
bool ag_client_knows_url(ag_client *c, ag_view url);
ag_record_owner ag_client_owner(const ag_client *c);
/* What outlives a session (keys of anonymous users, DPoP), from the session that is there into to. False: out of memory. */
bool ag_client_keep_keys(const ag_client *c, ag_record *to);
/* Adds client_id and, for a confidential client, its secret (RFC 6749 section 2.3.1) to a form body or the headers. */
bool ag_client_authenticate(const ag_client *c, ag_request *r, ag_buf *form);
/* Keeps the client's secrets, the session's and those of the logins under way out of e (see core/withhold.h). */
void ag_client_withhold(const ag_client *c, ag_err *e);
/* Is there something to renew an access token with: a refresh token, or a machine's own credentials? */
bool ag_client_can_renew(const ag_client *c);
/* The session's fast question, no I/O: nothing to refresh and nothing to look at? */
bool ag_client_is_fresh(ag_client *c);

#endif
