/* utf8: checks UTF-8. Must never allocate or decode for others. */
#include "core/utf8.h"

static bool continues(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

size_t ag_utf8_step(const char *p, size_t n)
{
    const unsigned char *s = (const unsigned char *)p;
    if (n == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4 || n < 2 || !continues(s[1]))
        return 0;
    if (s[0] < 0xE0)
        return 2;
    if (n < 3 || !continues(s[2]))
        return 0;
    if (s[0] < 0xF0) {
        if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F))
            return 0;   /* overlong, or a surrogate */
        return 3;
    }
    if (n < 4 || !continues(s[3]))
        return 0;
    if ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;       /* overlong, or over U+10FFFF */
    return 4;
}

bool ag_utf8_valid(ag_view v)
{
    size_t i = 0;
    while (i < v.n) {
        size_t step = ag_utf8_step(v.p + i, v.n - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}
