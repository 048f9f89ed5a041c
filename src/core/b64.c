/* b64: see b64.h. */
#include "core/b64.h"

static const char url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char std_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Writes without padding; returns how many characters. */
static size_t encode(char *out, const unsigned char *in, size_t n, const char *alphabet)
{
    size_t i, at = 0;
    for (i = 0; i + 2 < n; i += 3) {
        out[at++] = alphabet[in[i] >> 2];
        out[at++] = alphabet[(in[i] & 3) << 4 | in[i + 1] >> 4];
        out[at++] = alphabet[(in[i + 1] & 15) << 2 | in[i + 2] >> 6];
        out[at++] = alphabet[in[i + 2] & 63];
    }
    if (n - i == 1) {
        out[at++] = alphabet[in[i] >> 2];
        out[at++] = alphabet[(in[i] & 3) << 4];
    } else if (n - i == 2) {
        out[at++] = alphabet[in[i] >> 2];
        out[at++] = alphabet[(in[i] & 3) << 4 | in[i + 1] >> 4];
        out[at++] = alphabet[(in[i + 1] & 15) << 2];
    }
    return at;
}

void ag_b64url_encode(char *out, const void *in, size_t n)
{
    (void)encode(out, in, n, url_alphabet);
}

void ag_b64_encode(char *out, const void *in, size_t n)
{
    size_t at = encode(out, in, n, std_alphabet);
    while (at % 4 != 0)
        out[at++] = '=';
}

/* The six bits of a base64url character; anything else has a higher bit. */
#define BAD 0x80
static const unsigned char bits_of[256] = {
#define B4 BAD, BAD, BAD, BAD
#define B16 B4, B4, B4, B4
    B16, B16, B4, B4, B4, BAD, 62, BAD, BAD,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, BAD, BAD, B4,
    BAD, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, BAD, BAD, BAD, BAD, 63,
    BAD, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, BAD, B4,
    B16, B16, B16, B16, B16, B16, B16, B16
#undef B16
#undef B4
};

bool ag_b64url_decode(void *out, size_t *out_n, const char *in, size_t n)
{
    unsigned char *to = out;
    unsigned held = 0;      /* bits not written yet, the low `waiting` ones */
    unsigned waiting = 0;
    size_t i, at = 0;
    *out_n = 0;
    if (n % 4 == 1)
        return false;
    for (i = 0; n - i >= 4; i += 4) {
        const unsigned char *p = (const unsigned char *)in + i;
        unsigned a = bits_of[p[0]], b = bits_of[p[1]], c = bits_of[p[2]], d = bits_of[p[3]];
        if (((a | b | c | d) & BAD) != 0)
            return false;
        to[at++] = (unsigned char)(a << 2 | b >> 4);
        to[at++] = (unsigned char)((b << 4 | c >> 2) & 0xFF);
        to[at++] = (unsigned char)((c << 6 | d) & 0xFF);
    }
    for (; i < n; i++) {
        unsigned bits = bits_of[(unsigned char)in[i]];
        if ((bits & BAD) != 0)
            return false;
        held = (held << 6 | bits) & 0xFFF;
        waiting += 6;
        if (waiting >= 8) {
            waiting -= 8;
            to[at++] = (unsigned char)(held >> waiting & 0xFF);
        }
    }
    if ((held & ((1U << waiting) - 1)) != 0)
        return false;       /* stray bits: two texts would mean the same bytes */
    *out_n = at;
    return true;
}
