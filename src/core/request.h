/* request: one HTTP exchange as the core asks for it: what to send, and what came back.
 * Must never know how it is sent. */
#ifndef AG_CORE_REQUEST_H
#define AG_CORE_REQUEST_H

#include <stdint.h>

#include "core/alloc.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/record.h"

typedef struct ag_request {
    char method[36];        /* a token, NUL-terminated */
    ag_str url;             /* absolute, no fragment */
    ag_str headers;         /* "Name: value\r\n" repeated */
    ag_str body;            /* not there: no body (or the caller of fetch has it) */
    size_t max_body;        /* bytes of the answer after decompression */
    bool fresh;             /* on a connection of its own: must not be sent twice (law 5) */
    bool secret;            /* request and answer hold tokens: wipe what held them */
    bool keep_going;        /* once sent, the answer must be read whatever the caller does */
    bool single;            /* cannot be sent again: its body is used up by then */
    bool proof;             /* wants a proof of possession (core/dpop.h), a new one each time it is sent */
    bool at_will;           /* and goes without where there is no key for it */
    char jkt[44];           /* the thumbprint of the key for it; "": any will do, and that of the one it was made with */
    ag_str dpop, nonce;     /* the proof as a header line, and the nonce in it (not there: none) */
    int64_t iat;            /* the time in it */
} ag_request;

/* Borrowed from whoever steps the flow; valid during the step only. */
typedef struct ag_answer {
    int status;
    ag_view headers;        /* header block, see core/http.h */
    ag_view body;
    ag_view jkt;            /* the thumbprint of the key whose proof went with the request; not there: none went */
} ag_answer;

#define AG_MAX_PROTOCOL_BODY ((size_t)1 << 20)  /* discovery, token and user info answers, bytes */

void ag_request_free(const ag_alloc *a, ag_request *r);         /* wipes; r is empty and usable again */
void ag_request_reset(const ag_alloc *a, ag_request *r, const char *method);
/* Adds "Name: value"; false when out of memory. */
bool ag_request_header(const ag_alloc *a, ag_request *r, const char *name, ag_view value);
bool ag_request_bearer(const ag_alloc *a, ag_request *r, ag_view access_token);
/* The Authorization header of the record's access token. */
void ag_request_write_authorization(ag_buf *b, const ag_record *from);
/* Adds it, and what goes with the token's type: a proof. */
bool ag_request_authorize(const ag_alloc *a, ag_request *r, const ag_record *from);
/* Has a proof go along, made with the key of this thumbprint; not there: with whatever key there is, or a new one. */
void ag_request_prove(ag_request *r, ag_view jkt);
/* Takes the buf's bytes as a form body and adds the Content-Type. */
bool ag_request_form(const ag_alloc *a, ag_request *r, ag_buf *body);

/* An answer that is no success: reads the OAuth error (RFC 6749 section 5.2) or judges by status.
 * withhold: texts that must not come back in the description (NULL-p ends the list). Always false. */
bool ag_answer_fail(const ag_answer *ans, const ag_view *withhold, int64_t wall_ms, ag_err *e);

/* Seconds since 1970 as the server's clock says, if it says so, else as ours does: a wrong clock on this machine must not
 * refuse a good token. */
int64_t ag_answer_time(const ag_answer *ans, int64_t wall_ms);

#endif
