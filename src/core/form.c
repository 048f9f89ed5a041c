/* form: see form.h. */
#include "core/form.h"

#include <string.h>

#include "core/utf8.h"

static bool unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

void ag_percent_encode(ag_buf *b, ag_view v)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t i, kept = 0;
    if (v.p == NULL)
        return;
    for (i = 0; i < v.n; i++) {
        unsigned char c = (unsigned char)v.p[i];
        char escape[3];
        if (unreserved(v.p[i]))
            continue;
        ag_buf_add(b, v.p + kept, i - kept);
        kept = i + 1;
        escape[0] = '%';
        escape[1] = hex[c >> 4];
        escape[2] = hex[c & 15];
        ag_buf_add(b, escape, 3);
    }
    ag_buf_add(b, v.p + kept, v.n - kept);
}

void ag_form_add(ag_buf *b, size_t start, const char *key, ag_view value)
{
    if (value.p == NULL)
        return;
    if (b->n > start)
        ag_buf_char(b, '&');
    ag_percent_encode(b, ag_view_of(key));
    ag_buf_char(b, '=');
    ag_percent_encode(b, value);
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte at v.p[*i], decoded; moves *i on. -1: a bad escape. */
static int next_byte(ag_view v, size_t *i)
{
    char c = v.p[*i];
    int high, low;
    if (c != '%') {
        *i += 1;
        return c == '+' ? ' ' : (unsigned char)c;
    }
    if (v.n - *i < 3)
        return -1;
    high = hex_of(v.p[*i + 1]);
    low = hex_of(v.p[*i + 2]);
    *i += 3;
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool ag_form_next(ag_view query, size_t *pos, ag_view *key, ag_view *value)
{
    while (*pos < query.n) {
        const char *start = query.p + *pos;
        size_t left = query.n - *pos;
        const char *end = memchr(start, '&', left);
        size_t n = end == NULL ? left : (size_t)(end - start);
        const char *eq;
        *pos += end == NULL ? n : n + 1;
        if (n == 0)
            continue;
        eq = memchr(start, '=', n);
        *key = (ag_view){ start, eq == NULL ? n : (size_t)(eq - start) };
        *value = eq == NULL ? (ag_view){ start + n, 0 } : (ag_view){ eq + 1, n - key->n - 1 };
        return true;
    }
    return false;
}

bool ag_form_key_is(ag_view raw, const char *key)
{
    size_t i = 0;
    for (; i < raw.n; key++) {
        int c = next_byte(raw, &i);
        if (c <= 0 || c != (unsigned char)*key)
            return false;
    }
    return *key == '\0';
}

bool ag_form_decode(char *out, size_t *out_n, ag_view raw)
{
    size_t i = 0, at = 0;
    *out_n = 0;
    while (i < raw.n) {
        int c = next_byte(raw, &i);
        if (c <= 0)
            return false;
        out[at++] = (char)c;
    }
    if (!ag_utf8_valid((ag_view){ out, at }))
        return false;
    *out_n = at;
    return true;
}

ag_form_found ag_form_get(const ag_alloc *a, ag_view query, const char *key, ag_str *out, bool *oom)
{
    ag_view k, v, raw = { NULL, 0 };
    size_t pos = 0, n;
    char *text;
    while (ag_form_next(query, &pos, &k, &v)) {
        if (!ag_form_key_is(k, key))
            continue;
        if (raw.p != NULL)
            return AG_FORM_MANY;
        raw = v;
    }
    if (raw.p == NULL)
        return AG_FORM_ABSENT;
    text = ag_new0(a, raw.n + 1);   /* raw is part of a text in memory: + 1 fits */
    if (text == NULL) {
        *oom = true;
        return AG_FORM_BAD;
    }
    if (!ag_form_decode(text, &n, raw)) {
        ag_free_wiped(a, text, raw.n + 1);
        return AG_FORM_BAD;
    }
    text[n] = '\0';
    ag_str_free(a, out);
    out->p = text;
    out->n = n;
    return AG_FORM_ONE;
}
