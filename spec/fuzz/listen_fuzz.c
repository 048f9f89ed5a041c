/* listen_fuzz: the listener's verdict on any bytes: the same when they arrive one by one, and TAKE only for the state waited for.
 * Run from the root:
 *   clang -std=c11 -DAG_TEST -g -O1 -Isrc -fsanitize=fuzzer,address,undefined spec/fuzz/listen_fuzz.c \
 *     src/core/{listen_http,http*,url*,form,utf8,crypto,buf,alloc,alloc_test,err}.c -lcrypto -o /tmp/listen_fuzz && \
 *   nice /tmp/listen_fuzz -max_total_time=180 -dict=spec/fuzz/listen.dict -max_len=600
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/form.h"
#include "core/listen_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

static ag_listen_verdict verdict(const char *p, size_t n, ag_view *target, int *status)
{
    char *exact = malloc(n == 0 ? 1 : n);
    ag_listen_verdict v;
    must(exact != NULL);
    if (n > 0)
        memcpy(exact, p, n);
    v = ag_listen_read(exact, n, AG_LIT("/cb"), AG_LIT("s+"), target, status);
    if (v == AG_LISTEN_TAKE) {
        must(target->p >= exact && target->p + target->n <= exact + n);
        target->p = p + (target->p - exact);
    }
    free(exact);
    return v;
}

static void check_taken(ag_view target)
{
    ag_str s = { NULL, 0 };
    bool oom = false;
    must(target.n > 4 && memcmp(target.p, "/cb?", 4) == 0);
    must(ag_form_get(&ag_alloc_default, (ag_view){ target.p + 4, target.n - 4 }, "state", &s, &oom) == AG_FORM_ONE);
    must(ag_view_eq(ag_str_view(&s), AG_LIT("s+")));
    ag_str_free(&ag_alloc_default, &s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    ag_view target, early;
    int status, early_status;
    size_t n, step = size / 64 + 1;
    ag_listen_verdict v = verdict(p, size, &target, &status), part;
    must((v == AG_LISTEN_REFUSE) == (status != 0) && (v == AG_LISTEN_TAKE) == (target.p != NULL));
    if (v == AG_LISTEN_TAKE)
        check_taken(target);
    for (n = 0; n < size; n += step) {
        part = verdict(p, n, &early, &early_status);
        must(part == AG_LISTEN_MORE || (part == v && early_status == status && early.p == target.p && early.n == target.n));
    }
    return 0;
}
