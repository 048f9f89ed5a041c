/* siphash_test: the vectors of the algorithm's authors (key 00 01 .. 0f, inputs 00 01 ..). */
#include "core/siphash.h"
#include "tap.h"

static const char *const vectors[] = {
    "a3817f04ba25a8e66df67214c7550293", "da87c1d86b99af44347659119b22fc45", "8177228da4a45dc7fca38bdef60affe4",
};

static const char *hash(size_t n)
{
    static char text[2 * AG_SIPHASH_SIZE + 1];
    unsigned char key[16], in[64], out[AG_SIPHASH_SIZE];
    char *exact;
    size_t i;
    for (i = 0; i < sizeof in; i++)
        in[i] = (unsigned char)i;
    memcpy(key, in, sizeof key);
    exact = tap_exact((const char *)in, n);
    ag_siphash(key, exact, n, out);
    free(exact);
    for (i = 0; i < sizeof out; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", out[i]);
    return text;
}

int main(void)
{
    size_t i;
    for (i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        OK(strcmp(hash(i), vectors[i]) == 0, "a short input");
    OK(strcmp(hash(15), "5493e99933b0a8117e08ec0f97cfc3d9") == 0, "15 bytes");
    OK(strcmp(hash(63), "5150d1772f50834a503e069a973fbd7c") == 0, "63 bytes");
    return tap_end();
}
