/* json_walk: goes through a text that the strict scanner (json_scan.h) has passed, without building a tree: for
 * what is read once and must be quick. Must never see a text that was not scanned. */
#ifndef AG_CORE_JSON_WALK_H
#define AG_CORE_JSON_WALK_H

#include "core/alloc.h"

typedef enum ag_json_kind {
    AG_JSON_OBJECT, AG_JSON_ARRAY, AG_JSON_STRING, AG_JSON_NUMBER, AG_JSON_TRUE, AG_JSON_FALSE, AG_JSON_NULL
} ag_json_kind;

/* A value as it stands in the text; a string with its quotes. */
typedef struct ag_json_text {
    ag_json_kind kind;
    ag_view text;
} ag_json_text;

typedef struct ag_json_walk {
    const char *p, *end;
} ag_json_walk;

/* The value of a whole scanned text. */
ag_json_text ag_json_walk_whole(ag_view scanned);
/* Into an object or array. */
ag_json_walk ag_json_walk_into(ag_json_text v);
/* The next member (key is a string with its quotes) or element; false at the end. */
bool ag_json_walk_member(ag_json_walk *w, ag_view *key, ag_json_text *value);
bool ag_json_walk_element(ag_json_walk *w, ag_json_text *value);

/* Does a string with its quotes mean this text? */
bool ag_json_text_is(ag_view quoted, ag_view text);
/* Decodes a string with its quotes; out has room for quoted.n - 1 bytes, a NUL is put behind. Returns the length. */
size_t ag_json_text_decode(ag_view quoted, char *out);
/* A number's value, as near as 18 digits go. */
double ag_json_text_number(ag_view digits);

#endif
