/* json_test: what is read is of the type asked for, what is written is JSON, and what is freed is wiped. */
#include "core/json.h"
#include "core/json_scan.h"
#include "tap.h"

static ag_json *parse(const char *text, ag_err *e)
{
    size_t n = strlen(text);
    char *exact = tap_exact(text, n);
    ag_json *v;
    ag_err_clear(e);
    v = ag_json_parse(exact, n, e);
    free(exact);
    return v;
}

static const char doc[] =
    "{\"s\":\"a\\u00FC\\n\",\"empty\":\"\",\"n\":1.5,\"i\":1800,\"neg\":-7,\"exp\":1e3,\"point\":2.0,\"max\":9007199254740992,\"min\":-9007199254740992,"
    "\"over\":9007199254740994,\"under\":-9007199254740994,\"huge\":1e300,\"zero\":-0,\"half\":0.5,\"t\":true,\"f\":false,\"nil\":null,"
    "\"o\":{\"s\":\"inner\"},\"a\":[\"x\",\"y\"],\"mixed\":[\"x\",1],\"none\":[],\"S\":\"capital\",\"num\":\"12\"}";

static void strings(const ag_json *v)
{
    static const char *const no[] = { "absent", "n", "t", "nil", "o", "a", "" };
    ag_view s;
    size_t i;
    OK(ag_json_string(v, "s", &s) && tap_view_is(s, "a\xC3\xBC\n"), "a string, decoded");
    OK(ag_json_string(v, "S", &s) && tap_view_is(s, "capital"), "keys have a case");
    OK(ag_json_string(v, "empty", &s) && tap_view_is(s, ""), "an empty string is there");
    for (i = 0; i < sizeof no / sizeof no[0]; i++) {
        s = AG_LIT("old");
        OK(!ag_json_string(v, no[i], &s) && s.p == NULL, tap_name("no string", no[i]));
    }
}

static void numbers(const ag_json *v)
{
    static const struct {
        const char *key;
        int64_t want;
    } good[] = { { "i", 1800 }, { "neg", -7 }, { "exp", 1000 }, { "point", 2 }, { "max", INT64_C(9007199254740992) },
                 { "min", -INT64_C(9007199254740992) }, { "zero", 0 } };
    static const char *const bad[] = { "n", "half", "over", "under", "huge", "num", "s", "t", "nil", "o", "a", "absent" };
    size_t i;
    double d = 0;
    int64_t n;
    for (i = 0; i < sizeof good / sizeof good[0]; i++) {
        n = 99;
        OK(ag_json_int(v, good[i].key, &n) && n == good[i].want, tap_name("an integer", good[i].key));
    }
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        OK(!ag_json_int(v, bad[i], &n), tap_name("no integer", bad[i]));
    OK(ag_json_number(v, "n", &d) && d > 1.4999 && d < 1.5001, "a number");
    OK(ag_json_number(v, "huge", &d) && d > 0.9e300, "a large number");
    OK(!ag_json_number(v, "num", &d) && !ag_json_number(v, "t", &d) && !ag_json_number(v, "absent", &d), "no numbers");
}

static void others(const ag_json *v)
{
    bool b = false;
    ag_view s;
    const ag_json *o = ag_json_get(v, "o");
    OK(ag_json_bool(v, "t", &b) && b && ag_json_bool(v, "f", &b) && !b, "true and false");
    OK(!ag_json_bool(v, "nil", &b) && !ag_json_bool(v, "i", &b) && !ag_json_bool(v, "s", &b) && !ag_json_bool(v, "absent", &b), "no booleans");
    OK(o != NULL && ag_json_is_object(o) && ag_json_string(o, "s", &s) && tap_view_is(s, "inner"), "an object in an object");
    OK(ag_json_get(v, "absent") == NULL && ag_json_get(ag_json_get(v, "a"), "x") == NULL && ag_json_get(NULL, "x") == NULL, "nothing in no object");
    OK(!ag_json_is_object(ag_json_get(v, "a")) && !ag_json_is_object(NULL) && !ag_json_is_object(ag_json_get(v, "s")), "what is no object");
    OK(ag_json_raw(v) != NULL && cJSON_IsObject(ag_json_raw(v)), "the tree under it");
}

