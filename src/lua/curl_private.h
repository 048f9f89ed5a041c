/* curl_private: what the files of the module authgear.curl share. Must never be included
 * elsewhere. */
#ifndef AG_LUA_CURL_PRIVATE_H
#define AG_LUA_CURL_PRIVATE_H

#include <lua.h>

#include "io/transfer.h"

/* The arguments of pool:send and engine:submit, in this order; pool:start reads them from a table. */
enum {
    AG_FIELD_METHOD,
    AG_FIELD_URL,
    AG_FIELD_HEADERS,
    AG_FIELD_BODY,
    AG_FIELD_TIMEOUT,
    AG_FIELD_CONNECT_TIMEOUT,
    AG_FIELD_MAX_BODY,
    AG_FIELD_FRESH,
    AG_FIELD_SECRET,
    AG_FIELD_SOURCE,
    AG_FIELD_SOURCE_LENGTH,
    AG_FIELD_SINK,
    AG_FIELD_COUNT
};

extern const char *const ag_lua_curl_fields[AG_FIELD_COUNT];

/* From the stack at base and up, where the strings stay. Raises. */
void ag_lua_curl_read(lua_State *L, int base, ag_transfer_request *r);
/* curl_answer.c; each returns how many values it has pushed. */
int ag_lua_curl_failure(lua_State *L, const ag_err *e, bool sent);  /* nil, code, message, retryable, sent */
int ag_lua_curl_closed(lua_State *L);   /* the same: user code may close at any time, an error of the run, not of the programmer */
int ag_lua_curl_error_event(lua_State *L, int n);   /* makes the failure just pushed an event: "error" for the nil */
/* Any event but an error. v: the headers, or the chunk. */
int ag_lua_curl_event(lua_State *L, ag_step step, int status, ag_view v);
/* status, headers, body, version. body: NULL: it was not collected. */
int ag_lua_curl_answer(lua_State *L, int status, ag_view headers, const ag_view *body, const char *version);
int ag_lua_curl_answer_table(lua_State *L);         /* the answer just pushed becomes one table */
ag_accept ag_lua_curl_accept(lua_State *L, int i);  /* "stream", "collect" or "drop"; raises */
ag_view ag_lua_curl_piece(lua_State *L, int i);     /* p == NULL: nil or none, the end; raises */
/* An option that is a number from 1 to most; 0: not said. Raises. */
long ag_lua_curl_count(lua_State *L, int table, const char *name, long most);
/* From the table's fields proxy, no_proxy and ca_file. The caller's reference; NULL: *e says why. Raises. */
ag_settings *ag_lua_curl_new_settings(lua_State *L, int table, ag_err *e);

int ag_lua_curl_settings(lua_State *L);     /* curl.settings */
int ag_lua_curl_engine(lua_State *L);       /* curl.engine */
void ag_lua_curl_engine_classes(lua_State *L);

#endif
