/* login_kept: see login_kept.h. */
#include "core/login_kept.h"

#include <string.h>

#include "core/b64.h"
#include "core/crypto.h"
#include "core/crypto_seal.h"
#include "core/json.h"

#define AG_LOGIN_FORMAT 1
#define AG_LONGEST_AGE_S 1e12   /* of a user's proof; anything longer is the same */
#define SEAL_CONTEXT AG_LIT("authgear login")

/* What depends on the state, and on whose login it is. */
static bool digest(const ag_client *c, const char *label, ag_authz_kind kind, ag_view state, unsigned char out[32])
{
    const ag_view parts[] = { ag_view_of(label), ag_str_view(&c->endpoint), ag_str_view(&c->client_id), state };
    ag_buf b;
    size_t i;
    bool ok;
    ag_buf_init(&b, &c->env.alloc, AG_BUF_NO_LIMIT);
    ag_buf_i64(&b, (long long)kind);
    for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        ag_buf_char(&b, ' ');
        ag_buf_i64(&b, (long long)parts[i].n);
        ag_buf_char(&b, ' ');
        ag_buf_view(&b, parts[i]);
    }
    ok = !b.bad && ag_sha256(out, b.p, b.n);
    ag_buf_free(&b);
    return ok;
}

bool ag_login_name(const ag_client *c, ag_authz_kind kind, ag_view state, char out[AG_LOGIN_NAME_LEN + 1])
{
    unsigned char hash[32];
    if (!digest(c, "name", kind, state, hash))
        return false;
    ag_b64url_encode(out, hash, sizeof hash);
    out[AG_LOGIN_NAME_LEN] = '\0';
    return true;
}

static bool write_login(const ag_client *c, const ag_login *l, ag_str *out)
{
    const double max_age_s = l->max_age_s > AG_LONGEST_AGE_S ? AG_LONGEST_AGE_S : l->max_age_s;
    ag_buf b;
    bool first = true, ok;
    ag_buf_init(&b, &c->env.alloc, AG_BUF_NO_LIMIT);
    ag_buf_char(&b, '{');
    ag_json_write_int(&b, &first, "format", AG_LOGIN_FORMAT);
    ag_json_write_field(&b, &first, "boot_id", ag_view_of(c->env.boot_id));
    ag_json_write_int(&b, &first, "started_ms", l->started_ms);
    ag_json_write_int(&b, &first, "max_age_ms", (int64_t)(max_age_s * 1000));
    ag_json_write_field(&b, &first, "redirect_uri", ag_str_view(&l->redirect_uri));
    ag_json_write_field(&b, &first, "sub", ag_str_view(&l->sub));
    ag_json_write_field(&b, &first, "action", ag_str_view(&l->action));
    ag_json_write_field(&b, &first, "secret", ag_str_view(&l->secret));
    ag_json_write_field(&b, &first, "jkt", ag_view_of(l->jkt));
    ag_json_write_field(&b, &first, "verifier", ag_view_of(l->verifier));
    ag_json_write_field(&b, &first, "nonce", ag_view_of(l->nonce));
    ag_buf_char(&b, '}');
    ok = ag_buf_take(&b, out);
    ag_buf_free(&b);
    return ok;
}

bool ag_login_seal(const ag_client *c, const ag_login *l, ag_str *out, ag_err *e)
{
    const ag_env *env = &c->env;
    unsigned char key[AG_SEAL_KEY], random[AG_SEAL_RANDOM];
    ag_str plain = { NULL, 0 };
    bool ok = false;
    if (!env->random(env->random_ud, random, sizeof random))
        (void)ag_fail(e, AG_E_RANDOM, "the system gave no random bytes");
    else if (!write_login(c, l, &plain) || !digest(c, "key", l->kind, ag_view_of(l->state), key)
             || ag_seal(&env->alloc, key, SEAL_CONTEXT, random, ag_str_view(&plain), out) != AG_SEAL_GOOD)
        (void)ag_fail(e, AG_E_MEMORY, "no memory to keep a login");
    else
        ok = true;
    ag_wipe(key, sizeof key);
    ag_str_free(&env->alloc, &plain);
    return ok;
}

