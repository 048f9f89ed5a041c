/* json_scan_test: JSON to the letter. Each bad text stands beside a good one that differs in the one defect. */
#include <math.h>

#include "core/buf.h"
#include "core/json_scan.h"
#include "tap.h"

static bool scan(const char *p, size_t n, ag_err *e)
{
    char *exact = tap_exact(p, n);
    bool ok;
    ag_err_clear(e);
    ok = ag_json_scan(&tap_alloc, exact, n, e);
    free(exact);
    return ok;
}

static bool takes(const char *text)
{
    ag_err e;
    return scan(text, strlen(text), &e);
}

static bool refuses(const char *text)
{
    ag_err e;
    return !scan(text, strlen(text), &e) && e.code == AG_E_JSON;
}

static const struct {
    const char *bad, *good;
} rows[] = {
    { "", "0" }, { " ", " 0 " }, { "\xEF\xBB\xBF{}", "{}" }, { "{} x", "{} " }, { "{}{}", "{}" }, { "1 2", "12" }, { "{}\xC2\xA0", "{}\t\r\n " },
    { "{}\f", "{}\n" }, { "\v{}", "\n{}" }, { "/**/1", "1" }, { "1//x", "1" }, { "#\n1", "1" },
    /* words */
    { "tru", "true" }, { "True", "true" }, { "truex", "true" }, { "fals", "false" }, { "nul", "null" }, { "nil", "null" }, { "NULL", "null" },
    { "undefined", "null" }, { "NaN", "0" }, { "Infinity", "1" }, { "-Infinity", "-1" }, { "nan", "0" }, { "inf", "1" }, { "truefalse", "[true,false]" },
    /* arrays and objects */
    { "[", "[]" }, { "]", "[]" }, { "[1", "[1]" }, { "[1,", "[1,2]" }, { "[1,]", "[1]" }, { "[,1]", "[1]" }, { "[,]", "[]" }, { "[1,,2]", "[1,2]" },
    { "[1 2]", "[1,2]" }, { "[1}", "[1]" }, { "[1]]", "[[1]]" }, { "[\"a\":1]", "{\"a\":1}" }, { "{", "{}" }, { "}", "{}" }, { "{]", "{}" },
    { "{\"a\"}", "{\"a\":0}" }, { "{\"a\" 1}", "{\"a\" : 1}" }, { "{\"a\"::1}", "{\"a\":1}" }, { "{\"a\":}", "{\"a\":1}" }, { "{\"a\":1,}", "{\"a\":1}" },
    { "{,\"a\":1}", "{\"a\":1}" }, { "{\"a\":1 \"b\":2}", "{\"a\":1,\"b\":2}" }, { "{\"a\":1;\"b\":2}", "{\"a\":1,\"b\":2}" },
    { "{a:1}", "{\"a\":1}" }, { "{'a':1}", "{\"a\":1}" }, { "{1:1}", "{\"1\":1}" }, { "{null:1}", "{\"null\":1}" }, { "{[]:1}", "{\"[]\":1}" },
    { "{\"a\":1", "{\"a\":1}" }, { "{\"a\":", "{\"a\":1}" }, { "{\"a\"", "{\"a\":1}" }, { "{\"a", "{\"a\":1}" }, { "{\"a\":1,", "{\"a\":1}" },
    { "{\"a\":1]", "{\"a\":1}" }, { "[{\"a\":1]}", "[{\"a\":1}]" }, { ",", "0" }, { ":", "0" },
    /* numbers */
    { "01", "0" }, { "-01", "-0" }, { "00", "0" }, { "+1", "1" }, { ".5", "0.5" }, { "-.5", "-0.5" }, { "1.", "1.0" }, { "1.e1", "1.0e1" }, { "-", "-1" },
    { "--1", "-1" }, { "- 1", "-1" }, { "1e", "1e1" }, { "1e+", "1e+1" }, { "1E-", "1E-1" }, { "1e1.5", "1e15" }, { "1ee1", "1e1" }, { "0x10", "10" },
    { "1_000", "1000" }, { "1,000", "[1,100]" }, { "1f", "1" }, { "0e", "0e0" }, { "1.2.3", "1.23" }, { "[1.]", "[1.5]" }, { "[01]", "[10]" },
    { "\xEF\xBC\x91", "1" },
    { "1e999", "1e99" }, { "-1e999", "-1e99" }, { "1e309", "1e308" }, { "1.8e308", "1.7e308" }, { "1e99999999999999999999", "1e-99999999999999999999" },
    { "0.1e310", "0.1e309" }, { "1797693134862315900000000e284", "1797693134862315700000000e284" }, { "0.00001e314", "0.00001e313" },
    { "1.79769313486231580793728971405303415079934132710037826936173779e308", "1.797693134862315807937289714053034150799341327100378269361e308" },
    { "1.797693134862315807937289714053034150799341327100378269362e308", "1.797693134862315807937289714053034150799341327100378269361e308" },
    { "1234567890123456789012345678901234567890123456789012345678901234", "123456789012345678901234567890123456789012345678901234567890123" },
    { "0.00000000000000000000000000000000000000000000000000000000000001", "0.0000000000000000000000000000000000000000000000000000000000001" },
    /* strings */
    { "\"", "\"\"" }, { "\"a", "\"a\"" }, { "a\"", "\"a\"" }, { "'a'", "\"a\"" }, { "\"a\n\"", "\"a\\n\"" }, { "\"\t\"", "\"\\t\"" },
    { "\"\x01\"", "\"\\u0001\"" }, { "\"\x1F\"", "\"\x20\"" }, { "\"\\\"", "\"\\\\\"" }, { "\"\\x41\"", "\"\\u0041\"" }, { "\"\\a\"", "\"\\b\"" },
    { "\"\\'\"", "\"\\\"\"" }, { "\"\\0\"", "\"\\/\"" }, { "\"\\U0041\"", "\"\\u0041\"" }, { "\"\\\n\"", "\"\\n\"" }, { "\"\\u\"", "\"\\u0041\"" },
    { "\"\\u004\"", "\"\\u0041\"" }, { "\"\\u004g\"", "\"\\u004F\"" }, { "\"\\u+041\"", "\"\\u0041\"" }, { "\"\\u 041\"", "\"\\u0041\"" },
    { "\"\\u0000\"", "\"\\u0001\"" }, { "\"a\\u0000b\"", "\"a\\\\u0000b\"" }, { "{\"\\u0000\":1}", "{\"\\u0001\":1}" },
    { "\"\\uD800\"", "\"\\uD800\\uDC00\"" }, { "\"\\uDBFF\"", "\"\\uDBFF\\uDFFF\"" }, { "\"\\uDC00\"", "\"\\uD7FF\"" }, { "\"\\uDFFF\"", "\"\\uE000\"" },
    { "\"\\uD83D\\uD83D\"", "\"\\uD83D\\uDE00\"" }, { "\"\\uDE00\\uD83D\"", "\"\\uD83D\\uDE00\"" }, { "\"\\uD83Dx\"", "\"\\uD83D\\uDE00x\"" },
    { "\"\\uD83D\\n\"", "\"\\uD83D\\ude00\\n\"" }, { "\"\\uD83D\\\\uDE00\"", "\"\\ud83d\\uDE00\"" }, { "\"\\uD83D", "\"\\uD83D\\uDE00\"" },
    { "\"\\uD83D\\u\"", "\"\\uD83D\\uDE00\"" }, { "\"\\", "\"\\\\\"" }, { "\"\\u00", "\"\\u0041\"" },
    /* UTF-8 */
    { "\"\x80\"", "\"\xC2\x80\"" }, { "\"\xC3\"", "\"\xC3\xBC\"" }, { "\"\xC0\x80\"", "\"\xC2\x80\"" }, { "\"\xC1\xBF\"", "\"\xC2\xBF\"" },
    { "\"\xE0\x9F\xBF\"", "\"\xE0\xA0\x80\"" }, { "\"\xED\xA0\x80\"", "\"\xED\x9F\xBF\"" }, { "\"\xED\xBF\xBF\"", "\"\xEE\x80\x80\"" },
    { "\"\xF0\x8F\xBF\xBF\"", "\"\xF0\x90\x80\x80\"" }, { "\"\xF4\x90\x80\x80\"", "\"\xF4\x8F\xBF\xBF\"" }, { "\"\xF8\x88\x80\x80\x80\"", "\"\xF1\x88\x80\x80\"" },
    { "\"\xFF\"", "\"\xC3\xBF\"" }, { "\"\xFE\xFF\"", "\"\xEF\xBB\xBF\"" }, { "\"\xE2\x82\"", "\"\xE2\x82\xAC\"" }, { "\"\xE2\x82", "\"\xE2\x82\xAC\"" },
    { "{\"\xFF\":1}", "{\"\xC3\xBF\":1}" }, { "\"\xE2\x28\xA1\"", "\"\xE2\x82\xA1\"" },
    /* the same key twice */
    { "{\"a\":1,\"a\":1}", "{\"a\":1,\"A\":1}" }, { "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":1,\"b\":2,\"c\":3}" }, { "{\"\":1,\"\":2}", "{\"\":1,\" \":2}" },
    { "{\"a\":1,\"\\u0061\":2}", "{\"a\":1,\"\\u0062\":2}" }, { "{\"\\u0061\":1,\"\\u0061\":2}", "{\"\\u0061\":1,\"\\\\u0061\":2}" },
    { "{\"/\":1,\"\\/\":2}", "{\"/\":1,\"\\\\/\":2}" }, { "{\"\\n\":1,\"\\u000a\":2}", "{\"\\n\":1,\"\\u000d\":2}" },
    { "{\"\\u000A\":1,\"\\u000a\":2}", "{\"\\u000A\":1,\"\\u000b\":2}" }, { "{\"\\\"\":1,\"\\u0022\":2}", "{\"\\\"\":1,\"\\u0023\":2}" },
    { "{\"\\\\\":1,\"\\u005C\":2}", "{\"\\\\\":1,\"\\u005D\":2}" }, { "{\"\\b\":1,\"\\u0008\":2}", "{\"\\b\":1,\"\\f\":2}" },
    { "{\"\\t\":1,\"\\u0009\":2}", "{\"\\t\":1,\"t\":2}" }, { "{\"\\f\":1,\"\\u000C\":2}", "{\"\\f\":1,\"f\":2}" }, { "{\"\\r\":1,\"\\u000D\":2}", "{\"\\r\":1,\"r\":2}" },
    { "{\"\xC3\xBC\":1,\"\\u00FC\":2}", "{\"\xC3\xBC\":1,\"\\u00FD\":2}" }, { "{\"\xE2\x82\xAC\":1,\"\\u20ac\":2}", "{\"\xE2\x82\xAC\":1,\"\\u20ad\":2}" },
    { "{\"\xF0\x9F\x98\x80\":1,\"\\uD83D\\uDE00\":2}", "{\"\xF0\x9F\x98\x80\":1,\"\\uD83D\\uDE01\":2}" },
    { "{\"x\":{\"a\":1,\"a\":2}}", "{\"x\":{\"a\":1},\"a\":2}" }, { "[{\"a\":{}},{\"a\":1,\"a\":2}]", "[{\"a\":{}},{\"a\":1}]" },
    { "{\"a\":{\"a\":{\"a\":1}},\"a\":2}", "{\"a\":{\"a\":{\"a\":1}},\"b\":2}" }, { "{\"a\":{\"b\":1},\"c\":{\"d\":1},\"a\":2}", "{\"a\":{\"b\":1},\"c\":{\"a\":1},\"d\":2}" },
    { "{\"ab\":1,\"a\":2,\"ab\":3}", "{\"ab\":1,\"a\":2,\"abc\":3}" },
};

