/* form_fuzz: what is written is read again to the byte, and reading says the same by its two ways. Run from the root:
 *   clang -std=c11 -DAG_TEST -g -O1 -Isrc -fsanitize=fuzzer,address,undefined spec/fuzz/form_fuzz.c \
 *     src/core/{form,utf8,b64,buf,alloc,alloc_test,err}.c -lcrypto -o /tmp/form_fuzz && \
 *   nice /tmp/form_fuzz -max_total_time=120 -max_len=500
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/b64.h"
#include "core/form.h"
#include "core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

static void check_read(ag_view query)
{
    ag_str s = { NULL, 0 };
    ag_view key, value;
    size_t pos = 0, count = 0;
    bool oom = false;
    ag_form_found found = ag_form_get(&ag_alloc_default, query, "a", &s, &oom);
    while (ag_form_next(query, &pos, &key, &value)) {
        must(key.n + value.n <= query.n);
        count += ag_form_key_is(key, "a") ? 1 : 0;
    }
    must(!oom && (found == AG_FORM_ABSENT) == (count == 0) && (found == AG_FORM_MANY) == (count > 1));
    must((found == AG_FORM_ONE) == (s.p != NULL));
    must(s.p == NULL || (ag_utf8_valid(ag_str_view(&s)) && memchr(s.p, '\0', s.n) == NULL && s.p[s.n] == '\0'));
    ag_str_free(&ag_alloc_default, &s);
}

static void check_written(ag_view v)
{
    ag_buf b;
    ag_str s = { NULL, 0 };
    bool oom = false;
    bool text = ag_utf8_valid(v) && (v.n == 0 || memchr(v.p, '\0', v.n) == NULL);
    ag_form_found found;
    ag_buf_init(&b, &ag_alloc_default, AG_BUF_NO_LIMIT);
    ag_form_add(&b, 0, "b", AG_LIT("x&a=y"));
    ag_form_add(&b, 0, "a", v);
    must(!b.bad);
    found = ag_form_get(&ag_alloc_default, (ag_view){ b.p, b.n }, "a", &s, &oom);
    must(found == (text ? AG_FORM_ONE : AG_FORM_BAD));
    must(!text || ag_view_eq(ag_str_view(&s), v));
    ag_str_free(&ag_alloc_default, &s);
    ag_buf_free(&b);
}

/* Only one text decodes to the same bytes. */
static void check_b64(const char *p, size_t n)
{
    char *bytes = malloc(n + 1), *text = malloc(n + 4);
    size_t got;
    must(bytes != NULL && text != NULL);
    if (ag_b64url_decode(bytes, &got, p, n)) {
        must(AG_B64URL_LEN(got) == n);
        ag_b64url_encode(text, bytes, got);
        must(n == 0 || memcmp(text, p, n) == 0);
    }
    free(bytes);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ag_view v = { (const char *)data, size };
    check_read(v);
    if (size > 0)
        check_written(v);
    check_b64(v.p, size);
    return 0;
}
