/* withhold: see withhold.h. The text is decoded, rather than the secrets encoded: it is the shorter one. */
#include "core/withhold.h"

#include <string.h>

#define STRETCH 8           /* as many characters of a secret are already too many */
#define DECODED_STRETCH 6   /* eight bytes in base64 that begin in the middle of a group give six whole ones */
#define MAX_TEXT sizeof(((ag_err *)0)->message)

typedef struct text {
    char p[MAX_TEXT];
    size_t n;
} text;

static bool contains(ag_view hay, const char *part, size_t n)
{
    const char *at = hay.p;
    while ((size_t)(hay.p + hay.n - at) >= n) {
        at = memchr(at, part[0], (size_t)(hay.p + hay.n - at) - n + 1);
        if (at == NULL)
            return false;
        if (memcmp(at, part, n) == 0)
            return true;
        at++;
    }
    return false;
}

/* Is a stretch of the secret in the text? The text's stretches are looked for in the secret. */
static bool shares(const text *t, ag_view secret, size_t stretch)
{
    size_t i;
    if (secret.n < stretch)
        stretch = secret.n;
    for (i = 0; i + stretch <= t->n; i++)
        if (contains(secret, t->p + i, stretch))
            return true;
    return false;
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int base64_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

static void unescape(const text *from, text *to)
{
    size_t i = 0;
    to->n = 0;
    while (i < from->n) {
        if (from->p[i] == '%' && from->n - i > 2 && hex_of(from->p[i + 1]) >= 0 && hex_of(from->p[i + 2]) >= 0) {
            to->p[to->n++] = (char)(hex_of(from->p[i + 1]) * 16 + hex_of(from->p[i + 2]));
            i += 3;
        } else {
            to->p[to->n++] = from->p[i++];
        }
    }
}

/* Decodes each run of digits of 4 (hex) or 6 (base64) bits, leaving out its first `skip`; a NUL between two runs. */
static void decode(const text *from, int (*digit)(char), unsigned bits, size_t skip, text *to)
{
    unsigned held = 0, have = 0;
    size_t i, run = 0;
    to->n = 0;
    for (i = 0; i < from->n; i++) {
        int value = digit(from->p[i]);
        if (value < 0) {
            if (run > 0)
                to->p[to->n++] = '\0';
            held = have = 0;
            run = 0;
        } else if (run++ >= skip) {
            held = (held << bits | (unsigned)value) & 0xffff;
            have += bits;
            if (have >= 8) {
                have -= 8;
                to->p[to->n++] = (char)(held >> have & 0xff);
            }
        }
    }
}

static bool holds_encoded(const text *t, ag_view secret)
{
    text plain;
    size_t skip;
    bool found;
    unescape(t, &plain);
    found = shares(&plain, secret, STRETCH);
    for (skip = 0; !found && skip < 2; skip++) {
        decode(t, hex_of, 4, skip, &plain);
        found = shares(&plain, secret, STRETCH);
    }
    for (skip = 0; !found && skip < 4; skip++) {
        decode(t, base64_of, 6, skip, &plain);
        found = shares(&plain, secret, DECODED_STRETCH);
    }
    ag_wipe(&plain, sizeof plain);
    return found;
}

/* Secrets shorter than a stretch are looked for as they are, and only in what others say. */
static bool holds_any(const char *words, const ag_view *secrets, bool ours)
{
    text t;
    bool found = false;
    t.n = strlen(words);
    memcpy(t.p, words, t.n);
    for (; !found && secrets->p != NULL; secrets++) {
        if (secrets->n >= STRETCH)
            found = shares(&t, *secrets, STRETCH) || holds_encoded(&t, *secrets);
        else if (secrets->n > 0 && !ours)
            found = shares(&t, *secrets, STRETCH);
    }
    ag_wipe(&t, sizeof t);
    return found;
}

void ag_err_withhold(ag_err *e, const ag_view *secrets)
{
    static const char instead[] = "[withheld: it held a secret]";
    if (holds_any(e->oauth_error, secrets, false))
        memcpy(e->oauth_error, "withheld", sizeof "withheld");
    if (holds_any(e->oauth_error_description, secrets, false))
        memcpy(e->oauth_error_description, instead, sizeof instead);
    if (holds_any(e->message, secrets, true))
        memcpy(e->message, instead, sizeof instead);
}

void ag_err_withhold_each(ag_err *e, const ag_view *secrets, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++) {
        const ag_view one[] = { secrets[i], { NULL, 0 } };
        if (secrets[i].n >= 8)
            ag_err_withhold(e, one);
    }
}