static void members(const ag_json *v)
{
    OK(ag_json_has_string(v, "a", AG_LIT("x")) && ag_json_has_string(v, "a", AG_LIT("y")), "in an array of strings");
    OK(!ag_json_has_string(v, "a", AG_LIT("z")) && !ag_json_has_string(v, "a", AG_LIT("")), "not in it");
    OK(ag_json_has_string(v, "num", AG_LIT("12")), "a string by itself");
    OK(!ag_json_has_string(v, "num", AG_LIT("1")) && !ag_json_has_string(v, "num", AG_LIT("123")), "no part, no more");
    OK(!ag_json_has_string(v, "mixed", AG_LIT("x")), "an array that holds other things as well is refused");
    OK(!ag_json_has_string(v, "none", AG_LIT("x")) && !ag_json_has_string(v, "i", AG_LIT("1800")) && !ag_json_has_string(v, "nil", AG_LIT("null")) &&
       !ag_json_has_string(v, "o", AG_LIT("inner")) && !ag_json_has_string(v, "absent", AG_LIT("")), "nor in anything else");
    OK(!ag_json_has_string(v, "empty", (ag_view){ NULL, 0 }) && !ag_json_has_string(v, "a", (ag_view){ NULL, 0 }), "'not there' equals nothing");
}

static void reads(void)
{
    ag_err e;
    ag_json *v = parse(doc, &e);
    OK(v != NULL && ag_json_is_object(v), "a document");
    strings(v);
    numbers(v);
    others(v);
    members(v);
    ag_json_free(v);
    ag_json_free(NULL);
    v = parse("[1]", &e);
    OK(v != NULL && !ag_json_is_object(v) && ag_json_get(v, "a") == NULL, "an array is a document, too");
    ag_json_free(v);
}

static void refuses(void)
{
    static const char *const bad[] = { "", "01", "\xEF\xBB\xBF{}", "{\"a\":1,\"a\":2}", "\"a\\u0000b\"", "\"\x01\"", "[1,]", "{} x", "1e999", "\"\xFF\"" };
    size_t i;
    ag_err e;
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        OK(parse(bad[i], &e) == NULL && e.code == AG_E_JSON && !e.retryable, tap_name("refused", bad[i]));
}

static void writes(void)
{
    ag_buf b;
    ag_str s = { NULL, 0 };
    bool first = true;
    ag_err e;
    ag_json *v;
    ag_view got;
    int64_t n;
    ag_buf_init(&b, &tap_alloc, AG_BUF_NO_LIMIT);
    ag_buf_char(&b, '{');
    ag_json_write_field(&b, &first, "absent", (ag_view){ NULL, 0 });
    ag_json_write_field(&b, &first, "a\"b", AG_LIT("\"\\/\b\f\n\r\t\x01\x1F\x7F\xC3\xBC\xE2\x82\xAC"));
    ag_json_write_int(&b, &first, "n", INT64_C(-9007199254740992));
    ag_json_write_field(&b, &first, "e", AG_LIT(""));
    ag_buf_char(&b, '}');
    OK(ag_buf_take(&b, &s) && tap_str_is(&s, "{\"a\\\"b\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\xC3\xBC\xE2\x82\xAC\",\"n\":-9007199254740992,\"e\":\"\"}"),
       "an object");
    v = ag_json_parse(s.p, s.n, &e);
    OK(v != NULL && ag_json_string(v, "a\"b", &got) && tap_view_is(got, "\"\\/\b\f\n\r\t\x01\x1F\x7F\xC3\xBC\xE2\x82\xAC") &&
       ag_json_int(v, "n", &n) && n == -INT64_C(9007199254740992) && !first, "and it is read as it was meant");
    ag_json_free(v);
    ag_json_write_string(&b, AG_LIT("a\0b"));
    OK(ag_buf_take(&b, &s) && tap_str_is(&s, "\"a\\u0000b\""), "a NUL is written as an escape (and refused by readers)");
    ag_json_write_string(&b, (ag_view){ NULL, 0 });
    OK(ag_buf_take(&b, &s) && tap_str_is(&s, "\"\""), "'not there' is written as an empty string");
    ag_str_free(&tap_alloc, &s);
}

