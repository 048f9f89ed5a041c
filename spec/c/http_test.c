/* http_test: header blocks, methods, dates, Retry-After. */
#include "core/http.h"
#include "tap.h"

static void headers(void)
{
    static const char block[] = "Content-Type: text/html \t\r\nX-Empty:\r\nno colon here\r\nx-folded: one\r\n two: three\r\n"
                                "Bad Name: x\r\nBad : x\r\n: x\r\nLOCATION:/first\r\nLocation: /second\nX-Lf:  a: b \nLast: end";
    ag_view v, name;
    size_t pos = 0;
    int count = 0;
    OK(ag_http_header(ag_view_of(block), "content-type", &v) && tap_view_is(v, "text/html"), "any case, white space cut off");
    OK(ag_http_header(ag_view_of(block), "X-Empty", &v) && tap_view_is(v, ""), "an empty value is there");
    OK(ag_http_header(ag_view_of(block), "Location", &v) && tap_view_is(v, "/first"), "the first of two");
    OK(ag_http_header(ag_view_of(block), "X-Lf", &v) && tap_view_is(v, "a: b"), "a line that ends in a line feed alone");
    OK(ag_http_header(ag_view_of(block), "Last", &v) && tap_view_is(v, "end"), "a last line without an end");
    OK(!ag_http_header(ag_view_of(block), "two", &v) && v.p == NULL, "a folded line is no header");
    OK(!ag_http_header(ag_view_of(block), " two", &v), "not even by its blank");
    OK(!ag_http_header(ag_view_of(block), "Bad", &v) && !ag_http_header(ag_view_of(block), "Bad ", &v), "nor is 'Name :'");
    OK(!ag_http_header(ag_view_of(block), "", &v), "nor is a nameless one");
    OK(!ag_http_header(ag_view_of(block), "Locatio", &v), "a name is not a prefix");
    while (ag_http_next_header(ag_view_of(block), &pos, &name, &v))
        count++;
    OK(count == 7 && pos == strlen(block), "seven headers in all");
    OK(!ag_http_header((ag_view){ NULL, 0 }, "a", &v), "none in nothing");
    OK(ag_http_header((ag_view){ "a: b\0c\r\n", 8 }, "a", &v) && v.n == 3, "a NUL cuts nothing off");
}

static void checks(void)
{
    static const struct {
        const char *bad_name, *bad_value, *name, *value;
    } rows[] = { { "", "v", "n", "v" }, { "a b", "v", "a-b", "v" }, { "a:", "v", "a", "v" }, { "a\r\nb", "v", "ab", "v" },
                 { "a\xC3\xBC", "v", "a", "\xC3\xBC" }, { "(a)", "v", "'a'", "v" }, { "a\x7F", "v", "a~", "v" }, { "a", "v\r\nb: c", "a", "v b: c" },
                 { "a", "v\n", "a", "v" }, { "a", "v\r", "a", "v" }, { "a", "v\x01", "a", "v\t" }, { "a", "v\x7F", "a", "v\x80" } };
    size_t i;
    ag_err e;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        OK(!ag_http_check_header(ag_view_of(rows[i].bad_name), ag_view_of(rows[i].bad_value), &e) &&
           e.code == AG_E_INVALID_ARGUMENT, tap_name("refused", rows[i].bad_name));
        OK(ag_http_check_header(ag_view_of(rows[i].name), ag_view_of(rows[i].value), &e), tap_name("its twin", rows[i].name));
    }
    OK(!ag_http_check_header(AG_LIT("a"), AG_LIT("b\0c"), &e), "a NUL in a value is refused");
    OK(!ag_http_check_header(AG_LIT("a\0b"), AG_LIT("c"), &e), "and in a name");
    OK(ag_http_check_header(AG_LIT("a"), (ag_view){ NULL, 0 }, &e), "no value is an empty one");
    OK(!ag_http_check_header(AG_LIT("Authorization: Bearer c4n4ry"), AG_LIT("x"), &e) && strstr(e.message, "c4n4ry") == NULL &&
       strstr(e.message, "Authorization") != NULL, "a value in the name's place is not shown");
    OK(!ag_http_check_header(AG_LIT("Authorization"), AG_LIT("c4n4ry\r\n"), &e) && strstr(e.message, "c4n4ry") == NULL &&
       strstr(e.message, "Authorization") != NULL, "nor is a bad value, but the name is");
}

