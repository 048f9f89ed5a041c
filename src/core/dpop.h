/* dpop: what a client knows for its proofs of possession (RFC 9449): the key, and each server's nonce and clock; making a
 * proof, and reading what an answer says about one. Must never make two proofs with one jti, nor sign with another key than
 * the one that a token is bound to. */
#ifndef AG_CORE_DPOP_H
#define AG_CORE_DPOP_H

#include "core/env.h"
#include "core/jwk.h"
#include "core/record.h"
#include "core/request.h"

#define AG_DPOP_ORIGINS 8       /* servers whose nonces and clocks are remembered at once */

typedef struct ag_dpop_origin {
    ag_str name;                /* "scheme://host[:port]" */
    ag_str nonce;               /* or not there */
    bool has_clock;
    int64_t clock_ms;           /* its clock less our boot clock, which does not jump */
} ag_dpop_origin;

typedef struct ag_dpop {
    ag_sign_key *key;           /* owned; NULL: none has been needed yet */
    ag_str text;                /* what the key was read from: ag_record.dpop_key */
    char jkt[AG_JKT_LEN + 1];   /* its thumbprint */
    bool has_clock;             /* of the authorization server, for servers that have not said theirs yet */
    int64_t clock_ms;
    unsigned next;              /* of the origins: the one to forget */
    ag_dpop_origin origins[AG_DPOP_ORIGINS];
} ag_dpop;

ag_dpop *ag_dpop_new(const ag_alloc *a);                /* NULL: out of memory */
void ag_dpop_free(const ag_alloc *a, ag_dpop *d);       /* wipes; NULL is well */

typedef enum ag_dpop_key { AG_DPOP_READY, AG_DPOP_NO_KEY, AG_DPOP_FAILED } ag_dpop_key;

/* Makes the record's key ready for use. jkt: the thumbprint that it must have; not there: any will do. NO_KEY: there is
 * none, and one may be made. FAILED: e is dpop_key (none, or another than the one that is bound) or memory. */
ag_dpop_key ag_dpop_use(const ag_alloc *a, ag_dpop *d, const ag_record *r, ag_view jkt, ag_err *e);
/* Puts a new key into a record that has none of use. e: random, memory. */
bool ag_dpop_make_key(const ag_env *env, ag_record *r, ag_err *e);
/* The key stays with the tokens that are bound to it: where `to` is bound to the one in use it gets that one, else what
 * `from` has. d may be NULL. False: out of memory. */
bool ag_dpop_keep_key(const ag_alloc *a, const ag_dpop *d, ag_record *to, const ag_record *from);

/* A request's proof: writes its header line into r->dpop, and notes which nonce and time went into it. The key is ready.
 * e: random, memory. */
bool ag_dpop_prove(const ag_env *env, const ag_dpop *d, ag_request *r, ag_err *e);
/* Takes the nonce and the time that an answer brings. False: out of memory. */
bool ag_dpop_learn(const ag_env *env, ag_dpop *d, ag_view url, ag_view headers);
/* The time alone, of an answer of the authorization server's. */
void ag_dpop_learn_clock(const ag_env *env, ag_dpop *d, ag_view headers);
/* Does the answer complain about the proof, rather than about the token? The body may be not there. False with e->code
 * AG_E_MEMORY: that is not known. */
bool ag_dpop_is_refused(const ag_answer *ans, ag_err *e);
enum { AG_DPOP_NONCE = 1, AG_DPOP_TIME = 2 };
/* After learn: in what would another proof differ that the server may have minded? Of the above. */
unsigned ag_dpop_difference(const ag_env *env, const ag_dpop *d, const ag_request *r);

#endif
