/* utf8_test: against a decoder written the slow way, over all sequences that matter. */
#include "core/utf8.h"
#include "tap.h"

/* The length by decoding first and judging the code point then. */
static size_t slow(const unsigned char *s, size_t n)
{
    static const unsigned long least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t len = s[0] < 0x80 ? 1 : (s[0] & 0xE0) == 0xC0 ? 2 : (s[0] & 0xF0) == 0xE0 ? 3 : (s[0] & 0xF8) == 0xF0 ? 4 : 0;
    unsigned long cp = len == 1 ? s[0] : len == 2 ? s[0] & 0x1FU : len == 3 ? s[0] & 0x0FU : s[0] & 0x07U;
    size_t i;
    if (len == 0 || len > n)
        return 0;
    for (i = 1; i < len; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        cp = cp << 6 | (s[i] & 0x3FU);
    }
    return cp < least[len] || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF) ? 0 : len;
}

int main(void)
{
    static const unsigned char rest[] = { 0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF };
    size_t n, wrong = 0, k = sizeof rest;
    unsigned i;
    for (i = 0; i < 256 * k * k * k; i++) {
        unsigned char s[4] = { (unsigned char)(i % 256), rest[i / 256 % k], rest[i / 256 / k % k], rest[i / 256 / k / k] };
        for (n = 1; n <= 4; n++)
            wrong += ag_utf8_step((const char *)s, n) != slow(s, n) ? 1 : 0;
    }
    OK(wrong == 0, "every first byte with every kind of others, cut at every length");
    OK(ag_utf8_step("", 0) == 0, "nothing is no character");
    OK(ag_utf8_valid(AG_LIT("gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80")), "a text");
    OK(!ag_utf8_valid(AG_LIT("gr\xC3\xBC\xC3")), "the same cut in a character");
    OK(ag_utf8_valid((ag_view){ NULL, 0 }), "no text");
    return tap_end();
}
