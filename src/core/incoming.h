/* incoming: a request's headers as a server holds them, looked through before anything is done for it: which of them are ours and
 * came from the caller, and which one shows a token. Must never miss a name that some upstream would take for one of ours. */
#ifndef AG_CORE_INCOMING_H
#define AG_CORE_INCOMING_H

#include "core/alloc.h"
#include "core/siphash.h"

/* As the Lua module of nginx has them (ngx_http_lua_ffi_table_elt_t). */
typedef struct ag_incoming_header {
    int name_n;
    const char *name;
    int value_n;
    const char *value;
} ag_incoming_header;

typedef struct ag_incoming {
    int ours;               /* how many X-Authgear-* headers, however they are spelled */
    int authorizations;     /* how many Authorization headers */
    int at;                 /* where the last of these is; -1: there is none */
    unsigned char hash[AG_SIPHASH_SIZE];    /* of its value */
} ag_incoming;

/* The headers are borrowed for the call; key is for the hash. */
void ag_incoming_read(const ag_incoming_header *h, int n, const unsigned char key[16], ag_incoming *out);
/* Upstreams take "_" for "-", and some any character that is neither letter nor digit, so only those count. */
bool ag_incoming_is_ours(ag_view name);

#endif
