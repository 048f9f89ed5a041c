/* crypto_seal: bytes that only who has the key can read or make (AES-256-GCM, by OpenSSL), in a versioned form that
 * tells a wrong key from damage. Must never take a key that a person has thought of: 32 random bytes, or nothing.
 *
 *   8 bytes   "\x89" "AGSEAL" "\n", which begins no JSON document
 *   1         version, 1
 *   16        salt, random; both keys below are HMAC-SHA256(key, label and salt), so no two writes share one
 *   12        nonce, random
 *   16        key check: tells whether a key is the right one, and nothing else
 *   n + 16    the sealed bytes and GCM's tag; what stands before them and the context are authenticated as well
 *   32        SHA-256 of all before it, which needs no key: damage shows as damage, whoever looks */
#ifndef AG_CORE_CRYPTO_SEAL_H
#define AG_CORE_CRYPTO_SEAL_H

#include "core/alloc.h"

enum {
    AG_SEAL_KEY = 32,
    AG_SEAL_RANDOM = 28,    /* bytes of randomness for each seal */
    AG_SEAL_MORE = 101      /* bytes that a seal adds */
};

typedef enum ag_seal_result {
    AG_SEAL_GOOD,
    AG_SEAL_NONE,       /* not sealed at all */
    AG_SEAL_NEWER,      /* by a release that we do not know */
    AG_SEAL_OTHER_KEY,
    AG_SEAL_DAMAGED,    /* or made for another context */
    AG_SEAL_FAILED      /* no memory */
} ag_seal_result;

/* out: a new string. context: what the seal is for; it opens for nothing else. random is used for this seal only. */
ag_seal_result ag_seal(const ag_alloc *a, const unsigned char key[AG_SEAL_KEY], ag_view context,
                       const unsigned char random[AG_SEAL_RANDOM], ag_view plain, ag_str *out);
/* out: a new string, when the answer is GOOD. */
ag_seal_result ag_unseal(const ag_alloc *a, const unsigned char key[AG_SEAL_KEY], ag_view context, ag_view sealed,
                         ag_str *out);
/* The same without opening it. key NULL: is it sealed, and whole? */
ag_seal_result ag_seal_look(const unsigned char *key, ag_view sealed);

#endif
