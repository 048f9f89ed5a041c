/* jwt_fuzz: whatever a token is, it is taken apart without harm, its parts mean the token's bytes, and it is not
 * let in; claims that were read are claims of a JSON that cJSON reads the same way. Run from the root:
 *   clang -std=c11 -DAG_TEST -g -O1 -Isrc -fsanitize=fuzzer,address,undefined spec/fuzz/jwt_fuzz.c \
 *     src/core/{jw*,json*,crypto*,b64,utf8,buf,alloc,alloc_test,err}.c -lcjson -lcrypto -lm -o /tmp/jwt_fuzz && \
 *   nice -n 19 /tmp/jwt_fuzz -max_total_time=1800 -dict=spec/fuzz/jwt.dict -max_len=3000 CORPUS
 * where CORPUS is a directory with what corpus/jwt.tar.gz holds.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/b64.h"
#include "core/json.h"
#include "core/jwt.h"
#include "core/jwt_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

/* A key that nothing is signed by. */
static ag_jwks *keys(void)
{
    static ag_jwks *set;
    static const char text[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"Ht7iHOUfDeoqXg9epvWW32qVcB7jkq4X3KuGrWml1U0\","
        "\"y\":\"xJFtuFy-i6ncF_TGiu83T3-nSindSdlJ6UNZbn-mjZc\"},{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"e\","
        "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
    ag_err e;
    if (set == NULL)
        set = ag_jwks_read(&ag_alloc_default, AG_LIT(text), &e);
    must(set != NULL);
    return set;
}

static const ag_view one[] = { { "a", 1 }, { "at+jwt", 6 } };

static ag_jwt_policy policy(void)
{
    ag_jwt_policy p;
    memset(&p, 0, sizeof p);
    p.algs = (1U << AG_SIG_COUNT) - 1;
    p.max_bytes = AG_JWT_MAX_TOKEN;
    p.issuer = one[0];
    p.audiences = p.scopes = p.roles = p.any_role = p.clients = (ag_views){ one, 1 };
    p.types = (ag_views){ one, 2 };
    p.max_auth_age = 10;
    return p;
}

static void same_text(const ag_json *doc, const char *name, ag_view have)
{
    ag_view want;
    must(ag_json_string(doc, name, &want) == (have.p != NULL));
    must(have.p == NULL || (ag_view_eq(want, have) && have.p[have.n] == '\0'));
}

static void same_time(const ag_json *doc, const char *name, double have)
{
    double want;
    must(ag_json_number(doc, name, &want) == (have >= 0));
    must(have < 0 || fabs(have - want) <= 1e-15 * want);
}

static void check_claims(const char *p, size_t n)
{
    ag_jws jws;
    ag_jwt_claims c;
    ag_jwt_policy demands = policy();
    ag_json *doc;
    ag_err e;
    memset(&jws, 0, sizeof jws);
    jws.payload = (ag_view){ p, n };
    jws.room = malloc(n + 1);
    must(jws.room != NULL);
    doc = ag_json_parse(p, n, &e);
    if (ag_jwt_read_claims(&ag_alloc_default, &jws, &c, &e)) {
        must(doc != NULL && ag_json_is_object(doc));
        same_text(doc, "iss", c.iss);
        same_text(doc, "sub", c.sub);
        same_text(doc, "scope", c.scope);
        same_text(doc, "client_id", c.client_id);
        same_time(doc, "exp", c.exp);
        same_time(doc, "auth_time", c.auth_time);
        must(ag_texts_have(&c.aud, AG_LIT("a")) == ag_json_has_string(doc, "aud", AG_LIT("a")));
        must((ag_json_get(doc, "amr") != NULL) == c.amr.there);
        (void)ag_jwt_check_times(&c, &demands, 1000, &e);
    } else {
        must(e.code == AG_E_INVALID_TOKEN && e.reason != NULL);
    }
    ag_json_free(doc);
    free(jws.room);
}

static void check_token(const char *p, size_t n)
{
    ag_jws jws;
    ag_jwt_claims c;
    ag_jwt_policy demands = policy();
    ag_err e;
    size_t part;
    if (!ag_jws_read(&ag_alloc_default, (ag_view){ p, n }, demands.max_bytes, &jws, &e)) {
        must(e.code == AG_E_INVALID_TOKEN && e.reason != NULL && jws.mem == NULL);
        return;
    }
    part = AG_B64URL_LEN(jws.payload.n) + 1 + AG_B64URL_LEN(jws.signature.n);
    must(jws.signed_text.n + 1 + AG_B64URL_LEN(jws.signature.n) == n && part < n);
    must(jws.alg.p != NULL && jws.room + jws.payload.n + 1 <= jws.mem + jws.mem_n);
    must(!ag_jwt_verify(&ag_alloc_default, &jws, keys(), &demands, 1000, &c, &e));
    must(e.reason != NULL);
    ag_jws_free(&ag_alloc_default, &jws);
}

/* 0: the input is a token; 1: it is claims; 2: a header, for which the other parts are made. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy;
    size_t n;
    if (size == 0)
        return 0;
    n = size - 1;
    copy = malloc(AG_B64URL_LEN(n) + 32);
    must(copy != NULL);
    if (data[0] % 3 == 2) {
        ag_b64url_encode(copy, data + 1, n);
        n = AG_B64URL_LEN(n);
        memcpy(copy + n, ".e30.AAAA", 9);
        n += 9;
    } else {
        memcpy(copy, data + 1, n);
    }
    copy = realloc(copy, n == 0 ? 1 : n);       /* to the byte, for the sanitizer */
    if (data[0] % 3 == 1)
        check_claims(copy, n);
    else
        check_token(copy, n);
    free(copy);
    return 0;
}