static void pairs(void)
{
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        OK(refuses(rows[i].bad), tap_name("refused", rows[i].bad));
        OK(takes(rows[i].good), tap_name("its twin", rows[i].good));
    }
}

static void raw_zeros(void)
{
    ag_err e;
    OK(!scan("\"a\0b\"", 5, &e) && e.code == AG_E_JSON, "a NUL in a string is refused, not cut at");
    OK(!scan("{}\0", 3, &e) && e.code == AG_E_JSON, "so is one behind the end");
    OK(!scan("\0{}", 3, &e) && !scan("[\0]", 3, &e) && !scan("\"\\\0\"", 4, &e), "and anywhere else");
    OK(!ag_json_scan(&tap_alloc, NULL, 0, &e) && e.code == AG_E_JSON, "no text at all is refused");
}

/* n times open, inside, n times close. */
static bool nested(size_t n, const char *open, const char *inside, const char *close, bool closed, ag_err *e)
{
    ag_buf b;
    size_t i;
    bool ok;
    ag_buf_init(&b, &tap_alloc, AG_BUF_NO_LIMIT);
    for (i = 0; i < n; i++)
        ag_buf_cstr(&b, open);
    ag_buf_cstr(&b, inside);
    for (i = 0; closed && i < n; i++)
        ag_buf_cstr(&b, close);
    ok = scan(b.p, b.n, e);
    ag_buf_free(&b);
    return ok;
}

