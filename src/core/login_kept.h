/* login_kept: a login under way that waits in the storage, where all processes of the program find it: by a name, and sealed with a
 * key, both of which come from the state that only the callback brings. Whoever has the storage alone learns nothing of it, and
 * nobody finds it as another kind, client or endpoint than it was begun with. Must never be opened after its time. */
#ifndef AG_CORE_LOGIN_KEPT_H
#define AG_CORE_LOGIN_KEPT_H

#include "core/client.h"

#define AG_LOGIN_NAME_LEN 43    /* a SHA-256 in base64url */

/* What it is called in the storage. False: out of memory. */
bool ag_login_name(const ag_client *c, ag_authz_kind kind, ag_view state, char out[AG_LOGIN_NAME_LEN + 1]);
/* out: a new string. e: memory, random. */
bool ag_login_seal(const ag_client *c, const ag_login *l, ag_str *out, ag_err *e);
/* NULL: e: no_login (too old, of another boot, damaged), memory. */
ag_login *ag_login_unseal(const ag_client *c, ag_authz_kind kind, ag_view state, ag_view sealed, ag_err *e);

#endif