static void bad_utf8(void)
{
    static const struct {
        const char *bad, *good;
    } rows[] = { { "a\xFF", "a\xC3\xBF" }, { "\xC3", "\xC3\xBC" }, { "\xED\xA0\x80", "\xED\x9F\x80" }, { "\xC0\xAF", "/" }, { "\xF4\x90\x80\x80", "\xF4\x8F\x80\x80" } };
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ag_buf b;
        ag_str s = { NULL, 0 };
        ag_buf_init(&b, &tap_alloc, AG_BUF_NO_LIMIT);
        ag_json_write_string(&b, ag_view_of(rows[i].bad));
        OK(b.bad && !ag_buf_take(&b, &s), tap_name("not written", rows[i].good));
        ag_json_write_string(&b, ag_view_of(rows[i].good));
        OK(ag_buf_take(&b, &s), tap_name("its twin", rows[i].good));
        ag_str_free(&tap_alloc, &s);
    }
}

/* What cJSON takes and gives back is looked at, from here on (ag_json_parse sets its hooks only once). */
static void *hook_malloc(size_t n)
{
    return tap_alloc.fn(tap_alloc.ud, NULL, n);
}

static void hook_free(void *p)
{
    if (p != NULL)
        (void)tap_alloc.fn(tap_alloc.ud, p, 0);
}

static tap_outcome parse_case(const ag_alloc *a)
{
    ag_err e;
    ag_json *v = parse(doc, &e);
    bool ok = v != NULL;
    (void)a;
    ag_json_free(v);
    return tap_outcome_of(ok, &e);
}

static tap_outcome write_case(const ag_alloc *a)
{
    ag_buf b;
    ag_str s = { NULL, 0 };
    bool first = true, ok;
    int i;
    ag_buf_init(&b, a, AG_BUF_NO_LIMIT);
    for (i = 0; i < 50; i++)
        ag_json_write_field(&b, &first, "key", AG_LIT("value\n"));
    ok = ag_buf_take(&b, &s);
    ag_str_free(a, &s);
    return ok ? TAP_DONE : TAP_NO_MEMORY;
}

static void wipes(void)
{
    ag_err e;
    ag_json *v;
    tap_canary = "c4n4ry";
    tap_unwiped = 0;
    v = parse("{\"a\":\"c4n4ry\",\"b\":[\"x\",{\"c4n4ry\":[\"c4n4r\\u0079\"]}]}", &e);
    OK(v != NULL && tap_live > 0 && tap_unwiped == 0, "parsed");
    ag_json_free(v);
    OK(tap_live == 0 && tap_unwiped == 0, "every string and key is wiped when freed");
    v = parse("\"c4n4ry\"", &e);
    cJSON_Delete((cJSON *)v);
    OK(tap_unwiped == 1, "and this test would have seen it");
    tap_canary = NULL;
    tap_unwiped = 0;
}

int main(void)
{
    cJSON_Hooks hooks = { hook_malloc, hook_free };
    reads();
    refuses();
    writes();
    bad_utf8();
    OK(tap_live == 0, "nothing is held");
    cJSON_InitHooks(&hooks);
    wipes();
    tap_each_alloc("parsing", parse_case, 40);
    tap_each_alloc("writing", write_case, 3);
    return tap_end();
}
