/* b64: base64url without padding (RFC 4648 section 5, RFC 7515 section 2).
 * Strict: no other alphabet, no padding, no white space, no stray bits. Never allocates. */
#ifndef AG_CORE_B64_H
#define AG_CORE_B64_H

#include <stdbool.h>
#include <stddef.h>

#define AG_B64URL_LEN(n) (((n) * 4 + 2) / 3)

void ag_b64url_encode(char *out, const void *in, size_t n);    /* writes AG_B64URL_LEN(n) chars, no NUL */
/* out must hold n * 3 / 4 bytes. False: not strict base64url. */
bool ag_b64url_decode(void *out, size_t *out_n, const char *in, size_t n);
/* Ordinary base64 with padding (for HTTP Basic). Writes ((n + 2) / 3) * 4 chars. */
void ag_b64_encode(char *out, const void *in, size_t n);

#endif
