/* withhold_test: every stretch of a secret, written in every way, is taken out; ordinary words stay. */
#include "core/withhold.h"
#include "core/b64.h"
#include "tap.h"

static const char secret[] = "7C.AcbMNv-BNHIZIFTA2DLsvxsfh9hU4COZx~I5Sh3C";
#define STRETCH 8

enum way { RAW, PERCENT, PERCENT_SMALL, HEX, HEX_LARGE, BASE64_0, BASE64_1, BASE64_2, BASE64URL_0, BASE64URL_1, BASE64URL_2, WAYS };

static void write_hex(char *out, const char *in, size_t n, const char *format)
{
    for (; n > 0; n--, in++, out += strlen(out))
        (void)snprintf(out, 4, format, (unsigned)(unsigned char)*in);
}

/* The stretch in base64, after as many other bytes; bytes of others follow too. */
static void write_base64(char *out, const char *in, size_t n, size_t before, bool url)
{
    char bytes[64] = "#?";
    memcpy(bytes + before, in, n);
    memcpy(bytes + before + n, "!!!", 3);
    if (url) {
        ag_b64url_encode(out, bytes, before + n + 3);
        out[AG_B64URL_LEN(before + n + 3)] = '\0';
    } else {
        ag_b64_encode(out, bytes, before + n + 3);
        out[(before + n + 3 + 2) / 3 * 4] = '\0';
    }
}

static void write_as(enum way way, char *out, const char *in, size_t n)
{
    memset(out, 0, 128);
    switch (way) {
    case RAW: memcpy(out, in, n); break;
    case PERCENT: write_hex(out, in, n, "%%%02X"); break;
    case PERCENT_SMALL: write_hex(out, in, n, "%%%02x"); break;
    case HEX: write_hex(out, in, n, "%02x"); break;
    case HEX_LARGE: write_hex(out, in, n, "%02X"); break;
    case WAYS: break;
    default: write_base64(out, in, n, (size_t)((way - BASE64_0) % 3), way >= BASE64URL_0);
    }
}

static bool taken_out(char *field, size_t size, ag_err *e, const char *before, const char *text)
{
    (void)snprintf(field, size, "%s%s and so on", before, text);
    ag_err_withhold(e, (const ag_view[]){ AG_LIT("another secret!!"), ag_view_of(secret), { NULL, 0 } });
    return strstr(field, "withheld") != NULL && strstr(field, text) == NULL;
}

static void every_stretch(enum way way)
{
    static const char *const names[WAYS] = {
        "raw", "percent", "percent, small", "hex", "HEX", "base64 + 0", "base64 + 1", "base64 + 2",
        "base64url + 0", "base64url + 1", "base64url + 2"
    };
    static const char *const before[] = { "", "got ", "got:", "f%", "/" };
    size_t at, i, missed = 0;
    ag_err e;
    for (at = 0; at + STRETCH < sizeof secret; at++) {
        for (i = 0; i < sizeof before / sizeof before[0]; i++) {
            char text[128];
            memset(&e, 0, sizeof e);
            write_as(way, text, secret + at, STRETCH);
            missed += !taken_out(e.message, sizeof e.message, &e, before[i], text);
            missed += !taken_out(e.oauth_error_description, sizeof e.oauth_error_description, &e, before[i], text);
        }
    }
    OK(missed == 0, tap_name("every stretch is found", names[way]));
}

static void stays(const char *what, const char *text, const ag_view *secrets)
{
    ag_err e;
    memset(&e, 0, sizeof e);
    (void)snprintf(e.message, sizeof e.message, "%s", text);
    (void)snprintf(e.oauth_error, sizeof e.oauth_error, "%.60s", text);
    (void)snprintf(e.oauth_error_description, sizeof e.oauth_error_description, "%s", text);
    ag_err_withhold(&e, secrets);
    OK(strcmp(e.message, text) == 0 && strncmp(e.oauth_error, text, 60) == 0 && strcmp(e.oauth_error_description, text) == 0,
       tap_name(what, text));
}

static void words(void)
{
    const ag_view one[] = { ag_view_of(secret), { NULL, 0 } }, none[] = { { NULL, 0 } };
    const ag_view empty[] = { { secret, 0 }, { NULL, 0 } };
    char seven[STRETCH];
    stays("ordinary words stay", "the refresh token is expired, revoked or malformed (100% of 68656c6c6f)", one);
    stays("nothing to say", "", one);
    stays("no secrets", secret, none);
    stays("an empty secret", secret, empty);
    memcpy(seven, secret, STRETCH - 1);
    seven[STRETCH - 1] = '\0';
    stays("seven characters are not enough", seven, one);
}

static void edges(void)
{
    const ag_view one[] = { ag_view_of(secret), { NULL, 0 } }, small[] = { AG_LIT("tiny"), { NULL, 0 } };
    ag_err e;
    memset(&e, 0, sizeof e);
    memset(e.message, 'x', sizeof e.message - 1);
    memcpy(e.message + sizeof e.message - 1 - STRETCH, secret, STRETCH);
    ag_err_withhold(&e, one);
    OK(strstr(e.message, "withheld") != NULL, "at the very end of the longest message");
    memset(&e, 0, sizeof e);
    memset(e.message, '%', sizeof e.message - 1);
    ag_err_withhold(&e, one);
    OK(e.message[0] == '%', "a message of percent signs");
    (void)snprintf(e.message, sizeof e.message, "a tiny mistake");
    (void)snprintf(e.oauth_error, sizeof e.oauth_error, "tiny");
    (void)snprintf(e.oauth_error_description, sizeof e.oauth_error_description, "got tiny");
    ag_err_withhold(&e, small);
    OK(strcmp(e.oauth_error, "withheld") == 0 && strstr(e.oauth_error_description, "tiny") == NULL,
       "a secret shorter than a stretch, in what others say");
    OK(strcmp(e.message, "a tiny mistake") == 0, "but our own words stay");
}

int main(void)
{
    int way;
    for (way = RAW; way < WAYS; way++)
        every_stretch((enum way)way);
    words();
    edges();
    return tap_end();
}
