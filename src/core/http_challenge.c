/* http_challenge: what a server says in WWW-Authenticate (RFC 9110 section 11.6.1).
 * Must never take a parameter of one challenge for another's. */
#include "core/http.h"

#include <string.h>

typedef struct cursor {
    const char *p, *end;
} cursor;

static void skip(cursor *c, const char *which)
{
    while (c->p < c->end && *c->p != '\0' && strchr(which, *c->p) != NULL)
        c->p++;
}

static ag_view take_token(cursor *c)
{
    ag_view v = { c->p, 0 };
    while (c->p < c->end && ag_http_is_token((ag_view){ c->p, 1 }))
        c->p++;
    v.n = (size_t)(c->p - v.p);
    return v;
}

/* A token, or what stands in quotes, as it is written. */
static ag_view take_value(cursor *c)
{
    ag_view v;
    if (c->p == c->end || *c->p != '"')
        return take_token(c);
    v.p = ++c->p;
    while (c->p < c->end && *c->p != '"')
        c->p += *c->p == '\\' && c->end - c->p > 1 ? 2 : 1;
    v.n = (size_t)(c->p - v.p);
    if (c->p < c->end)
        c->p++;
    return v;
}

/* Past what a challenge may hold instead of parameters (token68), or that is not understood. */
static void skip_rest(cursor *c)
{
    while (c->p < c->end && *c->p != ',') {
        if (*c->p == '"')
            (void)take_value(c);
        else
            c->p++;
    }
}

static bool error_in(ag_view header, const char *scheme, ag_view *error)
{
    cursor c = { header.p, header.p + header.n };
    bool ours = false;
    while (c.p < c.end) {
        ag_view name;
        skip(&c, " \t,");
        name = take_token(&c);
        skip(&c, " \t");
        if (name.n == 0) {
            skip_rest(&c);
        } else if (c.p == c.end || *c.p != '=') {
            ours = ag_view_eq_nocase(name, ag_view_of(scheme));     /* another challenge begins */
        } else {
            c.p++;
            skip(&c, " \t");
            *error = take_value(&c);
            if (ours && ag_view_eq_nocase(name, AG_LIT("error")))
                return true;
            skip_rest(&c);
        }
    }
    return false;
}

bool ag_http_challenge_error(ag_view block, const char *scheme, ag_view *error)
{
    ag_view name, value;
    size_t pos = 0;
    while (ag_http_next_header(block, &pos, &name, &value))
        if (ag_view_eq_nocase(name, AG_LIT("WWW-Authenticate")) && error_in(value, scheme, error))
            return true;
    *error = (ag_view){ NULL, 0 };
    return false;
}
