/* http_date: the dates of HTTP (RFC 9110 section 5.6.7). Must never ask the
 * system for its time zone or its locale. */
#ifndef AG_CORE_HTTP_DATE_H
#define AG_CORE_HTTP_DATE_H

#include <stdint.h>

#include "core/alloc.h"

/* IMF-fixdate, RFC 850 (two-digit years: at most 50 years ahead of wall_ms) and asctime forms, to seconds since 1970.
 * The day's name is looked at for its form only. False: none of them, or no such day. */
bool ag_http_date(ag_view text, int64_t wall_ms, int64_t *seconds);

#endif
