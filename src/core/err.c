/* err: filling in the caller's error struct. Must never allocate or print. */
#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    bool retryable;
} codes[] = {
#define AG_ERR_ROW(name, text, retry) { text, retry },
    AG_ERR_CODES(AG_ERR_ROW)
#undef AG_ERR_ROW
};

bool ag_fail(ag_err *e, ag_err_code code, const char *fmt, ...)
{
    va_list ap;
    ag_err_clear(e);
    e->code = code;
    e->retryable = ag_err_default_retryable(code);
    va_start(ap, fmt);
    (void)vsnprintf(e->message, sizeof e->message, fmt, ap);
    va_end(ap);
    return false;
}

void ag_err_clear(ag_err *e)
{
    memset(e, 0, sizeof *e);
}

const char *ag_err_name(ag_err_code code)
{
    return (unsigned)code < AG_E_COUNT ? codes[code].name : "unknown";
}

ag_err_code ag_err_from_name(const char *name)
{
    int i;
    for (i = 0; i < AG_E_COUNT; i++)
        if (strcmp(codes[i].name, name) == 0)
            return (ag_err_code)i;
    return AG_E_COUNT;
}

bool ag_err_default_retryable(ag_err_code code)
{
    return (unsigned)code < AG_E_COUNT && codes[code].retryable;
}
