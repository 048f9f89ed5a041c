/* json_scan_text: JSON's strings and numbers, to the letter. Must never build a value. */
#include <stdint.h>
#include <string.h>

#include "core/json_scan.h"
#include "core/json_scan_parts.h"
#include "core/utf8.h"

/* The value of the \uXXXX whose backslash is p[at], or -1. */
static int escaped_unit(const char *p, size_t n, size_t at)
{
    int value = 0;
    size_t i;
    if (n - at < 6 || p[at] != '\\' || p[at + 1] != 'u')
        return -1;
    for (i = at + 2; i < at + 6; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
                    c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* p[*at] is a backslash. */
static const char *scan_escape(const char *p, size_t n, size_t *at)
{
    int unit, low;
    if (n - *at < 2)
        return "a string does not end";
    if (p[*at + 1] != 'u') {
        if (p[*at + 1] == '\0' || strchr("\"\\/bfnrt", p[*at + 1]) == NULL)
            return "a bad escape";
        *at += 2;
        return NULL;
    }
    unit = escaped_unit(p, n, *at);
    if (unit < 0)
        return "a bad escape";
    if (unit == 0)
        return "\\u0000 is refused";
    if (unit >= 0xDC00 && unit <= 0xDFFF)
        return "half a surrogate pair";
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        low = escaped_unit(p, n, *at + 6);
        if (low < 0xDC00 || low > 0xDFFF)
            return "half a surrogate pair";
        *at += 6;
    }
    *at += 6;
    return NULL;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Is there among eight bytes one that skip_plain stops at? A subtraction borrows from the highest bit of each byte that is
 * less than what is taken off; what may be wrong in bytes above such a one changes nothing. */
static bool any_special(const char *p)
{
    uint64_t all, quote, backslash;
    memcpy(&all, p, sizeof all);
    quote = all ^ EACH('"');
    backslash = all ^ EACH('\\');
    return ((all | (all - EACH(0x20)) | (quote - EACH(1)) | (backslash - EACH(1))) & EACH(0x80)) != 0;
}

/* Past the characters that nearly every string is made of: ASCII, no control characters, quotes or backslashes. */
static size_t skip_plain(const char *p, size_t n, size_t at)
{
    while (n - at >= 8 && !any_special(p + at))
        at += 8;
    while (at < n && (unsigned char)(p[at] - 0x20) < 0x60 && p[at] != '"' && p[at] != '\\')
        at++;
    return at;
}

const char *ag_scan_string(const char *p, size_t n, size_t *at)
{
    const char *bad;
    size_t step;
    *at += 1;
    while (*at < n) {
        unsigned char c;
        *at = skip_plain(p, n, *at);
        if (*at == n)
            break;
        c = (unsigned char)p[*at];
        if (c == '"') {
            *at += 1;
            return NULL;
        }
        if (c == '\\') {
            bad = scan_escape(p, n, at);
            if (bad != NULL)
                return bad;
            continue;
        }
        if (c < 0x20)
            return "a control character in a string";
        step = ag_utf8_step(p + *at, n - *at);
        if (step == 0)
            return "invalid UTF-8";
        *at += step;
    }
    return "a string does not end";
}

static bool is_digit(const char *p, size_t n, size_t at)
{
    return at < n && p[at] >= '0' && p[at] <= '9';
}

static size_t skip_digits(const char *p, size_t n, size_t at)
{
    while (is_digit(p, n, at))
        at++;
    return at;
}

/* Where a number's pieces are: whole[0..], after the point, and the exponent's value. */
typedef struct number {
    const char *whole, *fraction;
    size_t whole_n, fraction_n;
    long exponent;
} number;

/* Is |x| too large for a double? The digits of 2^1024 - 2^970, from where on numbers round to infinity; a number
 * has fewer digits than stand here, and one that agrees with them all so far is smaller. */
static bool overflows(const number *x)
{
    static const char limit[] = "1797693134862315807937289714053034150799341327100378269361737789";
    size_t i = 0, k, all = x->whole_n + x->fraction_n;
    long magnitude;     /* of the first digit that is not zero */
    while (i < all && (i < x->whole_n ? x->whole[i] : x->fraction[i - x->whole_n]) == '0')
        i++;
    if (i == all)
        return false;
    magnitude = (long)x->whole_n - 1 - (long)i + x->exponent;
    if (magnitude != 308)
        return magnitude > 308;
    for (k = 0; i < all; i++, k++) {
        char c = i < x->whole_n ? x->whole[i] : x->fraction[i - x->whole_n];
        if (c != limit[k])
            return c > limit[k];
    }
    return false;
}

static const char *scan_exponent(const char *p, size_t n, size_t *at, number *x)
{
    bool minus;
    if (*at >= n || (p[*at] != 'e' && p[*at] != 'E'))
        return NULL;
    *at += 1;
    minus = *at < n && p[*at] == '-';
    if (*at < n && (p[*at] == '-' || p[*at] == '+'))
        *at += 1;
    if (!is_digit(p, n, *at))
        return "a bad number";
    for (; is_digit(p, n, *at); *at += 1)
        if (x->exponent < 100000)
            x->exponent = x->exponent * 10 + (p[*at] - '0');
    if (minus)
        x->exponent = -x->exponent;
    return NULL;
}

const char *ag_scan_number(const char *p, size_t n, size_t *at)
{
    size_t start = *at, from;
    const char *bad;
    number x;
    memset(&x, 0, sizeof x);
    if (p[*at] == '-')
        *at += 1;
    if (!is_digit(p, n, *at))
        return "a bad number";
    from = *at;
    *at = p[from] == '0' ? from + 1 : skip_digits(p, n, from);
    if (is_digit(p, n, *at))
        return "a number with a zero in front";
    x.whole = p + from;
    x.whole_n = *at - from;
    if (*at < n && p[*at] == '.') {
        from = *at + 1;
        *at = skip_digits(p, n, from);
        if (*at == from)
            return "a bad number";
        x.fraction = p + from;
        x.fraction_n = *at - from;
    }
    bad = scan_exponent(p, n, at, &x);
    if (bad != NULL)
        return bad;
    if (*at - start <= AG_JSON_MAX_NUMBER && !overflows(&x))
        return NULL;
    bad = *at - start > AG_JSON_MAX_NUMBER ? "a number is too long" : "a number is too large";
    *at = start;
    return bad;
}
