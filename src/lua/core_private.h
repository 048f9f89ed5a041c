/* core_private: what the files of authgear.core share. Must not be included by other modules. */
#ifndef AG_LUA_CORE_PRIVATE_H
#define AG_LUA_CORE_PRIVATE_H

#include "core/flow.h"
#include "core/json.h"
#include "core/jwt.h"
#include "lua/compat.h"

/* A userdata whose pointer is NULL is closed. Each owns what it points to. */
typedef struct ag_lua_client {
    ag_client *c;
} ag_lua_client;

typedef struct ag_lua_flow {
    ag_flow *f;
} ag_lua_flow;

#define AG_LUA_CLIENT "authgear.core.client"
#define AG_LUA_FLOW "authgear.core.flow"
#define AG_LUA_JSON "authgear.core.json"
#define AG_LUA_ARRAY "authgear.array"

/* The client at index i, its time brought up to date; raises if it is something else or closed. */
ag_client *ag_lua_check_client(lua_State *L, int i);
/* Making a client: first the userdata, then what it owns. */
ag_lua_client *ag_lua_new_client(lua_State *L);
void ag_lua_touch_clock(ag_client *c);
void ag_lua_know_boot(ag_client *c);                    /* fills in env.boot_id, once */
ag_view ag_lua_check_view(lua_State *L, int i);
ag_view ag_lua_opt_view(lua_State *L, int i);           /* nil or none: not there */
void ag_lua_push_view(lua_State *L, ag_view v);         /* nil when not there */
/* Pushes nil, code, message, retryable; returns 4. */
int ag_lua_push_error(lua_State *L, const ag_err *e);
/* Pushes the Lua value of a tree that somebody else owns. May raise. */
void ag_lua_push_json(lua_State *L, const ag_json *v);

/* The flow at index i, its client's time brought up to date; raises if it is something else or closed. */
ag_flow *ag_lua_check_flow(lua_State *L, int i);
/* Making a flow: first the userdata, then what it owns. f NULL: no memory. Returns what a maker returns. */
ag_lua_flow *ag_lua_new_flow(lua_State *L);
int ag_lua_own_flow(lua_State *L, ag_lua_flow *u, ag_flow *f);

/* Pushes the key set that take(f) gives (nil: NULL), how many keys it has, and how many usable ones: the userdata is
 * made before anything is taken. */
void ag_lua_push_jwks(lua_State *L, ag_jwks *(*take)(ag_flow *f), ag_flow *f);

/* What an ag_jwt_policy borrows lives as long as the userdata at i. */
const ag_jwt_policy *ag_lua_check_policy(lua_State *L, int i);
void ag_lua_push_claims(lua_State *L, const ag_jwt_claims *c);     /* may raise, as the next two */
/* Pushes a list of what the claims on the top say, to be kept; and puts claims anew in the place of such a list. */
void ag_lua_keep_claims(lua_State *L);
void ag_lua_copy_claims(lua_State *L);
int ag_lua_push_refusal(lua_State *L, const ag_err *e);            /* nil, code, message, retryable, reason; returns 5 */

/* Each sets its functions into the table on the top of the stack. */
void ag_lua_core_client(lua_State *L);
/* The option `retry` at i (absolute): false is none, a table replaces the usual values, anything else says nothing. */
void ag_lua_read_retry(lua_State *L, int i, ag_retry_options *o);

void ag_lua_core_flow(lua_State *L);
void ag_lua_core_login(lua_State *L);
void ag_lua_core_json(lua_State *L);
void ag_lua_core_jwt(lua_State *L);
void ag_lua_core_claims(lua_State *L);
void ag_lua_core_resolver(lua_State *L);
void ag_lua_core_machine(lua_State *L);
void ag_lua_core_dpop(lua_State *L);
void ag_lua_core_anonymous(lua_State *L);
void ag_lua_core_test(lua_State *L);    /* none but in test builds */

#endif
