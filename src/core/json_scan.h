/* json_scan: says whether a text is JSON to the letter (RFC 8259, UTF-8), with
 * no duplicate keys, no \u0000, no lone surrogates, and not deeper than a limit.
 * Must never recurse without bound or build values. */
#ifndef AG_CORE_JSON_SCAN_H
#define AG_CORE_JSON_SCAN_H

#include <stdint.h>

#include "core/alloc.h"
#include "core/err.h"

#define AG_JSON_MAX_DEPTH 128
#define AG_JSON_MAX_NUMBER 63       /* characters of a number: cJSON 1.7 takes no more (RFC 8259 section 9 allows limits) */

/* False: e says what is wrong and at which byte (code AG_E_JSON, or AG_E_MEMORY:
 * duplicate keys need some memory). Duplicate keys are compared as decoded text ("a" equals "\u0061").
 * Time is O(n log n) at worst, whatever the text. */
bool ag_json_scan(const ag_alloc *alloc, const char *p, size_t n, ag_err *e);
/* In scanned text: the character that the escape at *p, its backslash, stands for; *p moves behind it. */
uint32_t ag_json_escaped(const char **p);

#endif
