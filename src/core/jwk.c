/* jwk: see jwk.h. */
#include "core/jwk.h"

#include <string.h>

#include "core/crypto.h"
#include "core/jws.h"
#include "core/jwt_check.h"

/* The longest number: a modulus of 16384 bits, and one byte so that a longer one is seen. */
#define MAX_NUMBER (AG_JWK_MAX_RSA_BITS / 8 + 1)

typedef struct number {
    unsigned char bytes[AG_B64URL_LEN(MAX_NUMBER)];
    size_t n;
} number;

typedef struct reader {
    const ag_alloc *a;
    const ag_json *doc;
    ag_jwk *out;
    number x, y;
} reader;

static ag_view view_of(const number *x)
{
    return (ag_view){ (const char *)x->bytes, x->n };
}

/* False: not there, not base64url, or longer than anything. */
static bool read_number(const reader *r, const char *name, number *x)
{
    ag_view text;
    return ag_json_string(r->doc, name, &text) && text.n <= sizeof x->bytes
        && ag_b64url_decode(x->bytes, &x->n, text.p, text.n) && x->n > 0;
}

static size_t bits(const number *x)
{
    size_t n = x->n * 8;
    unsigned top = 0x80;
    while (top != 0 && (x->bytes[0] & top) == 0) {
        top >>= 1;
        n--;
    }
    return n;
}

static bool is_even(const number *x)
{
    return (x->bytes[x->n - 1] & 1) == 0;
}

static const char *read_rsa(reader *r)
{
    r->out->kind = AG_KEY_RSA;
    if (!read_number(r, "n", &r->x) || !read_number(r, "e", &r->y))
        return "n or e is not there, or no number";
    if (AG_BAD(RSA_ZERO, r->x.bytes[0] == 0 || r->y.bytes[0] == 0))
        return "n or e has a zero in front";
    if (AG_BAD(RSA_SMALL, bits(&r->x) < AG_JWK_MIN_RSA_BITS))
        return "an RSA key of less than 2048 bits";
    if (AG_BAD(RSA_LARGE, bits(&r->x) > AG_JWK_MAX_RSA_BITS))
        return "an RSA key of more than 16384 bits";
    if (AG_BAD(RSA_EVEN, is_even(&r->x)))
        return "an even modulus";
    if (AG_BAD(EXP_EVEN, is_even(&r->y)))
        return "an even exponent";
    if (AG_BAD(EXP_SMALL, bits(&r->y) < 17))
        return "an exponent below 65537";
    if (AG_BAD(EXP_LARGE, bits(&r->y) > 32))
        return "an exponent of more than 32 bits";
    return NULL;
}

/* The curve decides the kind; the key's length must be the curve's. */
static const char *read_curve(reader *r, const char *kty)
{
    static const struct {
        const char *kty, *name;
        ag_key_kind kind;
    } curves[] = { { "EC", "P-256", AG_KEY_P256 }, { "EC", "P-384", AG_KEY_P384 }, { "EC", "P-521", AG_KEY_P521 },
                   { "OKP", "Ed25519", AG_KEY_ED25519 } };
    ag_view crv;
    size_t i, n = sizeof curves / sizeof curves[0];
    (void)ag_json_string(r->doc, "crv", &crv);
    for (i = 0; i < n; i++)
        if (strcmp(curves[i].kty, kty) == 0 && ag_view_eq(crv, ag_view_of(curves[i].name)))
            break;
    if (i == n)
        return "another curve";
    r->out->kind = curves[i].kind;
    if (!read_number(r, "x", &r->x) || (r->out->kind != AG_KEY_ED25519 && !read_number(r, "y", &r->y)))
        return "a coordinate is not there, or no number";
    i = ag_key_kind_bytes(r->out->kind);
    if (r->x.n != i || (r->out->kind != AG_KEY_ED25519 && r->y.n != i))
        return "a coordinate of the wrong length";
    return NULL;
}

/* An array of strings with "verify" among them (RFC 7517 section 4.3). */
static bool allows_verify(const ag_json *doc)
{
    return ag_json_get(doc, "key_ops") == NULL || ag_json_has_string(doc, "key_ops", AG_LIT("verify"));
}

