/* withhold: keeps secrets out of errors. A server, a proxy or a transport may put what it was sent into what it
 * says. Must never be relied on for our own words: those hold no secret to begin with. */
#ifndef AG_CORE_WITHHOLD_H
#define AG_CORE_WITHHOLD_H

#include "core/alloc.h"
#include "core/err.h"

/* Replaces each text of e that holds eight characters in a row of one of the secrets, as they are, percent-encoded,
 * in hex or in base64. The list ends with one that is not there. */
void ag_err_withhold(ag_err *e, const ag_view *secrets);
/* The same for n secrets of which any may be empty or not there. One of fewer than eight characters is passed over: it is none
 * of a server's, and words match it by chance. */
void ag_err_withhold_each(ag_err *e, const ag_view *secrets, size_t n);

#endif
