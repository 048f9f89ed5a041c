/* siphash: see siphash.h. */
#include "core/siphash.h"

#include <stdint.h>

static uint64_t load(const unsigned char *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32
        | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static void store(unsigned char *p, uint64_t v)
{
    int i;
    for (i = 0; i < 8; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t turn(uint64_t v, int by)
{
    return v << by | v >> (64 - by);
}

static void rounds(uint64_t v[4], int n)
{
    while (n-- > 0) {
        v[0] += v[1];
        v[1] = turn(v[1], 13) ^ v[0];
        v[0] = turn(v[0], 32);
        v[2] += v[3];
        v[3] = turn(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = turn(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = turn(v[1], 17) ^ v[2];
        v[2] = turn(v[2], 32);
    }
}

static uint64_t sum(const uint64_t v[4])
{
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void ag_siphash(const unsigned char key[16], const void *in, size_t n, unsigned char out[AG_SIPHASH_SIZE])
{
    const unsigned char *p = in;
    const uint64_t k0 = load(key), k1 = load(key + 8);
    uint64_t v[4] = { k0 ^ 0x736f6d6570736575U, k1 ^ 0x646f72616e646f6dU ^ 0xee, k0 ^ 0x6c7967656e657261U, k1 ^ 0x7465646279746573U };
    uint64_t last = (uint64_t)n << 56, m;
    size_t i;
    for (i = 0; n - i >= 8; i += 8) {
        m = load(p + i);
        v[3] ^= m;
        rounds(v, 2);
        v[0] ^= m;
    }
    for (; i < n; i++)
        last |= (uint64_t)p[i] << (8 * (i % 8));
    v[3] ^= last;
    rounds(v, 2);
    v[0] ^= last;
    v[2] ^= 0xee;
    rounds(v, 4);
    store(out, sum(v));
    v[1] ^= 0xdd;
    rounds(v, 4);
    store(out + 8, sum(v));
}
