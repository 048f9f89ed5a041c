/* challenge_fuzz: what a server says in WWW-Authenticate and DPoP-Nonce, from any bytes. What is found lies in the block, behind the
 * scheme and the parameter's name, and outside of quotes nothing else is taken for it. Run from the root:
 *   clang -std=c11 -DAG_TEST -g -O1 -Isrc -fsanitize=fuzzer,address,undefined spec/fuzz/challenge_fuzz.c \
 *     src/core/{dpop,record,request,http*,url*,form,utf8,withhold,json*,b64,jws,jwt*,jwk*,pkce,crypto*,buf,alloc,alloc_test,err}.c \
 *     -lcrypto -lcjson -lm -o /tmp/challenge_fuzz && nice /tmp/challenge_fuzz -max_total_time=120 -dict=spec/fuzz/challenge.dict
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/dpop.h"
#include "core/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

static const char *find(const char *p, const char *end, const char *word)
{
    size_t n = strlen(word);
    for (; (size_t)(end - p) >= n; p++)
        if (strncasecmp(p, word, n) == 0)
            return p;
    return NULL;
}

static void check_challenge(ag_view block)
{
    const char *end = block.p + block.n, *at;
    ag_view error;
    if (!ag_http_challenge_error(block, "DPoP", &error)) {
        must(error.p == NULL);
        return;
    }
    must(error.p >= block.p && error.p + error.n <= end);
    at = find(block.p, error.p, "www-authenticate");
    must(at != NULL);
    at = find(at, error.p, "dpop");
    must(at != NULL);
    at = find(at + 4, error.p, "error");
    must(at != NULL && memchr(at, '=', (size_t)(error.p - at)) != NULL);
}

/* A nonce ends up in a JSON string of ours: none of it may end that. */
static void check_nonce(ag_view block)
{
    const ag_env env = { .alloc = ag_alloc_default };
    ag_dpop *d = ag_dpop_new(&ag_alloc_default);
    size_t i, k;
    must(d != NULL && ag_dpop_learn(&env, d, AG_LIT("https://issuer.example/token"), block));
    for (i = 0; i < AG_DPOP_ORIGINS; i++)
        for (k = 0; k < d->origins[i].nonce.n; k++)
            must(d->origins[i].nonce.p[k] > ' ' && d->origins[i].nonce.p[k] < 0x7f && d->origins[i].nonce.p[k] != '"'
                 && d->origins[i].nonce.p[k] != '\\');
    ag_dpop_free(&ag_alloc_default, d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *exact = malloc(size == 0 ? 1 : size);
    ag_answer ans = { .status = 401 };
    ag_err e;
    must(exact != NULL);
    if (size > 0)
        memcpy(exact, data, size);
    ans.headers = (ag_view){ exact, size };
    check_challenge(ans.headers);
    check_nonce(ans.headers);
    (void)ag_dpop_is_refused(&ans, &e);
    free(exact);
    return 0;
}
