/* crypto_seal_test: one seal as another implementation (Node's) makes it, and that whatever is changed is found out. */
#include "core/crypto.h"
#include "core/crypto_seal.h"
#include "tap.h"

enum { SIZE = 12 + AG_SEAL_MORE };

static const char vector[] = "8941475345414c0a01a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9ba"
                             "bbe2d15fb1e4bab5fbb0989600f3f8e362d69d298f5428cf570f9a4fc739ac8c793a79df"
                             "28caeeb7a46556d6ac107c22d00fb994f80432552c507011dca8f57fab1242cd9df47423"
                             "d2f307ada7";
static const char record[] = "{\"record\":1}";

static unsigned char key[AG_SEAL_KEY], other_key[AG_SEAL_KEY], random_bytes[AG_SEAL_RANDOM];
static char sealed[SIZE];

static void set_up(void)
{
    size_t i;
    unsigned int byte;
    for (i = 0; i < sizeof key; i++)
        key[i] = other_key[i] = (unsigned char)i;
    other_key[31] ^= 1;
    for (i = 0; i < sizeof random_bytes; i++)
        random_bytes[i] = (unsigned char)(0xa0 + i);
    for (i = 0; i < SIZE; i++) {
        (void)sscanf(vector + 2 * i, "%2x", &byte);
        sealed[i] = (char)byte;
    }
}

static ag_view seal_of(const char *p, size_t n)
{
    return (ag_view){ p, n };
}

/* What opening n bytes of p gives; nothing is ever left over. */
static ag_seal_result result_of(const unsigned char *with, const char *context, const char *p, size_t n)
{
    ag_str out = { NULL, 0 };
    ag_seal_result got = ag_unseal(&tap_alloc, with, ag_view_of(context), seal_of(p, n), &out);
    if (got != AG_SEAL_GOOD && out.p != NULL)
        got = AG_SEAL_FAILED;
    ag_str_free(&tap_alloc, &out);
    return got;
}

/* The digest made right again, as somebody would who changes the file on purpose. */
static ag_seal_result forged(size_t at, unsigned char bit)
{
    char copy[SIZE];
    memcpy(copy, sealed, SIZE);
    copy[at] = (char)(copy[at] ^ bit);
    (void)ag_sha256((unsigned char *)copy + SIZE - 32, copy, SIZE - 32);
    return result_of(key, "context", copy, SIZE);
}

static void known(void)
{
    ag_str out = { NULL, 0 }, plain = { NULL, 0 };
    OK(ag_seal(&tap_alloc, key, AG_LIT("context"), random_bytes, ag_view_of(record), &out) == AG_SEAL_GOOD, "sealed");
    OK(out.n == SIZE && memcmp(out.p, sealed, SIZE) == 0, "as another implementation does it");
    OK(ag_unseal(&tap_alloc, key, AG_LIT("context"), seal_of(sealed, SIZE), &plain) == AG_SEAL_GOOD, "opened");
    OK(tap_str_is(&plain, record), "the same again");
    ag_str_free(&tap_alloc, &out);
    ag_str_free(&tap_alloc, &plain);
    OK(ag_seal(&tap_alloc, key, AG_LIT("context"), random_bytes, AG_LIT(""), &out) == AG_SEAL_GOOD, "nothing sealed");
    OK(result_of(key, "context", out.p, out.n) == AG_SEAL_GOOD, "nothing opened");
    ag_str_free(&tap_alloc, &out);
    OK(ag_seal_look(NULL, seal_of(sealed, SIZE)) == AG_SEAL_GOOD, "seen to be sealed without a key");
    OK(ag_seal_look(key, seal_of(sealed, SIZE)) == AG_SEAL_GOOD, "and with it");
}

static void changed(void)
{
    char copy[SIZE];
    size_t i;
    bool noticed = true, plain = true;
    for (i = 0; i < SIZE; i++) {
        ag_seal_result want = i < 8 ? AG_SEAL_NONE : AG_SEAL_DAMAGED;
        memcpy(copy, sealed, SIZE);
        copy[i] = (char)(copy[i] ^ 0x10);
        noticed = noticed && result_of(key, "context", copy, SIZE) == want && ag_seal_look(NULL, seal_of(copy, SIZE)) == want;
    }
    OK(noticed, "any byte changed");
    noticed = true;
    for (i = 0; i < SIZE; i++) {
        char *exact = tap_exact(sealed, i);
        noticed = noticed && result_of(key, "context", exact, i) == (i < 8 ? AG_SEAL_NONE : AG_SEAL_DAMAGED);
        free(exact);
    }
    OK(noticed, "cut off anywhere");
    OK(forged(8, 3) == AG_SEAL_NEWER, "another version");
    noticed = true;
    for (i = 9; i < SIZE - 32; i++) {
        /* Whose key it is hangs on salt and check, which cannot be told from another key's. */
        bool check = (i >= 9 && i < 25) || (i >= 37 && i < 53);
        noticed = noticed && forged(i, 0x80) == (check ? AG_SEAL_OTHER_KEY : AG_SEAL_DAMAGED);
    }
    OK(noticed, "any byte changed, and the digest made right");
    for (i = 0; plain && i < 3; i++) {
        static const char *const texts[] = { "", "{\"record\":1}", "\x89PNG\r\n\x1a\n and more" };
        plain = result_of(key, "context", texts[i], strlen(texts[i])) == AG_SEAL_NONE;
    }
    OK(plain, "what is not sealed");
}

static void whose(void)
{
    OK(result_of(other_key, "context", sealed, SIZE) == AG_SEAL_OTHER_KEY, "another key");
    OK(ag_seal_look(other_key, seal_of(sealed, SIZE)) == AG_SEAL_OTHER_KEY, "another key, only looked at");
    OK(result_of(key, "Context", sealed, SIZE) == AG_SEAL_DAMAGED, "another context");
    OK(result_of(key, "", sealed, SIZE) == AG_SEAL_DAMAGED, "no context");
}

static tap_outcome there_and_back(const ag_alloc *a)
{
    ag_str out = { NULL, 0 }, plain = { NULL, 0 };
    ag_seal_result got = ag_seal(a, key, AG_LIT("c"), random_bytes, ag_view_of(record), &out);
    if (got == AG_SEAL_GOOD)
        got = ag_unseal(a, key, AG_LIT("c"), ag_str_view(&out), &plain);
    ag_str_free(a, &out);
    ag_str_free(a, &plain);
    return got == AG_SEAL_GOOD ? TAP_DONE : got == AG_SEAL_FAILED ? TAP_NO_MEMORY : TAP_WRONG;
}

int main(void)
{
    set_up();
    known();
    changed();
    whose();
    tap_canary = "record";
    tap_each_alloc("there and back", there_and_back, 2);
    OK(tap_live == 0, "nothing is left");
    return tap_end();
}
