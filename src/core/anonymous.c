/* anonymous: see anonymous.h. */
#include "core/anonymous.h"

#include <stdio.h>

#include "core/api.h"
#include "core/form.h"
#include "core/http.h"
#include "core/jwk.h"
#include "core/jws.h"

#define AG_JWT_LIFE_S 300       /* the longest that the server takes */
#define AG_KEY_TEXT AG_B64URL_LEN(AG_SIGN_SECRET)

/* ---- the key ---- */

/* A random UUID (RFC 9562 section 5.4). */
static bool make_id(const ag_env *env, char out[37])
{
    unsigned char b[16];
    if (!env->random(env->random_ud, b, sizeof b))
        return false;
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    (void)snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3],
                   b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return true;
}

bool ag_anonymous_make_key(const ag_env *env, ag_record *r, ag_err *e)
{
    const ag_alloc *a = &env->alloc;
    ag_sign_key *key;
    char text[AG_KEY_TEXT], id[37];
    bool ok;
    const ag_crypto_result made = ag_sign_key_make(env, &key);
    if (made == AG_CRYPTO_BAD || (made == AG_CRYPTO_GOOD && !make_id(env, id))) {
        ag_sign_key_free(a, key);
        return ag_fail(e, AG_E_RANDOM, "the system gave no random bytes");
    }
    if (made != AG_CRYPTO_GOOD)
        return ag_fail(e, AG_E_MEMORY, "no memory for a device key");
    ag_b64url_encode(text, ag_sign_key_secret(key), AG_SIGN_SECRET);
    ag_anonymous_drop_key(a, r);
    ok = ag_str_set(a, &r->anonymous_key, text, sizeof text) && ag_str_set_view(a, &r->anonymous_key_id, ag_view_of(id));
    ag_wipe(text, sizeof text);
    ag_sign_key_free(a, key);
    return ok || ag_fail(e, AG_E_MEMORY, "no memory for a device key");
}

bool ag_anonymous_keep_key(const ag_alloc *a, ag_record *to, const ag_record *from)
{
    return ag_str_set_view(a, &to->anonymous_key, ag_str_view(&from->anonymous_key))
        && ag_str_set_view(a, &to->anonymous_key_id, ag_str_view(&from->anonymous_key_id))
        && ag_str_set_view(a, &to->anonymous_sub, ag_str_view(&from->anonymous_sub));
}

void ag_anonymous_drop_key(const ag_alloc *a, ag_record *r)
{
    ag_str_free(a, &r->anonymous_key);
    ag_str_free(a, &r->anonymous_key_id);
    ag_str_free(a, &r->anonymous_sub);
}

bool ag_anonymous_is_of_key(const ag_record *r, ag_view sub)
{
    return r->anonymous_key.p != NULL && r->anonymous_sub.p != NULL && ag_view_eq(ag_str_view(&r->anonymous_sub), sub);
}

/* NULL: e. */
static ag_sign_key *read_key(const ag_alloc *a, const ag_record *r, ag_err *e)
{
    unsigned char secret[AG_SIGN_SECRET + 1];
    ag_sign_key *key = NULL;
    size_t n = 0;
    ag_crypto_result result = AG_CRYPTO_BAD;
    if (r->anonymous_key.n == AG_KEY_TEXT && ag_b64url_decode(secret, &n, r->anonymous_key.p, r->anonymous_key.n))
        result = ag_sign_key_read(a, (ag_view){ (const char *)secret, n }, &key);
    ag_wipe(secret, sizeof secret);
    if (result == AG_CRYPTO_BAD)
        (void)ag_fail(e, AG_E_STORAGE_DAMAGED, "the stored device key is none");
    else if (result == AG_CRYPTO_MEMORY)
        (void)ag_fail(e, AG_E_MEMORY, "no memory for the device key");
    return key;
}

/* ---- the JWT ---- */

static void write_head(ag_buf *b, const ag_sign_key *key, ag_view kid)
{
    char jwk[AG_JWK_OWN_LEN + 1];
    bool first = true;
    ag_jwk_write(key, jwk);
    ag_buf_char(b, '{');
    ag_json_write_field(b, &first, "alg", AG_LIT("ES256"));
    ag_json_write_field(b, &first, "typ", AG_LIT("vnd.authgear.anonymous-request"));
    ag_json_write_field(b, &first, "kid", kid);
    ag_buf_cstr(b, ",\"jwk\":{");
    first = true;
    ag_json_write_field(b, &first, "alg", AG_LIT("ES256"));
    ag_json_write_field(b, &first, "kid", kid);
    ag_buf_char(b, ',');
    ag_buf_cstr(b, jwk + 1);
    ag_buf_char(b, '}');
}

static void write_body(ag_buf *b, ag_view challenge, const char *action, int64_t now_s)
{
    bool first = true;
    ag_buf_char(b, '{');
    ag_json_write_int(b, &first, "iat", now_s);
    ag_json_write_int(b, &first, "exp", now_s + AG_JWT_LIFE_S);
    ag_json_write_field(b, &first, "challenge", challenge);
    ag_json_write_field(b, &first, "action", ag_view_of(action));
    ag_buf_cstr(b, ",\"device_info\":{}}");
}

