/* dpop: see dpop.h. */
#include "core/dpop.h"

#include <string.h>

#include "core/crypto.h"
#include "core/http.h"
#include "core/json.h"
#include "core/jws.h"
#include "core/pkce.h"
#include "core/url.h"

#define MAX_NONCE 2048
#define SLACK_S 10              /* a time that is off by no more is not why a proof was refused */
#define MAX_AGE_S 86400         /* of a cached answer, in which its Date is of use */
#define HEAD "{\"alg\":\"ES256\",\"jwk\":"
#define TAIL ",\"typ\":\"dpop+jwt\"}"

ag_dpop *ag_dpop_new(const ag_alloc *a)
{
    return ag_new0(a, sizeof(ag_dpop));
}

static void forget_origin(const ag_alloc *a, ag_dpop_origin *o)
{
    ag_str_free(a, &o->name);
    ag_str_free(a, &o->nonce);
    o->has_clock = false;
}

void ag_dpop_free(const ag_alloc *a, ag_dpop *d)
{
    size_t i;
    if (d == NULL)
        return;
    for (i = 0; i < AG_DPOP_ORIGINS; i++)
        forget_origin(a, &d->origins[i]);
    ag_sign_key_free(a, d->key);
    ag_str_free(a, &d->text);
    ag_free_wiped(a, d, sizeof *d);
}

/* ---- the key ---- */

/* BAD: the text is no key. */
static ag_crypto_result read_key(const ag_alloc *a, ag_dpop *d, ag_view text)
{
    unsigned char secret[AG_SIGN_SECRET + 1];
    size_t n = 0;
    ag_sign_key *key = NULL;
    ag_crypto_result result = AG_CRYPTO_BAD;
    char jkt[AG_JKT_LEN + 1];
    if (text.n == AG_B64URL_LEN(AG_SIGN_SECRET) && ag_b64url_decode(secret, &n, text.p, text.n))
        result = ag_sign_key_read(a, (ag_view){ (const char *)secret, n }, &key);
    ag_wipe(secret, sizeof secret);
    if (result == AG_CRYPTO_GOOD && (!ag_jwk_thumbprint(key, jkt) || !ag_str_set_view(a, &d->text, text)))
        result = AG_CRYPTO_MEMORY;
    if (result == AG_CRYPTO_GOOD) {
        ag_sign_key_free(a, d->key);
        d->key = key;
        memcpy(d->jkt, jkt, sizeof d->jkt);
    } else {
        ag_sign_key_free(a, key);
    }
    return result;
}

ag_dpop_key ag_dpop_use(const ag_alloc *a, ag_dpop *d, const ag_record *r, ag_view jkt, ag_err *e)
{
    const ag_view text = ag_str_view(&r->dpop_key);
    ag_crypto_result result = AG_CRYPTO_BAD;
    if (text.p != NULL && d->key != NULL && ag_secret_eq(text.p, text.n, d->text.p, d->text.n))
        result = AG_CRYPTO_GOOD;
    else if (text.p != NULL)
        result = read_key(a, d, text);
    if (result == AG_CRYPTO_MEMORY) {
        (void)ag_fail(e, AG_E_MEMORY, "no memory for a DPoP key");
        return AG_DPOP_FAILED;
    }
    if (result == AG_CRYPTO_GOOD && (jkt.p == NULL || ag_view_eq(jkt, ag_view_of(d->jkt))))
        return AG_DPOP_READY;
    if (jkt.p == NULL)
        return AG_DPOP_NO_KEY;
    (void)ag_fail(e, AG_E_DPOP_KEY, result == AG_CRYPTO_GOOD
        ? "the session is bound to another DPoP key than the one in the storage; log in again"
        : "the session is bound to a DPoP key that is no longer in the storage; log in again");
    return AG_DPOP_FAILED;
}

bool ag_dpop_make_key(const ag_env *env, ag_record *r, ag_err *e)
{
    char text[AG_B64URL_LEN(AG_SIGN_SECRET)];
    ag_sign_key *key = NULL;
    ag_crypto_result made = ag_sign_key_make(env, &key);
    bool ok = made == AG_CRYPTO_GOOD;
    if (ok) {
        ag_b64url_encode(text, ag_sign_key_secret(key), AG_SIGN_SECRET);
        ok = ag_str_set(&env->alloc, &r->dpop_key, text, sizeof text);
    }
    ag_wipe(text, sizeof text);
    ag_sign_key_free(&env->alloc, key);
    if (ok)
        return true;
    return made == AG_CRYPTO_BAD ? ag_fail(e, AG_E_RANDOM, "the system gave no random bytes")
                                 : ag_fail(e, AG_E_MEMORY, "no memory for a DPoP key");
}

