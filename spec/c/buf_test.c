/* buf_test: bytes that grow, stay within a limit, and are wiped. */
#include <limits.h>

#include "core/buf.h"
#include "tap.h"

static void grows(void)
{
    ag_buf b;
    ag_str s = { NULL, 0 };
    size_t i;
    bool same = true;
    ag_buf_init(&b, &tap_alloc, AG_BUF_NO_LIMIT);
    for (i = 0; i < 100000; i++)
        ag_buf_char(&b, (char)('a' + (int)(i % 26)));
    OK(!b.bad && b.n == 100000, "100,000 characters");
    OK(ag_buf_take(&b, &s) && s.n == 100000 && s.p[s.n] == '\0', "taken, with a NUL behind them");
    for (i = 0; i < s.n; i++)
        same = same && s.p[i] == (char)('a' + (int)(i % 26));
    OK(same, "all of them as they were added");
    OK(b.p == NULL && b.n == 0, "the buf is empty then");
    ag_buf_cstr(&b, "again");
    OK(ag_buf_take(&b, &s) && tap_str_is(&s, "again"), "and can be used again; what the string held is freed");
    OK(ag_buf_take(&b, &s) && tap_str_is(&s, ""), "an empty one gives an empty string, not 'not there'");
    ag_str_free(&tap_alloc, &s);
    ag_buf_free(&b);
    OK(tap_live == 0, "nothing is held");
}

static void limits(void)
{
    ag_buf b;
    ag_str s = { NULL, 0 };
    ag_buf_init(&b, &tap_alloc, 5);
    ag_buf_cstr(&b, "12345");
    OK(ag_buf_take(&b, &s) && tap_str_is(&s, "12345"), "as many as the limit says");
    ag_buf_cstr(&b, "12345");
    ag_buf_char(&b, '6');
    OK(b.bad && b.n == 5, "one more makes it bad");
    ag_buf_add(&b, NULL, 0);
    OK(b.bad, "and it stays so");
    OK(!ag_buf_take(&b, &s) && tap_str_is(&s, "12345"), "a bad one gives nothing, and the string stays");
    OK(!b.bad && b.p == NULL, "taking empties it");
    ag_buf_add(&b, "x", (size_t)-1);
    OK(b.bad, "a length near the largest size does not wrap");
    ag_buf_free(&b);
    ag_buf_init(&b, &tap_alloc, (size_t)-1);
    ag_buf_cstr(&b, "x");
    ag_buf_add(&b, "x", (size_t)-1);
    OK(b.bad && b.n == 1, "nor without a limit");
    ag_buf_free(&b);
    ag_buf_init(&b, &tap_alloc, 0);
    OK(ag_buf_take(&b, &s) && s.n == 0, "a limit of nothing takes nothing");
    ag_buf_char(&b, 'x');
    OK(b.bad, "and no character");
    ag_buf_free(&b);
    ag_str_free(&tap_alloc, &s);
}

static void numbers(void)
{
    static const struct {
        long long v;
        const char *want;
    } rows[] = { { 0, "0" }, { 7, "7" }, { -1, "-1" }, { 1234567890, "1234567890" }, { LLONG_MAX, "9223372036854775807" },
                 { LLONG_MIN, "-9223372036854775808" } };
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ag_buf b;
        ag_str s = { NULL, 0 };
        ag_buf_init(&b, &tap_alloc, AG_BUF_NO_LIMIT);
        ag_buf_i64(&b, rows[i].v);
        OK(ag_buf_take(&b, &s) && tap_str_is(&s, rows[i].want), tap_name("a number", rows[i].want));
        ag_str_free(&tap_alloc, &s);
    }
}

static void pieces(void)
{
    ag_buf b;
    ag_str s = { NULL, 0 };
    int i;
    ag_buf_init(&b, &tap_alloc, AG_BUF_NO_LIMIT);
    ag_buf_view(&b, (ag_view){ NULL, 0 });
    ag_buf_add(&b, "a\0b", 3);
    for (i = 0; i < 8; i++)
        ag_buf_add(&b, b.p, b.n);
    OK(ag_buf_take(&b, &s) && s.n == 768 && memcmp(s.p + 765, "a\0b", 3) == 0, "its own bytes, over a move, NULs too");
    ag_str_free(&tap_alloc, &s);
}

static void wipes(void)
{
    ag_buf b;
    ag_str s = { NULL, 0 };
    size_t i;
    tap_canary = "c4n4ry-secret";
    tap_unwiped = 0;
    ag_buf_init(&b, &tap_alloc, AG_BUF_NO_LIMIT);
    ag_buf_cstr(&b, "c4n4ry-secret");
    for (i = 0; i < 4000; i++)
        ag_buf_char(&b, '.');
    OK(tap_unwiped == 0, "what it left when it moved is wiped");
    OK(ag_buf_take(&b, &s), "taken");
    ag_str_free(&tap_alloc, &s);
    ag_buf_cstr(&b, "c4n4ry-secret");
    ag_buf_free(&b);
    OK(tap_unwiped == 0, "what it frees is wiped");
    ag_free(&tap_alloc, memcpy(ag_new0(&tap_alloc, 20), "c4n4ry-secret", 13));
    OK(tap_unwiped == 1, "and this test would have seen it");
    tap_canary = NULL;
    tap_unwiped = 0;
}

static tap_outcome build(const ag_alloc *a)
{
    ag_buf b;
    ag_str s = { NULL, 0 };
    int i;
    bool ok;
    ag_buf_init(&b, a, AG_BUF_NO_LIMIT);
    for (i = 0; i < 1000; i++)
        ag_buf_i64(&b, i);
    ok = ag_buf_take(&b, &s);
    ok = ok && s.n == 2890;
    ag_str_free(a, &s);
    return ok ? TAP_DONE : TAP_NO_MEMORY;
}

int main(void)
{
    grows();
    limits();
    numbers();
    pieces();
    wipes();
    tap_each_alloc("building", build, 5);
    return tap_end();
}
