/* json_walk: see json_walk.h. */
#include "core/json_walk.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/json_scan.h"

/* Between tokens of a scanned text nothing else is that low. */
static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (unsigned char)*p <= ' ')
        p++;
    return p;
}

/* Behind the string that begins at p. */
static const char *skip_string(const char *p, const char *end)
{
    const char *quote = memchr(p + 1, '"', (size_t)(end - p - 1));
    if (quote == NULL)
        return end;
    if (quote[-1] != '\\')
        return quote + 1;
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p < end ? p + 1 : end;
}

/* Behind the array or object that begins at p. */
static const char *skip_nested(const char *p, const char *end)
{
    size_t depth = 0;
    while (p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
            continue;
        }
        if (*p == '{' || *p == '[')
            depth++;
        else if ((*p == '}' || *p == ']') && --depth == 0)
            return p + 1;
        p++;
    }
    return end;
}

static const char *skip_plain(const char *p, const char *end)
{
    while (p < end && *p != ',' && *p != '}' && *p != ']' && (unsigned char)*p > ' ')
        p++;
    return p;
}

/* The value that begins at *p, which moves behind it. */
static ag_json_text value_at(const char **p, const char *end)
{
    ag_json_text v;
    const char *start = *p;
    switch (*start) {
    case '"':
        v.kind = AG_JSON_STRING;
        *p = skip_string(start, end);
        break;
    case '{':
    case '[':
        v.kind = *start == '{' ? AG_JSON_OBJECT : AG_JSON_ARRAY;
        *p = skip_nested(start, end);
        break;
    default:
        v.kind = *start == 't' ? AG_JSON_TRUE : *start == 'f' ? AG_JSON_FALSE : *start == 'n' ? AG_JSON_NULL : AG_JSON_NUMBER;
        *p = skip_plain(start, end);
    }
    v.text = (ag_view){ start, (size_t)(*p - start) };
    return v;
}

ag_json_text ag_json_walk_whole(ag_view scanned)
{
    const char *end = scanned.p + scanned.n, *p = skip_space(scanned.p, end);
    return value_at(&p, end);
}

ag_json_walk ag_json_walk_into(ag_json_text v)
{
    return (ag_json_walk){ v.text.p + 1, v.text.p + v.text.n - 1 };
}

/* To the next value or key; false at the end. */
static bool go_on(ag_json_walk *w)
{
    w->p = skip_space(w->p, w->end);
    if (w->p < w->end && *w->p == ',')
        w->p = skip_space(w->p + 1, w->end);
    return w->p < w->end;
}

bool ag_json_walk_element(ag_json_walk *w, ag_json_text *value)
{
    if (!go_on(w))
        return false;
    *value = value_at(&w->p, w->end);
    return true;
}

bool ag_json_walk_member(ag_json_walk *w, ag_view *key, ag_json_text *value)
{
    ag_json_text k;
    if (!ag_json_walk_element(w, &k))
        return false;
    *key = k.text;
    w->p = skip_space(w->p, w->end);
    if (w->p < w->end)
        w->p = skip_space(w->p + 1, w->end);    /* the colon */
    if (w->p >= w->end)
        return false;
    *value = value_at(&w->p, w->end);
    return true;
}

static size_t put_utf8(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

size_t ag_json_text_decode(ag_view quoted, char *out)
{
    const char *p = quoted.p + 1, *end = quoted.p + quoted.n - 1;
    size_t n = (size_t)(end - p);
    if (memchr(p, '\\', n) == NULL) {
        memcpy(out, p, n);
        out[n] = '\0';
        return n;
    }
    n = 0;
    while (p < end) {
        if (*p == '\\')
            n += put_utf8(ag_json_escaped(&p), out + n);
        else
            out[n++] = *p++;
    }
    out[n] = '\0';
    return n;
}

bool ag_json_text_is(ag_view quoted, ag_view text)
{
    const char *p = quoted.p + 1, *end = quoted.p + quoted.n - 1;
    size_t at = 0;
    if (memchr(p, '\\', (size_t)(end - p)) == NULL)
        return (size_t)(end - p) == text.n && memcmp(p, text.p, text.n) == 0;
    while (p < end) {
        char bytes[4];
        size_t n = 1;
        if (*p == '\\')
            n = put_utf8(ag_json_escaped(&p), bytes);
        else
            bytes[0] = *p++;
        if (text.n - at < n || memcmp(text.p + at, bytes, n) != 0)
            return false;
        at += n;
    }
    return at == text.n;
}

double ag_json_text_number(ag_view digits)
{
    const char *p = digits.p, *end = p + digits.n;
    bool minus = p < end && *p == '-', minus_exponent = false, point = false;
    uint64_t value = 0;
    int scale = 0, exponent = 0;
    double d;
    for (p += minus ? 1 : 0; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            point = true;
        } else if (value < UINT64_C(100000000000000000)) {
            value = value * 10 + (uint64_t)(*p - '0');
            scale -= point ? 1 : 0;
        } else {
            scale += point ? 0 : 1;
        }
    }
    if (p < end) {
        minus_exponent = p + 1 < end && p[1] == '-';
        for (p += p + 1 < end && (p[1] == '-' || p[1] == '+') ? 2 : 1; p < end; p++)
            exponent = exponent < 100000 ? exponent * 10 + (*p - '0') : exponent;
    }
    scale += minus_exponent ? -exponent : exponent;
    d = (double)value;
    if (value != 0 && scale != 0)   /* by division where that is exact more often; never out of range on the way */
        d = scale > 0 ? d * pow(10, scale) : scale >= -300 ? d / pow(10, -scale) : d / pow(10, 300) / pow(10, -scale - 300);
    return minus ? -d : d;
}
