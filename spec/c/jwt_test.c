/* jwt_test: tokens, key sets and the cache without Lua: a token of a standard's own, walks over JSON, and each
 * allocation failing. The hostile tokens are in spec/verify_spec.lua. */
#include "core/b64.h"
#include "core/json_walk.h"
#include "core/jwt_cache.h"
#include "tap.h"

/* RFC 8037 appendix A: the key, and its signature of "Example of Ed25519 signing"; RFC 7515 appendix A.3: ES256. */
#define ED_KEYS "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"use\":\"sig\",\"key_ops\":[\"verify\"]," \
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"
#define ED_TOKEN "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc." \
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
#define ES_KEYS "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}"
#define ES_TOKEN "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ." \
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

static bool signature_of(const char *token, const char *keys, ag_sig_alg alg, size_t flip)
{
    char text[512];
    size_t n = strlen(token);
    ag_err e;
    ag_jws jws;
    ag_jwk *key;
    bool good = false;
    ag_jwks *set = ag_jwks_read(&tap_alloc, ag_view_of(keys), &e);
    memcpy(text, token, n);
    if (flip > 0)
        text[n - flip] = text[n - flip] == 'A' ? 'B' : 'A';
    if (set != NULL && ag_jws_read(&tap_alloc, (ag_view){ text, n }, 4096, &jws, &e)) {
        good = ag_jwks_find(set, jws.kid, alg, &key) == AG_JWKS_ONE
            && ag_public_key_verify(key->key, alg, jws.signature, jws.signed_text) == AG_CRYPTO_GOOD;
        ag_jws_free(&tap_alloc, &jws);
    }
    ag_jwks_free(set);
    return good;
}

static void standards(void)
{
    OK(signature_of(ED_TOKEN, ED_KEYS, AG_SIG_EDDSA, 0), "RFC 8037 appendix A.4");
    OK(!signature_of(ED_TOKEN, ED_KEYS, AG_SIG_EDDSA, 20), "and with another signature");
    OK(signature_of(ES_TOKEN, ES_KEYS, AG_SIG_ES256, 0), "RFC 7515 appendix A.3");
    OK(!signature_of(ES_TOKEN, ES_KEYS, AG_SIG_ES256, 20), "and with another signature");
    OK(!signature_of(ES_TOKEN, ES_KEYS, AG_SIG_EDDSA, 0), "and another algorithm");
}

static const struct {
    const char *text;
    double value;
} numbers[] = {
    { "0", 0 }, { "-0", 0 }, { "1", 1 }, { "-1.5", -1.5 }, { "1795460398", 1795460398 }, { "1795460398.25", 1795460398.25 },
    { "1.795460398e9", 1795460398 }, { "17954603980e-1", 1795460398 }, { "1E+3", 1000 }, { "1e308", 1e308 }, { "1e-320", 0 },
    { "1e-99999999", 0 }, { "0e99999", 0 }, { "123456789012345678901234567890", 1.2345678901234568e29 }, { "0.000001", 0.000001 },
    { "1795460398.00000000000000000000000001", 1795460398 },
};

static void walks(void)
{
    static const char text[] = " { \"a\" : [ 1 , \"x\\\"]\" , { } , [ [ ] ] ] , \"\\u0062\":\"\\ud83d\\ude00\\n\",\"c\":-1e2 , \"d\":null} ";
    ag_json_walk w = ag_json_walk_into(ag_json_walk_whole(AG_LIT(text))), inner;
    ag_json_text v, item;
    ag_view key;
    char out[16];
    size_t i, n = 0;
    OK(ag_json_walk_member(&w, &key, &v) && ag_json_text_is(key, AG_LIT("a")) && v.kind == AG_JSON_ARRAY, "an array");
    for (inner = ag_json_walk_into(v); ag_json_walk_element(&inner, &item); n++)
        ;
    OK(n == 4 && item.kind == AG_JSON_ARRAY, "of four");
    OK(ag_json_walk_member(&w, &key, &v) && ag_json_text_is(key, AG_LIT("b")) && !ag_json_text_is(key, AG_LIT("bb"))
       && !ag_json_text_is(key, AG_LIT("")), "an escaped key");
    OK(ag_json_text_decode(v.text, out) == 5 && strcmp(out, "\xF0\x9F\x98\x80\n") == 0, "an escaped text");
    OK(ag_json_walk_member(&w, &key, &v) && v.kind == AG_JSON_NUMBER && ag_json_text_number(v.text) < -99, "a number");
    OK(ag_json_walk_member(&w, &key, &v) && v.kind == AG_JSON_NULL && !ag_json_walk_member(&w, &key, &v), "null, and the end");
    for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        double d = ag_json_text_number(ag_view_of(numbers[i].text)), want = numbers[i].value;
        double off = d > want ? d - want : want - d;
        OK(off <= (want < 0 ? -want : want) * 3e-16 + 1e-300, tap_name("number", numbers[i].text));
    }
}

