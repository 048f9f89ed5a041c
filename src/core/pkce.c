/* pkce: random texts and the S256 challenge. Must never go on without randomness. */
#include "core/pkce.h"

#include <string.h>

#include "core/b64.h"
#include "core/crypto.h"

bool ag_random_text(const ag_env *env, char out[AG_RANDOM_TEXT_LEN + 1])
{
    unsigned char bytes[32];
    if (!env->random(env->random_ud, bytes, sizeof bytes))
        return false;
    ag_b64url_encode(out, bytes, sizeof bytes);
    out[AG_RANDOM_TEXT_LEN] = '\0';
    ag_wipe(bytes, sizeof bytes);
    return true;
}

bool ag_pkce_challenge(const char *verifier, char out[AG_RANDOM_TEXT_LEN + 1])
{
    unsigned char digest[32];
    if (!ag_sha256(digest, verifier, strlen(verifier)))
        return false;
    ag_b64url_encode(out, digest, sizeof digest);
    out[AG_RANDOM_TEXT_LEN] = '\0';
    return true;
}
