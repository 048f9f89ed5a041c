/* form_test: form bodies and queries, written and read. */
#include "core/form.h"
#include "tap.h"

static void writes(void)
{
    ag_buf b;
    ag_str s = { NULL, 0 };
    size_t start;
    ag_buf_init(&b, &tap_alloc, AG_BUF_NO_LIMIT);
    ag_buf_cstr(&b, "https://x/?");
    start = b.n;
    ag_form_add(&b, start, "none", (ag_view){ NULL, 0 });
    ag_form_add(&b, start, "a b", AG_LIT("1&2=3+4 5"));
    ag_form_add(&b, start, "none", (ag_view){ NULL, 0 });
    ag_form_add(&b, start, "empty", AG_LIT(""));
    ag_form_add(&b, start, "z", AG_LIT("-._~/\xC3\xBC\0"));
    OK(ag_buf_take(&b, &s) && tap_str_is(&s, "https://x/?a%20b=1%262%3D3%2B4%205&empty=&z=-._~%2F%C3%BC%00"), "writes a query");
    ag_str_free(&tap_alloc, &s);
}

static void comes_back(void)
{
    char all[255];
    ag_buf b;
    ag_str s = { NULL, 0 };
    ag_view raw, key;
    size_t i, n, pos = 0;
    char out[255 * 3];
    for (i = 0; i < sizeof all; i++)
        all[i] = (char)(i < 127 ? i + 1 : 'a');     /* 1..127: valid UTF-8 without NUL */
    ag_buf_init(&b, &tap_alloc, AG_BUF_NO_LIMIT);
    ag_form_add(&b, 0, "k", (ag_view){ all, sizeof all });
    OK(ag_buf_take(&b, &s) && ag_form_next(ag_str_view(&s), &pos, &key, &raw) && ag_form_decode(out, &n, raw) &&
       n == sizeof all && memcmp(out, all, n) == 0, "what was written can be read again");
    ag_str_free(&tap_alloc, &s);
}

static const struct {
    const char *query, *want;
    ag_form_found found;
} rows[] = {
    { "code=abc&state=xyz", "xyz", AG_FORM_ONE },
    { "state=xyz", "xyz", AG_FORM_ONE },
    { "&&state=xyz&&", "xyz", AG_FORM_ONE },
    { "st%61te=xyz", "xyz", AG_FORM_ONE },
    { "state=a+b%20c%2B", "a b c+", AG_FORM_ONE },
    { "state=a=b", "a=b", AG_FORM_ONE },
    { "state=", "", AG_FORM_ONE },
    { "state", "", AG_FORM_ONE },
    { "state=%C3%BC", "\xC3\xBC", AG_FORM_ONE },
    { "state=%f0%9F%98%80", "\xF0\x9F\x98\x80", AG_FORM_ONE },
    { "state=xyz&other=%zz", "xyz", AG_FORM_ONE },
    { "state=xyz&st%zzte=1", "xyz", AG_FORM_ONE },
    { "state=xyz&State=1", "xyz", AG_FORM_ONE },
    { "", NULL, AG_FORM_ABSENT },
    { "code=abc", NULL, AG_FORM_ABSENT },
    { "states=xyz", NULL, AG_FORM_ABSENT },
    { "stat=xyz", NULL, AG_FORM_ABSENT },
    { "=xyz", NULL, AG_FORM_ABSENT },
    { "state%00=xyz", NULL, AG_FORM_ABSENT },
    { "state=xyz&state=xyz", NULL, AG_FORM_MANY },
    { "state=xyz&st%61te=xyz", NULL, AG_FORM_MANY },
    { "state=xyz&state", NULL, AG_FORM_MANY },
    { "state=xyz&state=%zz", NULL, AG_FORM_MANY },
    { "state=%", NULL, AG_FORM_BAD },
    { "state=%4", NULL, AG_FORM_BAD },
    { "state=%4&x=1", NULL, AG_FORM_BAD },
    { "state=%zz", NULL, AG_FORM_BAD },
    { "state=%4g", NULL, AG_FORM_BAD },
    { "state=% 4", NULL, AG_FORM_BAD },
    { "state=a%00b", NULL, AG_FORM_BAD },
    { "state=%C3", NULL, AG_FORM_BAD },
    { "state=%C0%80", NULL, AG_FORM_BAD },
    { "state=%ED%A0%80", NULL, AG_FORM_BAD },
    { "state=%F4%90%80%80", NULL, AG_FORM_BAD },
    { "state=%FF", NULL, AG_FORM_BAD },
};