bool ag_dpop_keep_key(const ag_alloc *a, const ag_dpop *d, ag_record *to, const ag_record *from)
{
    const bool in_use = d != NULL && d->key != NULL && ag_view_eq(ag_str_view(&to->dpop_jkt), ag_view_of(d->jkt));
    return ag_str_set_view(a, &to->dpop_key, ag_str_view(in_use ? &d->text : &from->dpop_key));
}

/* ---- servers ---- */

static bool origin_of(const ag_alloc *a, ag_view url, ag_str *out)
{
    ag_buf b;
    ag_url u;
    ag_err ignored;
    ag_buf_init(&b, a, AG_BUF_NO_LIMIT);
    if (ag_url_parse(url, &u, &ignored))
        ag_url_write_origin(&b, &u);
    if (ag_buf_take(&b, out))
        return true;
    ag_buf_free(&b);
    return false;
}

/* Which of the remembered servers a URL is of; NULL: none. */
static const ag_dpop_origin *find(const ag_dpop *d, ag_view url)
{
    ag_url u, known;
    ag_err ignored;
    size_t i;
    if (!ag_url_parse(url, &u, &ignored))
        return NULL;
    for (i = 0; i < AG_DPOP_ORIGINS; i++)
        if (d->origins[i].name.p != NULL && ag_url_parse(ag_str_view(&d->origins[i].name), &known, &ignored)
                && ag_url_same_origin(&known, &u))
            return &d->origins[i];
    return NULL;
}

/* The same, remembered from now on if it was not. NULL: out of memory. */
static ag_dpop_origin *remember(const ag_alloc *a, ag_dpop *d, ag_view url)
{
    const ag_dpop_origin *found = find(d, url);
    ag_dpop_origin *o = &d->origins[found != NULL ? (size_t)(found - d->origins) : d->next];
    ag_str name = { NULL, 0 };
    if (found != NULL)
        return o;
    if (!origin_of(a, url, &name))
        return NULL;
    forget_origin(a, o);
    ag_str_move(a, &o->name, &name);
    d->next = (d->next + 1) % AG_DPOP_ORIGINS;
    return o;
}

/* RFC 9449 section 8.1. */
static bool is_nonce(ag_view v)
{
    size_t i;
    for (i = 0; i < v.n; i++)
        if (v.p[i] < 0x21 || v.p[i] > 0x7e || v.p[i] == '"' || v.p[i] == '\\')
            return false;
    return v.n > 0 && v.n <= MAX_NONCE;
}

/* The server's clock less our boot clock, if the answer says what time it is there. A cache tells an answer's age. */
static bool read_clock(const ag_env *env, ag_view headers, int64_t *out)
{
    ag_view v;
    int64_t s, age = 0;
    size_t i;
    if (!ag_http_header(headers, "Date", &v) || !ag_http_date(v, &s))
        return false;
    if (ag_http_header(headers, "Age", &v))
        for (i = 0; i < v.n && v.p[i] >= '0' && v.p[i] <= '9' && age <= MAX_AGE_S; i++)
            age = age * 10 + (v.p[i] - '0');
    *out = (s + age) * 1000 - env->boot_ms;
    return age <= MAX_AGE_S;
}

void ag_dpop_learn_clock(const ag_env *env, ag_dpop *d, ag_view headers)
{
    int64_t clock_ms;
    if (!read_clock(env, headers, &clock_ms))
        return;
    d->clock_ms = clock_ms;
    d->has_clock = true;
}

bool ag_dpop_learn(const ag_env *env, ag_dpop *d, ag_view url, ag_view headers)
{
    ag_dpop_origin *o = remember(&env->alloc, d, url);
    ag_view nonce;
    int64_t clock_ms;
    if (o == NULL)
        return false;
    if (read_clock(env, headers, &clock_ms)) {
        o->clock_ms = clock_ms;
        o->has_clock = true;
    }
    if (!ag_http_header(headers, "DPoP-Nonce", &nonce) || !is_nonce(nonce))
        return true;
    return ag_str_set_view(&env->alloc, &o->nonce, nonce);
}

static int64_t time_at(const ag_env *env, const ag_dpop *d, const ag_dpop_origin *o)
{
    if (o != NULL && o->has_clock)
        return (env->boot_ms + o->clock_ms) / 1000;
    return (d->has_clock ? env->boot_ms + d->clock_ms : env->wall_ms) / 1000;
}

/* ---- proofs ---- */

/* The token that the request carries in its Authorization header, if it is one that is bound. */
static ag_view bound_token(const ag_request *r)
{
    static const char scheme[] = "DPoP ";
    ag_view v;
    if (ag_http_header(ag_str_view(&r->headers), "Authorization", &v) && v.n > sizeof scheme - 1
            && memcmp(v.p, scheme, sizeof scheme - 1) == 0)
        return (ag_view){ v.p + sizeof scheme - 1, v.n - (sizeof scheme - 1) };
    return (ag_view){ NULL, 0 };
}

