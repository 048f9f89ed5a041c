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

/* The six bits of a base64url character, or -1. */
static int bits_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

bool ag_b64url_decode(void *out, size_t *out_n, const char *in, size_t n)
{
    unsigned char *to = out;
    unsigned held = 0;      /* bits not written yet, the low `waiting` ones */
    unsigned waiting = 0;
    size_t i, at = 0;
    *out_n = 0;
    if (n % 4 == 1)
        return false;
    for (i = 0; i < n; i++) {
        int bits = bits_of(in[i]);
        if (bits < 0)
            return false;
        held = (held << 6 | (unsigned)bits) & 0xFFF;
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
