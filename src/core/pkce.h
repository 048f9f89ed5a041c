/* pkce: the random values of one login: state, code verifier and its challenge
 * (RFC 7636, S256 only). Must never be predictable. */
#ifndef AG_CORE_PKCE_H
#define AG_CORE_PKCE_H

#include "core/env.h"

#define AG_RANDOM_TEXT_LEN 43   /* 32 random bytes in base64url */

bool ag_random_text(const ag_env *env, char out[AG_RANDOM_TEXT_LEN + 1]);
bool ag_pkce_challenge(const char *verifier, char out[AG_RANDOM_TEXT_LEN + 1]);

#endif
