/* app_session: the app session token, which logs the browser in as who is logged in here. It serves once and for a few
 * minutes. Must never be kept or shown but inside the URL that it is for. */
#ifndef AG_CORE_APP_SESSION_H
#define AG_CORE_APP_SESSION_H

#include "core/client.h"

bool ag_app_session_request(const ag_client *c, ag_view refresh_token, ag_request *out, ag_err *e);
/* token: what goes into the URL. e: as ag_api_read. */
bool ag_app_session_read(const ag_client *c, const ag_answer *ans, ag_view refresh_token, ag_str *token, ag_err *e);
/* The login_hint that carries the token. False: out of memory. */
bool ag_app_session_hint(const ag_alloc *a, ag_view token, ag_str *hint);

#endif