static const char *read_purpose(reader *r)
{
    ag_view v;
    const ag_json *doc = r->doc;
    if (AG_BAD(KEY_USE, ag_json_get(doc, "use") != NULL
                        && !(ag_json_string(doc, "use", &v) && ag_view_eq(v, AG_LIT("sig")))))
        return "a key that is not for signatures (use)";
    if (AG_BAD(KEY_OPS, !allows_verify(doc)))
        return "a key that is not for verifying (key_ops)";
    r->out->any_alg = ag_json_get(doc, "alg") == NULL;
    (void)ag_json_string(doc, "alg", &v);
    r->out->alg = r->out->any_alg ? AG_SIG_COUNT : ag_sig_alg_of(v);
    if (AG_BAD(KEY_ALG, !r->out->any_alg
                        && (r->out->alg == AG_SIG_COUNT || ag_sig_alg_kind(r->out->alg) != r->out->kind)))
        return "a key for another algorithm (alg)";
    return NULL;
}

static const char *read_key(reader *r)
{
    ag_view kty;
    const char *bad;
    (void)ag_json_string(r->doc, "kty", &kty);
    if (ag_view_eq(kty, AG_LIT("RSA")))
        bad = read_rsa(r);
    else if (ag_view_eq(kty, AG_LIT("EC")))
        bad = read_curve(r, "EC");
    else if (ag_view_eq(kty, AG_LIT("OKP")))
        bad = read_curve(r, "OKP");
    else
        bad = "another kind of key (kty)";
    if (bad == NULL && AG_BAD(KEY_PRIVATE, ag_json_get(r->doc, "d") != NULL))
        bad = "a private key, published";
    return bad == NULL ? read_purpose(r) : bad;
}

/* A kid that is no string, or endless, can never be asked for. */
static bool read_kid(reader *r)
{
    ag_view kid;
    if (ag_json_get(r->doc, "kid") == NULL)
        return true;
    if (AG_BAD(KEY_KID, !ag_json_string(r->doc, "kid", &kid) || kid.n > AG_JWT_MAX_KID)) {
        r->out->unusable = "its kid is no usable text";
        return true;
    }
    (void)ag_json_string(r->doc, "kid", &kid);
    return ag_str_set_view(r->a, &r->out->kid, kid);
}

bool ag_jwk_read(const ag_alloc *a, const ag_json *doc, ag_jwk *out, ag_err *e)
{
    reader r = { .a = a, .doc = doc, .out = out };
    ag_crypto_result made;
    memset(out, 0, sizeof *out);
    if (!read_kid(&r))
        return ag_fail(e, AG_E_MEMORY, "no memory for a key");
    if (out->unusable == NULL)
        out->unusable = read_key(&r);
    if (out->unusable != NULL)
        return true;
    made = ag_public_key_new(a, out->kind, view_of(&r.x), view_of(&r.y), &out->key);
    if (made == AG_CRYPTO_BAD)
        out->unusable = "there is no such key";
    if (made != AG_CRYPTO_MEMORY)
        return true;
    ag_jwk_free(a, out);
    return ag_fail(e, AG_E_MEMORY, "no memory for a key");
}

void ag_jwk_free(const ag_alloc *a, ag_jwk *k)
{
    ag_str_free(a, &k->kid);
    ag_public_key_free(a, k->key);
    memset(k, 0, sizeof *k);
}

static char *put(char *to, const char *text)
{
    size_t n = strlen(text);
    memcpy(to, text, n);
    return to + n;
}

static char *put_coordinate(char *to, const unsigned char *p)
{
    ag_b64url_encode(to, p, AG_SIGN_POINT / 2);
    return to + AG_B64URL_LEN(AG_SIGN_POINT / 2);
}

void ag_jwk_write(const ag_sign_key *key, char out[AG_JWK_OWN_LEN + 1])
{
    const unsigned char *point = ag_sign_key_point(key);
    out = put(out, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"");
    out = put_coordinate(out, point);
    out = put(out, "\",\"y\":\"");
    out = put_coordinate(out, point + AG_SIGN_POINT / 2);
    out = put(out, "\"}");
    *out = '\0';
}

bool ag_jwk_thumbprint(const ag_sign_key *key, char out[AG_JKT_LEN + 1])
{
    char text[AG_JWK_OWN_LEN + 1];
    unsigned char hash[32];
    ag_jwk_write(key, text);
    if (!ag_sha256(hash, text, AG_JWK_OWN_LEN))
        return false;
    ag_b64url_encode(out, hash, sizeof hash);
    out[AG_JKT_LEN] = '\0';
    return true;
}
