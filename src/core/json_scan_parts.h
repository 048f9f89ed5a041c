/* json_scan_parts: the scanner's inner pieces; nobody but json_scan*.c includes it.
 * Must never copy a piece of the text: it may be a secret. */
#ifndef AG_CORE_JSON_SCAN_PARTS_H
#define AG_CORE_JSON_SCAN_PARTS_H

#include "core/alloc.h"

/* Both start at p[*at] ('"', or '-' or a digit) and move *at behind what they read. What is wrong,
 * with *at where it is, or NULL. */
const char *ag_scan_string(const char *p, size_t n, size_t *at);
const char *ag_scan_number(const char *p, size_t n, size_t *at);

/* The keys of all objects that are open, as the offsets of their first characters. */
typedef struct ag_scan_keys {
    const ag_alloc *alloc;  /* borrowed */
    size_t *at;             /* few, or owned */
    size_t n, cap;
    size_t few[64];         /* most texts need no more */
} ag_scan_keys;

void ag_scan_keys_init(ag_scan_keys *k, const ag_alloc *alloc);
void ag_scan_keys_free(ag_scan_keys *k);
bool ag_scan_keys_push(ag_scan_keys *k, size_t at);     /* false: out of memory */
typedef enum ag_scan_dup { AG_SCAN_NO_DUP, AG_SCAN_DUP, AG_SCAN_DUP_MEMORY } ag_scan_dup;
/* Forgets the keys from number `first` on, having looked for two that are the same when decoded (*dup: the later one). */
ag_scan_dup ag_scan_keys_pop(ag_scan_keys *k, const char *text, size_t first, size_t *dup);

#endif
