/* siphash: SipHash-2-4 with 128 bits (Aumasson, Bernstein 2012): a keyed hash that is quick, for finding what was seen before in this
 * process. Nobody who lacks the key can make two texts that meet. Must never leave the process, where only SHA-256 may go. */
#ifndef AG_CORE_SIPHASH_H
#define AG_CORE_SIPHASH_H

#include <stddef.h>

#define AG_SIPHASH_SIZE 16

void ag_siphash(const unsigned char key[16], const void *in, size_t n, unsigned char out[AG_SIPHASH_SIZE]);

#endif
