/* form: application/x-www-form-urlencoded, for request bodies and queries.
 * Must never cut at a NUL: decoding one is an error. */
#ifndef AG_CORE_FORM_H
#define AG_CORE_FORM_H

#include "core/alloc.h"
#include "core/buf.h"

/* Appends key=value with '&' before it when b has something since `start`; skips value.p == NULL.
 * Unreserved characters stay, a space becomes %20 (valid in both forms and queries), all else %XX. */
void ag_form_add(ag_buf *b, size_t start, const char *key, ag_view value);
void ag_percent_encode(ag_buf *b, ag_view v);

typedef enum ag_form_found { AG_FORM_ABSENT, AG_FORM_ONE, AG_FORM_MANY, AG_FORM_BAD } ag_form_found;
/* Finds key in a query; decoded ('+' is a space) into out (freed by the caller). MANY: the key stands there twice
 * (refused for OAuth parameters, RFC 6749 section 3.1). BAD: bad escape, NUL, invalid UTF-8, or no memory (oom set).
 * out must be initialised (what it held is freed, with ONE only); oom is set, never cleared. "key" and "key=" are ONE with "".
 * Other keys' values are not looked at. */
ag_form_found ag_form_get(const ag_alloc *a, ag_view query, const char *key, ag_str *out, bool *oom);

/* For those who may not allocate. Walks the pairs, still encoded (*pos starts at 0; empty pairs are skipped). */
bool ag_form_next(ag_view query, size_t *pos, ag_view *key, ag_view *value);
bool ag_form_key_is(ag_view raw, const char *key);      /* decoded; a bad escape is no match */
/* Decodes into out, which holds raw.n bytes. False: bad escape, NUL, invalid UTF-8 (out may hold part of it). */
bool ag_form_decode(char *out, size_t *out_n, ag_view raw);

#endif