/* ---- memory ---- */

static tap_outcome reads_keys(const ag_alloc *a)
{
    ag_err e;
    ag_jwks *set;
    ag_err_clear(&e);
    set = ag_jwks_read(a, AG_LIT(ED_KEYS), &e);
    ag_jwks_free(set);
    return tap_outcome_of(set != NULL, &e);
}

static tap_outcome reads_token(const ag_alloc *a)
{
    static const char claims[] = "{\"iss\":\"i\",\"sub\":\"s\",\"aud\":[\"a\"],\"exp\":2000}";
    char token[256];
    size_t n = AG_B64URL_LEN(sizeof claims - 1);
    ag_err e;
    ag_jws jws;
    ag_jwt_claims c;
    tap_outcome got;
    ag_err_clear(&e);
    memcpy(token, "eyJhbGciOiJFZERTQSJ9.", 21);
    ag_b64url_encode(token + 21, claims, sizeof claims - 1);
    memcpy(token + 21 + n, ".AAAA", 5);
    if (!ag_jws_read(a, (ag_view){ token, n + 26 }, 4096, &jws, &e))
        return tap_outcome_of(false, &e);
    got = tap_outcome_of(ag_jwt_read_claims(a, &jws, &c, &e), &e);
    if (got == TAP_DONE && !(tap_view_is(c.sub, "s") && c.exp > 1999 && ag_texts_have(&c.aud, AG_LIT("a"))))
        got = TAP_WRONG;
    ag_jws_free(a, &jws);
    return got;
}

/* ---- the cache ---- */

/* A token whose exp is its length; the number of its place. */
static size_t put(ag_jwt_cache *c, const char *token, ag_jwt_key *key)
{
    const ag_jwt_claims claims = { .exp = (double)strlen(token), .sub = AG_LIT("kept by others") };
    size_t number;
    if (!ag_jwt_cache_hash(c, ag_view_of(token), key))
        return 0;
    number = ag_jwt_cache_clear(c, key);
    ag_jwt_cache_put(c, number, key, &claims);
    return number;
}

static size_t find(ag_jwt_cache *c, const ag_jwt_key *key)
{
    const ag_jwt_claims *times = NULL;
    size_t number = ag_jwt_cache_find(c, key, &times);
    return number != 0 && times->sub.p != NULL ? 0 : number;
}

static tap_outcome makes_cache(const ag_alloc *a)
{
    ag_jwt_cache *c = ag_jwt_cache_new(a, 5);
    ag_jwt_cache_free(c);
    return c != NULL ? TAP_DONE : TAP_NO_MEMORY;
}

static void cache(void)
{
    ag_jwt_cache *c = ag_jwt_cache_new(&tap_alloc, 4);
    ag_jwt_key a, b, other;
    const ag_jwt_claims *times = NULL;
    char name[16];
    size_t first, number;
    int i;
    OK(c != NULL, "a cache");
    first = put(c, "a", &a);
    number = put(c, "bb", &b);
    OK(first >= 1 && first <= 4 && number >= 1 && number <= 4 && first != number, "two tokens have a place each");
    OK(ag_jwt_cache_find(c, &a, &times) == first && times->exp < 1.5 && find(c, &b) == number, "and are found there, by their times");
    OK(ag_jwt_cache_key(AG_LIT("a"), &other) && find(c, &other) == first, "by their SHA-256");
    OK(put(c, "a", &a) == first && find(c, &a) == first, "one again");
    OK(ag_jwt_cache_clear(c, &a) == first && find(c, &a) == 0 && find(c, &b) == number, "one is taken out");
    for (i = 0; i < 3; i++) {
        (void)snprintf(name, sizeof name, "c%d", i);
        (void)put(c, name, &other);
    }
    OK(find(c, &b) == number && put(c, "d", &other) != number, "four places");
    OK(find(c, &b) == number && find(c, &other) != 0, "what was used last stays");
    (void)ag_jwt_cache_key(AG_LIT("c0"), &a);
    OK(find(c, &a) == 0, "what was used longest ago has gone");
    ag_jwt_cache_free(c);
    OK(ag_jwt_cache_new(&tap_alloc, (size_t)-1) == NULL && ag_jwt_cache_new(&tap_alloc, (size_t)-1 / 64) == NULL, "none that has no room");
}

int main(void)
{
    standards();
    walks();
    cache();
    tap_each_alloc("a key set", reads_keys, 2);
    tap_each_alloc("a token", reads_token, 1);
    tap_each_alloc("a cache", makes_cache, 1);
    OK(tap_live == 0, "nothing is held at the end");
    return tap_end();
}
