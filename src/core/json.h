/* json: strict reading and writing of JSON; the only place that knows cJSON.
 * A text passes the strict scanner (json_scan.h) before cJSON sees it, since
 * cJSON takes 01, a BOM, raw control characters, duplicate keys, and cuts
 * strings at \u0000. Must never hand out a value of another type than asked for. */
#ifndef AG_CORE_JSON_H
#define AG_CORE_JSON_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "core/alloc.h"
#include "core/buf.h"
#include "core/err.h"

typedef struct ag_json ag_json;     /* one value of a parsed tree: an opaque cJSON */

/* Parses text; the root is owned by the caller (ag_json_free wipes all strings).
 * NULL: e has AG_E_JSON (what and at which byte, never the text) or AG_E_MEMORY. */
ag_json *ag_json_parse(const char *p, size_t n, ag_err *e);
void ag_json_free(ag_json *root);

bool ag_json_is_object(const ag_json *v);
bool ag_json_is_array(const ag_json *v);        /* NULL is none */
const ag_json *ag_json_first(const ag_json *v); /* of an array or object; NULL: it is empty */
const ag_json *ag_json_next(const ag_json *v);
const ag_json *ag_json_get(const ag_json *object, const char *key);     /* borrowed; NULL: not there (or not an object) */
/* Borrowed views; false (and view not there) when absent or of another type. */
bool ag_json_string(const ag_json *object, const char *key, ag_view *out);
bool ag_json_number(const ag_json *object, const char *key, double *out);
/* Whole and within +-2^53. */
bool ag_json_int(const ag_json *object, const char *key, int64_t *out);
bool ag_json_bool(const ag_json *object, const char *key, bool *out);
/* A string equal to want, or an array of strings that contains it (as `aud` may be). */
bool ag_json_has_string(const ag_json *object, const char *key, ag_view want);

/* Writing: appends to a buf. Strings must be valid UTF-8 (else b turns bad). */
void ag_json_write_string(ag_buf *b, ag_view v);                         /* with quotes, escaped; NUL becomes \u0000 */
void ag_json_write_field(ag_buf *b, bool *first, const char *key, ag_view v);   /* skips v.p == NULL */
void ag_json_write_int(ag_buf *b, bool *first, const char *key, int64_t v);

/* "1.7.15": the cJSON that is loaded. */
const char *ag_json_version(void);

/* For the binding, which turns trees into Lua values: the cJSON under it. */
const cJSON *ag_json_raw(const ag_json *v);

#endif
