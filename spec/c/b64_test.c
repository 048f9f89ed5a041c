/* b64_test: base64url to the letter. */
#include "core/b64.h"
#include "tap.h"

static void known(void)
{
    static const struct {
        const char *plain, *url, *std;
    } rows[] = { /* RFC 4648 section 10, and the two letters in which the alphabets differ */
        { "", "", "" }, { "f", "Zg", "Zg==" }, { "fo", "Zm8", "Zm8=" }, { "foo", "Zm9v", "Zm9v" },
        { "foob", "Zm9vYg", "Zm9vYg==" }, { "fooba", "Zm9vYmE", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy", "Zm9vYmFy" },
        { "\xFB\xFF\xFE", "-__-", "+//+" } };
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n = strlen(rows[i].plain), back_n = 99;
        char url[16], std[16], back[16];
        char *exact = tap_exact(rows[i].url, strlen(rows[i].url));
        ag_b64url_encode(url, rows[i].plain, n);
        ag_b64_encode(std, rows[i].plain, n);
        OK(AG_B64URL_LEN(n) == strlen(rows[i].url) && memcmp(url, rows[i].url, strlen(rows[i].url)) == 0,
           tap_name("base64url", rows[i].url));
        OK(memcmp(std, rows[i].std, strlen(rows[i].std)) == 0, tap_name("base64", rows[i].std));
        OK(ag_b64url_decode(back, &back_n, exact, strlen(rows[i].url)) && back_n == n &&
           memcmp(back, rows[i].plain, n) == 0, tap_name("and back", rows[i].url));
        free(exact);
    }
}

/* Each bad text beside the good one that differs in the one defect. */
static void strict(void)
{
    static const struct {
        const char *bad, *good, *why;
    } rows[] = { { "Zg==", "Zg", "padding" }, { "Z", "Zg", "one character over" }, { "A", "AA", "one over without a bit set" }, { "Zh", "Zg", "stray bits" },
                 { "Zm9", "Zm8", "stray bits in the second byte" }, { "Zm 9v", "Zm9v", "a space" },
                 { "Zm9v\n", "Zm9v", "a line end" }, { "+__-", "-__-", "the other alphabet's 62" },
                 { "-/_-", "-__-", "the other alphabet's 63" }, { "Zm9\xC3", "Zm9v", "a byte over 0x7f" },
                 { "Zm=v", "Zm9v", "padding in the middle" } };
    size_t i, n;
    char out[16];
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        OK(!ag_b64url_decode(out, &n, rows[i].bad, strlen(rows[i].bad)) && n == 0, tap_name("refused", rows[i].why));
        OK(ag_b64url_decode(out, &n, rows[i].good, strlen(rows[i].good)), tap_name("its twin", rows[i].good));
    }
    OK(!ag_b64url_decode(out, &n, "Zm\0v", 4), "refused: a NUL");
}

static void all_bytes(void)
{
    unsigned char in[256], back[256];
    char text[AG_B64URL_LEN(256)];
    size_t i, n, wrong = 0;
    for (i = 0; i < 256; i++)
        in[i] = (unsigned char)(i * 167 + 13);
    for (i = 0; i <= 256; i++) {
        ag_b64url_encode(text, in, i);
        if (!ag_b64url_decode(back, &n, text, AG_B64URL_LEN(i)) || n != i || memcmp(in, back, i) != 0)
            wrong++;
    }
    OK(wrong == 0, "every length from 0 to 256 comes back");
    wrong = 0;
    for (i = 0; i < 256; i++) {     /* exactly 64 of all bytes are letters of the alphabet */
        char one[4] = { 'A', 'A', 'A', (char)i };
        wrong += ag_b64url_decode(back, &n, one, 4) ? 1 : 0;
    }
    OK(wrong == 64, "exactly 64 bytes are taken");
}

int main(void)
{
    known();
    strict();
    all_bytes();
    return tap_end();
}
