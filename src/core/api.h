/* api: Authgear's own endpoints, which take and give JSON: {"result": ...} or {"error": {"reason", "message", ...}}.
 * Must never be used for OAuth's endpoints, whose bodies are forms. */
#ifndef AG_CORE_API_H
#define AG_CORE_API_H

#include "core/client.h"
#include "core/json.h"

/* POST to a path of the endpoint's. body: the JSON text; its bytes are taken. e: memory. */
bool ag_api_request(const ag_client *c, const char *path, ag_buf *body, ag_request *out, ag_err *e);
/* The whole answer, owned by the caller, whose "result", an object, is borrowed from it. withhold: see ag_answer_fail.
 * NULL: e is oauth (with the error's reason and message), server, rate_limited, invalid_response, memory. */
ag_json *ag_api_read(const ag_client *c, const ag_answer *ans, const ag_view *withhold, const ag_json **result, ag_err *e);

#endif