/* A text with room for itself and a zero in out. */
static bool read_text(const ag_json *doc, const char *key, char *out, size_t room)
{
    ag_view v;
    if (!ag_json_string(doc, key, &v) || v.n >= room)
        return false;
    memcpy(out, v.p, v.n);
    out[v.n] = '\0';
    return true;
}

static bool is_of_now(const ag_env *env, const ag_json *doc, int64_t started_ms)
{
    ag_view boot;
    int64_t format;
    return ag_json_int(doc, "format", &format) && format == AG_LOGIN_FORMAT
        && ag_json_string(doc, "boot_id", &boot) && ag_view_eq(boot, ag_view_of(env->boot_id))
        && started_ms <= env->boot_ms && env->boot_ms - started_ms < AG_LOGIN_LIFE_MS;
}

static bool set_text(const ag_alloc *a, const ag_json *doc, const char *key, ag_str *out)
{
    ag_view v;
    return !ag_json_string(doc, key, &v) || ag_str_set_view(a, out, v);
}

/* l is empty. */
static bool read_login(const ag_env *env, const ag_json *doc, ag_login *l, ag_err *e)
{
    const ag_alloc *a = &env->alloc;
    int64_t max_age_ms;
    if (!ag_json_int(doc, "started_ms", &l->started_ms) || !is_of_now(env, doc, l->started_ms)
            || !ag_json_int(doc, "max_age_ms", &max_age_ms) || !read_text(doc, "jkt", l->jkt, sizeof l->jkt)
            || !read_text(doc, "verifier", l->verifier, sizeof l->verifier)
            || !read_text(doc, "nonce", l->nonce, sizeof l->nonce))
        return ag_fail(e, AG_E_NO_LOGIN, "the login with the callback's state was begun too long ago");
    l->max_age_s = (double)max_age_ms / 1000;
    return (set_text(a, doc, "redirect_uri", &l->redirect_uri) && set_text(a, doc, "sub", &l->sub)
            && set_text(a, doc, "action", &l->action) && set_text(a, doc, "secret", &l->secret))
        || ag_fail(e, AG_E_MEMORY, "no memory for a login");
}

/* False: e. */
static bool open_seal(const ag_client *c, ag_authz_kind kind, ag_view state, ag_view sealed, ag_str *plain, ag_err *e)
{
    unsigned char key[AG_SEAL_KEY];
    ag_seal_result result = AG_SEAL_FAILED;
    if (digest(c, "key", kind, state, key))
        result = ag_unseal(&c->env.alloc, key, SEAL_CONTEXT, sealed, plain);
    ag_wipe(key, sizeof key);
    if (result == AG_SEAL_FAILED)
        return ag_fail(e, AG_E_MEMORY, "no memory for a login");
    return result == AG_SEAL_GOOD || ag_fail(e, AG_E_NO_LOGIN, "the login with the callback's state cannot be read");
}

ag_login *ag_login_unseal(const ag_client *c, ag_authz_kind kind, ag_view state, ag_view sealed, ag_err *e)
{
    const ag_alloc *a = &c->env.alloc;
    ag_str plain = { NULL, 0 };
    ag_json *doc = NULL;
    ag_login *l = NULL;
    bool ok = false;
    if (!open_seal(c, kind, state, sealed, &plain, e))
        return NULL;
    doc = ag_json_parse(plain.p, plain.n, e);
    l = ag_new0(a, sizeof *l);
    if (doc == NULL || l == NULL || state.n != AG_RANDOM_TEXT_LEN) {
        (void)ag_fail(e, AG_E_MEMORY, "no memory for a login");
        goto out;
    }
    l->kind = kind;
    memcpy(l->state, state.p, state.n);
    ok = read_login(&c->env, doc, l, e);
out:
    if (!ok && l != NULL) {
        ag_login_free(a, l);
        l = NULL;
    }
    ag_json_free(doc);
    ag_str_free(a, &plain);
    return l;
}