static void depth(void)
{
    ag_err e;
    OK(nested(AG_JSON_MAX_DEPTH, "[", "", "]", true, &e), "arrays as deep as allowed");
    OK(!nested(AG_JSON_MAX_DEPTH + 1, "[", "", "]", true, &e) && e.code == AG_E_JSON, "one deeper is refused");
    OK(nested(AG_JSON_MAX_DEPTH, "{\"a\":", "1", "}", true, &e), "objects as deep as allowed");
    OK(!nested(AG_JSON_MAX_DEPTH + 1, "{\"a\":", "1", "}", true, &e) && e.code == AG_E_JSON, "one deeper is refused");
    OK(!nested(10000, "[", "", "]", true, &e) && e.code == AG_E_JSON, "10,000 levels are refused");
    OK(!nested(10000000, "[", "", "]", false, &e) && e.code == AG_E_JSON, "ten million are, too");
    OK(!nested(AG_JSON_MAX_DEPTH, "[", "", "]", false, &e) && e.code == AG_E_JSON, "deep and never closed");
    OK(takes("[[],[],[[]],{},{},[[],{\"a\":[]}]]"), "side by side is not deep");
}

/* An object of count keys, each made by format from its number; then one more. */
static bool object_of(size_t count, const char *format, const char *last, ag_err *e)
{
    ag_buf b;
    size_t i;
    bool ok;
    ag_buf_init(&b, &tap_alloc, AG_BUF_NO_LIMIT);
    ag_buf_char(&b, '{');
    for (i = 0; i < count; i++) {
        char key[100];
        (void)snprintf(key, sizeof key, format, (unsigned)(i * 7919 % count));
        ag_buf_cstr(&b, key);
        ag_buf_cstr(&b, ":0,");
    }
    ag_buf_cstr(&b, last);
    ag_buf_cstr(&b, ":1}");
    ok = scan(b.p, b.n, e);
    ag_buf_free(&b);
    return ok;
}

