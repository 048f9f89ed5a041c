/* json_fuzz: whatever the strict scanner takes, cJSON takes, and what cJSON writes of it is taken again. Run from the root:
 *   clang -std=c11 -DAG_TEST -g -O1 -Isrc -fsanitize=fuzzer,address,undefined spec/fuzz/json_fuzz.c \
 *     src/core/{json*,utf8,buf,alloc,alloc_test,err}.c -lcjson -lcrypto -o /tmp/json_fuzz && \
 *   nice /tmp/json_fuzz -max_total_time=180 -dict=spec/fuzz/json.dict -max_len=2000
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Does some object of the tree have the same key twice? */
static int has_twice(const cJSON *v)
{
    const cJSON *a, *b;
    for (a = v->child; a != NULL; a = a->next) {
        for (b = a->next; b != NULL; b = b->next)
            if (cJSON_IsObject(v) && strcmp(a->string, b->string) == 0)
                return 1;
        if (has_twice(a))
            return 1;
    }
    return 0;
}

/* Is there a number that cJSON writes, with its 15 digits, as one too large for a double? */
static int has_largest(const cJSON *v)
{
    for (; v != NULL; v = v->next)
        if (v->valuedouble > 1.79769313486231e308 || v->valuedouble < -1.79769313486231e308 || has_largest(v->child))
            return 1;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ag_err e;
    ag_json *v;
    bool taken;
    char *text;
    ag_err_clear(&e);
    taken = ag_json_scan(&ag_alloc_default, (const char *)data, size, &e);
    if (!taken && (e.code != AG_E_JSON || e.message[0] == '\0'))
        abort();
    v = ag_json_parse((const char *)data, size, &e);
    if ((v != NULL) != taken)
        abort();
    if (v == NULL)
        return 0;
    if (has_twice(ag_json_raw(v)))
        abort();
    text = cJSON_PrintUnformatted(ag_json_raw(v));
    if (text == NULL || (!has_largest(ag_json_raw(v)) && !ag_json_scan(&ag_alloc_default, text, strlen(text), &e)))
        abort();
    cJSON_free(text);
    ag_json_free(v);
    return 0;
}
