/* record: the stored record, one versioned JSON document per client name, the same
 * for every storage. Must never be written by a program that cannot read all of it. */
#ifndef AG_CORE_RECORD_H
#define AG_CORE_RECORD_H

#include "core/env.h"
#include "core/err.h"

#define AG_RECORD_VERSION 1

typedef struct ag_record {
    ag_str refresh_token, access_token, id_token, device_secret, scope;
    ag_str anonymous_key;       /* the device key's secret, base64url; with the next two it outlives the session (core/anonymous.h) */
    ag_str anonymous_key_id;
    ag_str anonymous_sub;       /* whose key it is; not there: nobody's yet */
    ag_str token_type;          /* "DPoP"; not there: Bearer */
    ag_str dpop_jkt;            /* the thumbprint of the key that the tokens are bound to */
    ag_str dpop_key;            /* the secret of a key of ours, base64url; outlives the session (core/dpop.h) */
    char boot_id[40];           /* the boot in which the access token arrived */
    int64_t received_boot_ms, received_wall_ms;
    int64_t expires_in_ms;      /* as the server said, counted from the arrival */
    int64_t generation;         /* grows with every write */
    bool forced;                /* the access token came from a forced refresh */
} ag_record;

/* Whose record it is: kept in it, so that a token never goes to another server. Borrowed. */
typedef struct ag_record_owner {
    ag_view endpoint, client_id;
    ag_view purpose;            /* not there: a user's session; else the resource and scope of a machine's token */
} ag_record_owner;

void ag_record_free(const ag_alloc *a, ag_record *r);          /* wipes; r is empty afterwards */
void ag_record_move(const ag_alloc *a, ag_record *to, ag_record *from);
bool ag_record_copy(const ag_alloc *a, ag_record *to, const ag_record *from);

bool ag_record_encode(const ag_env *env, const ag_record *r, const ag_record_owner *owner, ag_str *out, ag_err *e);
/* e: storage_damaged, storage_version (newer than ours), storage_foreign (another endpoint or client), memory. */
bool ag_record_decode(const ag_env *env, ag_view text, const ag_record_owner *owner, ag_record *out, ag_err *e);

/* Notes that an access token has just arrived. */
void ag_record_stamp(const ag_env *env, ag_record *r, int64_t expires_in_ms);
/* Is there an access token that has not used up 90 % of its life? Within one boot the boot clock decides,
 * else the wall clock; what looks impossible counts as expired. */
bool ag_record_fresh(const ag_env *env, const ag_record *r);
/* Something worth keeping beside tokens (keys of anonymous users, DPoP)? */
bool ag_record_has_keys(const ag_record *r);

#endif