static void many_keys(void)
{
    ag_err e;
    OK(object_of(100000, "\"%u\"", "\"x\"", &e), "100,000 keys");
    OK(!object_of(100000, "\"%u\"", "\"0\"", &e) && e.code == AG_E_JSON, "the first of them again");
    OK(!object_of(100000, "\"%u\"", "\"9999\\u0039\"", &e) && e.code == AG_E_JSON, "one of them again, escaped");
    OK(object_of(100000, "\"a long prefix that all of them have in common, %u\"", "\"a\"", &e), "100,000 keys that start the same");
    OK(!object_of(100000, "\"\\u0061\\u0061\\u0061\\u0061%u\"", "\"aaaa77\"", &e), "100,000 escaped ones, and one that is not");
    OK(object_of(33, "\"%u\"", "\"x\"", &e) && !object_of(33, "\"%u\"", "\"32\"", &e), "where the few on the stack no longer do");
    OK(object_of(65, "\"%u\"", "\"x\"", &e) && !object_of(65, "\"%u\"", "\"64\"", &e), "and where they surely don't");
    OK(object_of(2, "\"%u\"", "\"x\"", &e) && !object_of(2, "\"%u\"", "\"1\"", &e), "three keys");
    OK(!object_of(40000, "\"a\"", "\"b\"", &e) && e.code == AG_E_JSON, "the same key 40,000 times");
}