static void methods(void)
{
    static const char *const good[] = { "GET", "POST", "PATCH", "get", "M-SEARCH", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF" };
    static const char *const bad[] = { "", "GET ", "G T", "GET\r\n", "CONNECT", "connect", "TRACE", "Trace", "G\xC3\xBC", "G/T",
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG" };
    size_t i;
    ag_err e;
    for (i = 0; i < sizeof good / sizeof good[0]; i++)
        OK(ag_http_check_method(ag_view_of(good[i]), &e), tap_name("a method", good[i]));
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        OK(!ag_http_check_method(ag_view_of(bad[i]), &e) && e.code == AG_E_INVALID_ARGUMENT, tap_name("no method", bad[i]));
}

static void dates(void)
{
    static const struct {
        const char *text;
        int64_t want;       /* -1: refused */
    } rows[] = {
        { "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 }, { "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
        { "Sun Nov  6 08:49:37 1994", 784111777 }, { "Sun Nov 16 08:49:37 1994", 784975777 },
        { "Thu, 01 Jan 1970 00:00:00 GMT", 0 }, { "Thu, 29 Feb 2024 23:59:60 GMT", 1709251200 },
        { "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 }, { "Tue, 19 Jan 2038 03:14:08 GMT", 2147483648 },
        { "Wednesday, 01-Jan-69 00:00:00 GMT", 3124224000 }, { "Thursday, 01-Jan-70 00:00:00 GMT", 0 },
        { "Tue, 29 Feb 2000 00:00:00 GMT", 951782400 }, { "Mon, 29 Feb 2100 00:00:00 GMT", -1 }, { "Wed, 29 Feb 2023 00:00:00 GMT", -1 },
        { "Sun, 31 Nov 1994 08:49:37 GMT", -1 }, { "Sun, 00 Nov 1994 08:49:37 GMT", -1 }, { "Sun, 06 Nov 0000 08:49:37 GMT", -1 },
        { "Sun, 06 Xxx 1994 08:49:37 GMT", -1 }, { "Sun, 06 nov 1994 08:49:37 GMT", -1 }, { "Sun, 06 ovD 1994 08:49:37 GMT", -1 },
        { "Sun, 06 Nov 1994 24:00:00 GMT", -1 }, { "Sun, 06 Nov 1994 08:60:00 GMT", -1 }, { "Sun, 06 Nov 1994 08:00:61 GMT", -1 },
        { "Sun, 06 Nov 1994 08:49:37 UTC", -1 }, { "Sun, 06 Nov 1994 08:49:37", -1 }, { "Sun, 6 Nov 1994 08:49:37 GMT", -1 },
        { "Sun, 06 Nov 1994 08:49:37 GMT ", -1 }, { "Sun, 06 Nov -994 08:49:37 GMT", -1 }, { "S, 06-Nov-94 08:49:37 GMT", -1 },
        { "Sun Nov 6 08:49:37 1994", -1 }, { "", -1 }, { "a", -1 }, { ",", -1 }, { "Sunday,", -1 },
    };
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *exact = tap_exact(rows[i].text, strlen(rows[i].text));
        int64_t got = -7;
        bool ok = ag_http_date((ag_view){ exact, strlen(rows[i].text) }, &got);
        OK(ok == (rows[i].want >= 0) && (!ok || got == rows[i].want), tap_name(rows[i].want < 0 ? "no date" : "a date", rows[i].text));
        free(exact);
    }
}

static double after(const char *value, int64_t wall_ms)
{
    char block[200];
    (void)snprintf(block, sizeof block, "A: b\r\nretry-after: %s\r\n", value);
    return ag_http_retry_after(ag_view_of(block), wall_ms);
}

static bool is(double a, double b)
{
    return a >= b && a <= b;
}

static void retry_after(void)
{
    const int64_t now = INT64_C(784111777) * 1000;     /* Sun, 06 Nov 1994 08:49:37 GMT */
    size_t n = 10000000;
    char *large = malloc(n);
    OK(is(after("120", now), 120), "two minutes");
    OK(is(after("0", now), 0) && is(after("000", now), 0), "none");
    OK(is(after("86400", now), 86400) && is(after("86401", now), 86400) && is(after("1000000000", now), 86400), "at most a day");
    OK(is(after("99999999999999999999999999999999999999999999999999", now), 86400), "even if it fits nowhere");
    OK(is(after("-1", now), 0) && is(after("+1", now), 0) && is(after("1.5", now), 0) && is(after("1 2", now), 0) &&
       is(after("0x10", now), 0) && is(after("1e9", now), 0) && is(after("NaN", now), 0) && is(after("soon", now), 0) && is(after("", now), 0),
       "what is no number is none");
    OK(is(ag_http_retry_after(AG_LIT("A: b\r\n"), now), 0), "no header, no wait");
    OK(is(after("Sun, 06 Nov 1994 08:50:37 GMT", now), 60), "a date");
    OK(is(after("Sun, 06 Nov 1994 08:50:37 GMT", now + 500), 59.5), "to the millisecond");
    OK(is(after("Sunday, 06-Nov-94 08:50:37 GMT", now), 60) && is(after("Sun Nov  6 08:50:37 1994", now), 60), "in its old forms");
    OK(is(after("Sun, 06 Nov 1994 08:49:37 GMT", now), 0) && is(after("Sun, 06 Nov 1993 08:49:37 GMT", now), 0), "a past date");
    OK(is(after("Fri, 31 Dec 9999 23:59:59 GMT", now), 86400), "a far one");
    OK(is(after("Fri, 31 Dec 9999 23:59:59 GMT", INT64_MAX), 0) && is(after("Fri, 31 Dec 9999 23:59:59 GMT", INT64_MIN), 0),
       "clocks at the ends of time");
    if (large == NULL)
        abort();
    memset(large, '9', n);
    memcpy(large, "Retry-After: ", 13);
    OK(is(ag_http_retry_after((ag_view){ large, n }, now), 86400), "ten million digits");
    free(large);
}

static tap_outcome blocks(const ag_alloc *a)
{
    static const char *const without[] = { "authorization", "COOKIE", NULL };
    ag_buf b;
    ag_str s = { NULL, 0 };
    bool ok, good;
    ag_buf_init(&b, a, AG_BUF_NO_LIMIT);
    ag_http_copy_without(&b, AG_LIT("Accept: */*\r\nAuthorization: Bearer x\r\nX: y\ncookie: z\r\njunk\r\nAuthorization2: stays"), without);
    ag_http_add_header(&b, "Content-Type", AG_LIT("application/x-www-form-urlencoded"));
    ok = ag_buf_take(&b, &s);
    good = !ok || tap_str_is(&s, "Accept: */*\r\nX: y\r\nAuthorization2: stays\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    ag_str_free(a, &s);
    return !good ? TAP_WRONG : ok ? TAP_DONE : TAP_NO_MEMORY;
}

int main(void)
{
    headers();
    checks();
    methods();
    dates();
    retry_after();
    tap_each_alloc("copying a block", blocks, 2);
    return tap_end();
}
