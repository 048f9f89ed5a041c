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

/* Whole groups of four characters, which are three bytes. */
static bool decode_groups(unsigned char *to, const unsigned char *p, size_t groups)
{
    unsigned bad = 0;
    for (; groups > 0; groups--, p += 4, to += 3) {
        unsigned a = bits_of[p[0]], b = bits_of[p[1]], c = bits_of[p[2]], d = bits_of[p[3]];
        unsigned all = a << 18 | b << 12 | c << 6 | d;
        bad |= a | b | c | d;
        to[0] = (unsigned char)(all >> 16 & 0xFF);
        to[1] = (unsigned char)(all >> 8 & 0xFF);
        to[2] = (unsigned char)(all & 0xFF);
    }
    return (bad & BAD) == 0;
}

bool ag_b64url_decode(void *out, size_t *out_n, const char *in, size_t n)
{
    unsigned char *to = out;
    size_t groups = n / 4;
    unsigned held = 0;      /* bits not written yet, the low `waiting` ones */
    unsigned waiting = 0;
    size_t i, at = groups * 3;
    *out_n = 0;
    if (n % 4 == 1 || !decode_groups(to, (const unsigned char *)in, groups))
        return false;
    for (i = groups * 4; i < n; i++) {
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