/* The target without query and fragment. What is sent has the same path: the transport gets the URL as it is. */
static void write_target(ag_buf *b, ag_view url)
{
    ag_url u;
    ag_err ignored;
    if (!ag_url_parse(url, &u, &ignored))
        return;
    ag_buf_char(b, '"');
    ag_url_write_origin(b, &u);
    if (u.path.n == 0)
        ag_buf_char(b, '/');
    ag_buf_view(b, u.path);
    ag_buf_char(b, '"');
}

static bool write_claims(const ag_env *env, ag_buf *b, const ag_request *r, const ag_dpop_origin *o, int64_t iat, ag_err *e)
{
    const ag_view token = bound_token(r);
    unsigned char hash[32];
    char jti[AG_RANDOM_TEXT_LEN + 1], ath[AG_B64URL_LEN(32)];
    bool first = true;
    if (!ag_random_text(env, jti))
        return ag_fail(e, AG_E_RANDOM, "the system gave no random bytes");
    ag_buf_char(b, '{');
    ag_json_write_field(b, &first, "jti", ag_view_of(jti));
    ag_json_write_field(b, &first, "htm", ag_view_of(r->method));
    ag_buf_cstr(b, ",\"htu\":");
    write_target(b, ag_str_view(&r->url));
    ag_json_write_int(b, &first, "iat", iat);
    if (token.p != NULL && !ag_sha256(hash, token.p, token.n)) {
        b->bad = true;
    } else if (token.p != NULL) {
        ag_b64url_encode(ath, hash, sizeof hash);
        ag_json_write_field(b, &first, "ath", (ag_view){ ath, sizeof ath });
    }
    if (o != NULL)
        ag_json_write_field(b, &first, "nonce", ag_str_view(&o->nonce));
    ag_buf_char(b, '}');
    return !b->bad || ag_fail(e, AG_E_MEMORY, "no memory for a DPoP proof");
}

bool ag_dpop_prove(const ag_env *env, const ag_dpop *d, ag_request *r, ag_err *e)
{
    const ag_alloc *a = &env->alloc;
    const ag_dpop_origin *o = find(d, ag_str_view(&r->url));
    const int64_t iat = time_at(env, d, o);
    const ag_view none = { NULL, 0 };
    char head[sizeof HEAD + AG_JWK_OWN_LEN + sizeof TAIL];
    ag_str proof = { NULL, 0 };
    ag_buf b;
    bool ok;
    memcpy(head, HEAD, sizeof HEAD);
    ag_jwk_write(d->key, head + sizeof HEAD - 1);
    memcpy(head + sizeof HEAD - 1 + AG_JWK_OWN_LEN, TAIL, sizeof TAIL);
    ag_buf_init(&b, a, AG_BUF_NO_LIMIT);
    ok = write_claims(env, &b, r, o, iat, e) && ag_jws_sign(a, d->key, ag_view_of(head), (ag_view){ b.p, b.n }, &proof, e);
    ag_buf_free(&b);
    if (!ok)
        return false;
    ag_http_add_header(&b, "DPoP", ag_str_view(&proof));
    ag_str_free(a, &proof);
    if (!ag_buf_take(&b, &r->dpop) || !ag_str_set_view(a, &r->nonce, o != NULL ? ag_str_view(&o->nonce) : none)) {
        ag_buf_free(&b);
        return ag_fail(e, AG_E_MEMORY, "no memory for a DPoP proof");
    }
    memcpy(r->jkt, d->jkt, sizeof r->jkt);
    r->iat = iat;
    return true;
}

/* ---- answers ---- */

static bool is_about_proof(ag_view error)
{
    return ag_view_eq(error, AG_LIT("use_dpop_nonce")) || ag_view_eq(error, AG_LIT("invalid_dpop_proof"));
}

bool ag_dpop_is_refused(const ag_answer *ans, ag_err *e)
{
    ag_view error;
    ag_json *body;
    bool is;
    ag_err_clear(e);
    if (ans->status != 400 && ans->status != 401)
        return false;
    if (ag_http_challenge_error(ans->headers, "DPoP", &error))
        return is_about_proof(error);
    if (ans->body.p == NULL)
        return false;
    body = ag_json_parse(ans->body.p, ans->body.n, e);
    is = body != NULL && ag_json_string(body, "error", &error) && is_about_proof(error);
    ag_json_free(body);
    return is;
}

unsigned ag_dpop_difference(const ag_env *env, const ag_dpop *d, const ag_request *r)
{
    const ag_dpop_origin *o = find(d, ag_str_view(&r->url));
    const int64_t off = time_at(env, d, o) - r->iat;
    unsigned in = off > SLACK_S || off < -SLACK_S ? AG_DPOP_TIME : 0;
    if (o != NULL && o->nonce.p != NULL && !ag_view_eq(ag_str_view(&o->nonce), ag_str_view(&r->nonce)))
        in |= AG_DPOP_NONCE;
    return in;
}