/* Every place in which one of `count` keys can be the same as another. */
static void every_pair(void)
{
    size_t i, j, k, missed = 0, refused = 0;
    const size_t count = 21;
    for (i = 0; i < count; i++) {
        for (j = 0; j < count; j++) {
            char text[400];
            size_t at = 0;
            ag_err e;
            at += (size_t)snprintf(text, sizeof text, "{");
            for (k = 0; k < count; k++)
                at += (size_t)snprintf(text + at, sizeof text - at, "%s\"k%u\":0", k == 0 ? "" : ",", (unsigned)((k == j ? i : k) * 13 % 21));
            (void)snprintf(text + at, sizeof text - at, "}");
            if (i == j)
                refused += scan(text, strlen(text), &e) ? 0 : 1;
            else
                missed += scan(text, strlen(text), &e) ? 1 : 0;
        }
    }
    OK(missed == 0 && refused == 0, "21 keys, each standing again in each place");
}

/* Where is the edge of the doubles? Against strtod. */
static void overflow(void)
{
    static const char digits[] = "17976931348623158079372897140530341507993413271";
    unsigned long seed = 12345;
    size_t i, wrong = 0, large = 0, all = 0;
    for (i = 0; i < 20000; i++) {
        char text[80];
        double d;
        size_t n, k, point;
        int shift;
        seed = seed * 6364136223846793005UL + 1442695040888963407UL;
        n = 1 + (seed >> 33) % 40;
        point = (seed >> 40) % (n + 1);
        shift = (int)((seed >> 48) % 3) - 1;
        k = (size_t)snprintf(text, sizeof text, "%s%.*s%s%.*s", (seed >> 60) % 2 == 0 ? "-" : "", (int)point, digits, point == 0 ? "0" : "",
                             0, "");
        if (point < n)
            k += (size_t)snprintf(text + k, sizeof text - k, ".%.*s", (int)(n - point), digits + point);
        if ((seed >> 20) % 3 == 0 && text[k - 1] != '.')
            text[k - 1] = (char)('0' + (int)((seed >> 24) % 10));
        if (text[0] == '0' && point == 1 && text[1] >= '0' && text[1] <= '9')
            continue;
        (void)snprintf(text + k, sizeof text - k, "e%d", 309 - (int)point + shift);
        d = strtod(text, NULL);
        wrong += takes(text) == (isinf(d) != 0) ? 1 : 0;
        large += isinf(d) != 0 ? 1 : 0;
        all++;
    }
    OK(large > 2000 && all - large > 2000, "numbers on both sides of the edge");
    OK(wrong == 0, "20,000 numbers around the largest double, as strtod sees them");
}

static void messages(void)
{
    ag_err e;
    static const char *const secret[] = { "{\"c4n4ry\":1,\"c4n4ry\":2}", "\"c4n4ry", "[\"c4n4ry\" \"c4n4ry\"]", "c4n4ry", "{c4n4ry:1}" };
    size_t i;
    for (i = 0; i < sizeof secret / sizeof secret[0]; i++)
        OK(!scan(secret[i], strlen(secret[i]), &e) && strstr(e.message, "c4n") == NULL && strstr(e.message, "at byte ") != NULL,
           tap_name("the message shows a place, no text", secret[i]));
    OK(!scan("[1,x]", 5, &e) && strstr(e.message, "at byte 4:") != NULL, "the place, counted from one");
    OK(!scan("{\"a\":1,\"b\":1,\"a\":1}", 19, &e) && strstr(e.message, "at byte 15:") != NULL, "of the later key");
    OK(!scan("[[1e999]]", 9, &e) && strstr(e.message, "at byte 3:") != NULL, "of a large number's start");
}

static tap_outcome many(const ag_alloc *a)
{
    ag_err e;
    char text[3000];
    size_t at, i;
    at = (size_t)snprintf(text, sizeof text, "[{\"k\":{");
    for (i = 0; i < 200; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s\"k%u\":0", i == 0 ? "" : ",", (unsigned)i);
    (void)snprintf(text + at, sizeof text - at, "}}]");
    return tap_outcome_of(ag_json_scan(a, text, strlen(text), &e), &e);
}

int main(void)
{
    pairs();
    raw_zeros();
    depth();
    many_keys();
    every_pair();
    overflow();
    messages();
    tap_each_alloc("200 keys", many, 2);
    OK(tap_live == 0, "nothing is held");
    return tap_end();
}