bool ag_anonymous_jwt(const ag_client *c, const ag_record *r, ag_view challenge, const char *action, int64_t now_s,
                      ag_str *jwt, ag_err *e)
{
    const ag_alloc *a = &c->env.alloc;
    ag_sign_key *key = read_key(a, r, e);
    ag_buf head, body;
    bool ok;
    if (key == NULL)
        return false;
    ag_buf_init(&head, a, AG_BUF_NO_LIMIT);
    ag_buf_init(&body, a, AG_BUF_NO_LIMIT);
    write_head(&head, key, ag_str_view(&r->anonymous_key_id));
    write_body(&body, challenge, action, now_s);
    if (head.bad || body.bad)
        ok = ag_fail(e, AG_E_MEMORY, "no memory to sign");
    else
        ok = ag_jws_sign(a, key, (ag_view){ head.p, head.n }, (ag_view){ body.p, body.n }, jwt, e);
    ag_buf_free(&head);
    ag_buf_free(&body);
    ag_sign_key_free(a, key);
    return ok;
}

/* ---- Authgear's own endpoints ---- */

/* One member of a result, copied. */
static bool read_member(const ag_client *c, const ag_answer *ans, ag_view secret, const char *key, ag_str *out, ag_err *e)
{
    const ag_view withhold[] = { secret, { NULL, 0 } };
    const ag_json *result;
    ag_json *doc = ag_api_read(c, ans, withhold, &result, e);
    ag_view v;
    bool ok;
    if (doc == NULL)
        return false;
    if (!ag_json_string(result, key, &v) || !ag_http_is_credential(v)) {
        ok = ag_fail(e, AG_E_INVALID_RESPONSE, "the answer has no usable %s", key);
        e->status = ans->status;
    } else {
        ok = ag_str_set_view(&c->env.alloc, out, v) || ag_fail(e, AG_E_MEMORY, "no memory for an answer");
    }
    ag_json_free(doc);
    return ok;
}

/* The session's refresh token goes along, and the proof that it is bound to, if it is. */
static void prove_session(const ag_client *c, ag_view refresh_token, ag_request *out)
{
    if (refresh_token.p != NULL && c->session.record.dpop_jkt.p != NULL)
        ag_request_prove(out, ag_str_view(&c->session.record.dpop_jkt));
}

bool ag_challenge_request(const ag_client *c, ag_request *out, ag_err *e)
{
    ag_buf body;
    ag_buf_init(&body, &c->env.alloc, AG_BUF_NO_LIMIT);
    ag_buf_cstr(&body, "{\"purpose\":\"anonymous_request\"}");
    return ag_api_request(c, "/oauth2/challenge", &body, out, e);
}

bool ag_challenge_read(const ag_client *c, const ag_answer *ans, ag_str *challenge, ag_err *e)
{
    return read_member(c, ans, (ag_view){ NULL, 0 }, "token", challenge, e);
}

bool ag_anonymous_signup_request(const ag_client *c, ag_view refresh_token, ag_request *out, ag_err *e)
{
    ag_buf body;
    bool first = true;
    ag_buf_init(&body, &c->env.alloc, AG_BUF_NO_LIMIT);
    ag_buf_char(&body, '{');
    ag_json_write_field(&body, &first, "client_id", ag_str_view(&c->client_id));
    ag_json_write_field(&body, &first, "session_type", AG_LIT("refresh_token"));
    ag_json_write_field(&body, &first, "refresh_token", refresh_token);
    ag_buf_char(&body, '}');
    if (!ag_api_request(c, "/api/anonymous_user/signup", &body, out, e))
        return false;
    out->fresh = out->keep_going = true;        /* it makes a user: that must not happen twice, nor unseen */
    prove_session(c, refresh_token, out);
    return true;
}

bool ag_anonymous_signup_read(const ag_client *c, const ag_answer *ans, ag_view refresh_token, ag_token_answer *out, ag_err *e)
{
    const ag_view withhold[] = { refresh_token, { NULL, 0 } };
    const ag_json *result;
    ag_json *doc = ag_api_read(c, ans, withhold, &result, e);
    bool ok = doc != NULL && ag_token_read_json(c, ans, result, out, e);
    ag_json_free(doc);
    return ok;
}

bool ag_promotion_code_request(const ag_client *c, ag_view refresh_token, ag_request *out, ag_err *e)
{
    ag_buf body;
    bool first = true;
    ag_buf_init(&body, &c->env.alloc, AG_BUF_NO_LIMIT);
    ag_buf_char(&body, '{');
    ag_json_write_field(&body, &first, "session_type", AG_LIT("refresh_token"));
    ag_json_write_field(&body, &first, "refresh_token", refresh_token);
    ag_buf_char(&body, '}');
    if (!ag_api_request(c, "/api/anonymous_user/promotion_code", &body, out, e))
        return false;
    prove_session(c, refresh_token, out);
    return true;
}

bool ag_promotion_code_read(const ag_client *c, const ag_answer *ans, ag_view refresh_token, ag_str *code, ag_err *e)
{
    return read_member(c, ans, refresh_token, "promotion_code", code, e);
}

bool ag_anonymous_hint(const ag_alloc *a, const char *name, ag_view value, ag_str *hint)
{
    ag_buf b;
    ag_buf_init(&b, a, AG_BUF_NO_LIMIT);
    ag_buf_cstr(&b, "https://authgear.com/login_hint?type=anonymous&");
    ag_buf_cstr(&b, name);
    ag_buf_char(&b, '=');
    ag_percent_encode(&b, value);
    if (ag_buf_take(&b, hint))
        return true;
    ag_buf_free(&b);
    return false;
}
