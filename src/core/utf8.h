/* utf8: is it UTF-8 to the letter (RFC 3629)? No overlong forms, no surrogates,
 * nothing over U+10FFFF. Must never allocate. */
#ifndef AG_CORE_UTF8_H
#define AG_CORE_UTF8_H

#include "core/alloc.h"

/* Bytes of the character that starts at p (n bytes are there): 1 to 4, or 0 when it is none. */
size_t ag_utf8_step(const char *p, size_t n);
bool ag_utf8_valid(ag_view v);

#endif
