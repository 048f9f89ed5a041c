/* http: see http.h. Header blocks and methods. */
#include "core/http.h"

#include <string.h>

#define MAX_CREDENTIAL ((size_t)1 << 17)
#define MAX_SHOWN_NAME 28  /* shorter than any token, longer than most names */

static bool token_char(char c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

/* How many characters from the start make a token (RFC 9110 section 5.6.2). */
static size_t token_len(ag_view v)
{
    size_t i = 0;
    while (i < v.n && token_char(v.p[i]))
        i++;
    return i;
}

bool ag_http_is_token(ag_view v)
{
    return v.n > 0 && token_len(v) == v.n;
}

bool ag_http_is_credential(ag_view v)
{
    size_t i;
    if (v.n == 0 || v.n > MAX_CREDENTIAL)
        return false;
    for (i = 0; i < v.n; i++)
        if (v.p[i] < 0x21 || v.p[i] > 0x7e)
            return false;
    return true;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

static ag_view trimmed(ag_view v)
{
    while (v.n > 0 && blank(v.p[0])) {
        v.p++;
        v.n--;
    }
    while (v.n > 0 && (blank(v.p[v.n - 1]) || v.p[v.n - 1] == '\r'))
        v.n--;
    return v;
}

bool ag_http_next_header(ag_view block, size_t *pos, ag_view *name, ag_view *value)
{
    while (*pos < block.n) {
        const char *start = block.p + *pos;
        size_t left = block.n - *pos;
        const char *end = memchr(start, '\n', left);
        size_t n = end == NULL ? left : (size_t)(end - start);
        const char *colon = memchr(start, ':', n);
        *pos += end == NULL ? n : n + 1;
        if (colon == NULL)
            continue;
        *name = (ag_view){ start, (size_t)(colon - start) };
        if (!ag_http_is_token(*name))
            continue;   /* "Name :" and folded lines: nobody may read a header into them */
        *value = trimmed((ag_view){ colon + 1, n - name->n - 1 });
        return true;
    }
    return false;
}

bool ag_http_header(ag_view block, const char *name, ag_view *value)
{
    ag_view k, v;
    size_t pos = 0;
    while (ag_http_next_header(block, &pos, &k, &v)) {
        if (ag_view_eq_nocase(k, ag_view_of(name))) {
            *value = v;
            return true;
        }
    }
    *value = (ag_view){ NULL, 0 };
    return false;
}

/* How a header is named in an error: not at all when its name is as long as a token that stands in the wrong place, and
 * only as far as it is a name, for the rest may be a value. */
static ag_view shown_name(ag_view name)
{
    ag_view shown = { name.p, token_len(name) };
    return shown.n > MAX_SHOWN_NAME ? AG_LIT("that is not shown") : shown;
}

bool ag_http_check_header(ag_view name, ag_view value, ag_err *e)
{
    ag_view shown = shown_name(name);
    size_t i;
    if (shown.n == 0)
        return ag_fail(e, AG_E_INVALID_ARGUMENT, "a header's name is empty or starts with a bad character");
    if (!ag_http_is_token(name))
        return ag_fail(e, AG_E_INVALID_ARGUMENT, "the name of header %.*s holds a bad character", (int)shown.n, shown.p);
    for (i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return ag_fail(e, AG_E_INVALID_ARGUMENT, "the value of header %.*s holds a control character",
                           (int)shown.n, shown.p);
    }
    return true;
}

bool ag_http_check_method(ag_view method, ag_err *e)
{
    if (method.n > 32 || !ag_http_is_token(method))
        return ag_fail(e, AG_E_INVALID_ARGUMENT, "the method is not a token of at most 32 characters");
    if (ag_view_eq_nocase(method, AG_LIT("CONNECT")) || ag_view_eq_nocase(method, AG_LIT("TRACE")))
        return ag_fail(e, AG_E_INVALID_ARGUMENT, "the methods CONNECT and TRACE are refused");
    return true;
}

void ag_http_add_header(ag_buf *b, const char *name, ag_view value)
{
    ag_buf_cstr(b, name);
    ag_buf_add(b, ": ", 2);
    ag_buf_view(b, value);
    ag_buf_add(b, "\r\n", 2);
}

static bool named(const char *const *names, ag_view name)
{
    for (; *names != NULL; names++)
        if (ag_view_eq_nocase(name, ag_view_of(*names)))
            return true;
    return false;
}

void ag_http_copy_without(ag_buf *b, ag_view block, const char *const *names)
{
    ag_view name, value;
    size_t pos = 0;
    while (ag_http_next_header(block, &pos, &name, &value)) {
        if (named(names, name))
            continue;
        ag_buf_view(b, name);
        ag_buf_add(b, ": ", 2);
        ag_buf_view(b, value);
        ag_buf_add(b, "\r\n", 2);
    }
}
