/* bearer: see bearer.h. */
#include "core/bearer.h"

#include "core/http.h"
#include "core/jwt_check.h"

static bool token_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
        || c == '-' || c == '.' || c == '_' || c == '~' || c == '+' || c == '/';
}

bool ag_bearer_is_token(ag_view v)
{
    size_t i = 0, body;
    while (i < v.n && token_char(v.p[i]))
        i++;
    body = i;
    while (i < v.n && v.p[i] == '=')
        i++;
    return body > 0 && i == v.n && !AG_BAD(BEARER_SIZE, v.n > AG_BEARER_MAX);
}

ag_shown ag_bearer_read(ag_view header, ag_view *token)
{
    size_t n = 0, at;
    if (header.p == NULL)
        return AG_SHOWN_NONE;
    while (n < header.n && header.p[n] != ' ')
        n++;
    if (!ag_http_is_token((ag_view){ header.p, n }))
        return AG_SHOWN_BAD;
    if (AG_BAD(BEARER_SCHEME, !ag_view_eq_nocase((ag_view){ header.p, n }, AG_LIT("Bearer"))))
        return AG_SHOWN_NONE;
    for (at = n; at < header.n && header.p[at] == ' '; at++)
        ;
    *token = (ag_view){ header.p + at, header.n - at };
    return AG_BAD(BEARER_TOKEN, !ag_bearer_is_token(*token)) ? AG_SHOWN_BAD : AG_SHOWN_GOOD;
}

/* cookie-octet (RFC 6265 section 4.1.1) */
static bool is_cookie_value(ag_view v)
{
    size_t i;
    for (i = 0; i < v.n; i++)
        if (v.p[i] <= 0x20 || v.p[i] > 0x7E || v.p[i] == '"' || v.p[i] == ',' || v.p[i] == ';' || v.p[i] == '\\')
            return false;
    return v.n > 0 && v.n <= AG_BEARER_MAX;
}

ag_shown ag_cookie_read(ag_view header, ag_view name, ag_view *value)
{
    ag_shown shown = AG_SHOWN_NONE;
    size_t at = 0, end;
    for (; at < header.n; at = end + 1) {
        while (at < header.n && header.p[at] == ' ')
            at++;
        for (end = at; end < header.n && header.p[end] != ';'; end++)
            ;
        if (end - at <= name.n || header.p[at + name.n] != '=' || !ag_view_eq((ag_view){ header.p + at, name.n }, name))
            continue;
        if (AG_BAD(COOKIE_ONE, shown != AG_SHOWN_NONE))
            return AG_SHOWN_BAD;
        *value = (ag_view){ header.p + at + name.n + 1, end - at - name.n - 1 };
        shown = AG_BAD(COOKIE_VALUE, !is_cookie_value(*value)) ? AG_SHOWN_BAD : AG_SHOWN_GOOD;
    }
    return shown;
}