static void reads(void)
{
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n = strlen(rows[i].query);
        char *exact = tap_exact(rows[i].query, n);
        ag_str s = { NULL, 0 };
        bool oom = false;
        ag_form_found found = ag_form_get(&tap_alloc, (ag_view){ exact, n }, "state", &s, &oom);
        OK(found == rows[i].found && !oom && tap_str_is(&s, rows[i].want), tap_name("reads", rows[i].query));
        ag_str_free(&tap_alloc, &s);
        free(exact);
    }
}

static void odd_bytes(void)
{
    ag_str s = { NULL, 0 };
    bool oom = false;
    char *large = malloc(10000000);
    OK(ag_form_get(&tap_alloc, AG_LIT("state=a\0b"), "state", &s, &oom) == AG_FORM_BAD, "a raw NUL is refused, not cut at");
    OK(ag_form_get(&tap_alloc, (ag_view){ NULL, 0 }, "state", &s, &oom) == AG_FORM_ABSENT, "no query at all");
    OK(ag_form_get(&tap_alloc, AG_LIT("state=old"), "state", &s, &oom) == AG_FORM_ONE &&
       ag_form_get(&tap_alloc, AG_LIT("state=%"), "state", &s, &oom) == AG_FORM_BAD && tap_str_is(&s, "old"),
       "a failure leaves what was held");
    OK(ag_form_get(&tap_alloc, AG_LIT("state=new"), "state", &s, &oom) == AG_FORM_ONE && tap_str_is(&s, "new"),
       "and a success frees it");
    if (large == NULL)
        abort();
    memset(large, '&', 10000000);
    memcpy(large + 9999990, "&state=xyz", 10);
    OK(ag_form_get(&tap_alloc, (ag_view){ large, 10000000 }, "state", &s, &oom) == AG_FORM_ONE && tap_str_is(&s, "xyz"),
       "behind 10 MB of nothing");
    free(large);
    ag_str_free(&tap_alloc, &s);
}

static tap_outcome get(const ag_alloc *a)
{
    ag_str s = { NULL, 0 };
    bool oom = false;
    ag_form_found found = ag_form_get(a, AG_LIT("code=1&state=xyz"), "state", &s, &oom);
    ag_str_free(a, &s);
    return found == AG_FORM_ONE && !oom ? TAP_DONE : found == AG_FORM_BAD && oom ? TAP_NO_MEMORY : TAP_WRONG;
}

static tap_outcome put(const ag_alloc *a)
{
    ag_buf b;
    ag_str s = { NULL, 0 };
    bool ok;
    ag_buf_init(&b, a, AG_BUF_NO_LIMIT);
    ag_form_add(&b, 0, "redirect_uri", AG_LIT("http://127.0.0.1:8080/callback?with=a&long=query+that&has=to&be=escaped"));
    ag_form_add(&b, 0, "code", AG_LIT("abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789"));
    ok = ag_buf_take(&b, &s);
    ag_str_free(a, &s);
    return ok ? TAP_DONE : TAP_NO_MEMORY;
}

static void wipes(void)
{
    ag_str s = { NULL, 0 };
    bool oom = false;
    tap_canary = "c4n4ry";
    OK(ag_form_get(&tap_alloc, AG_LIT("code=c4n4ry%"), "code", &s, &oom) == AG_FORM_BAD && tap_unwiped == 0,
       "what was decoded before a bad escape is wiped");
    OK(ag_form_get(&tap_alloc, AG_LIT("code=c4n4ry%20"), "code", &s, &oom) == AG_FORM_ONE, "its twin is taken");
    ag_str_free(&tap_alloc, &s);
    OK(tap_unwiped == 0, "and wiped when freed");
    tap_canary = NULL;
}

int main(void)
{
    writes();
    comes_back();
    reads();
    odd_bytes();
    wipes();
    tap_each_alloc("get", get, 1);
    tap_each_alloc("put", put, 3);
    OK(tap_live == 0, "nothing is held");
    return tap_end();
}
