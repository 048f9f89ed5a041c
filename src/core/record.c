/* record: writing and reading the stored record, and the age of its access token.
 * Must never guess: what cannot be read whole is an error, not an empty session. */
#include "core/record.h"

#include <string.h>

#include "core/http.h"
#include "core/json.h"

#define AG_RECORD_FORMAT "authgear-session"
#define AG_RECORD_LIMIT ((size_t)1 << 20)

typedef struct field {
    const char *key;
    size_t offset;
} field;

#define FIELD(name) { #name, offsetof(ag_record, name) }
static const field strings[] = {
    FIELD(refresh_token), FIELD(access_token), FIELD(id_token), FIELD(device_secret), FIELD(scope),
    FIELD(anonymous_key), FIELD(anonymous_key_id), FIELD(anonymous_sub), FIELD(token_type), FIELD(dpop_jkt), FIELD(dpop_key)
};
#define N_STRINGS (sizeof strings / sizeof strings[0])
#define N_TOKENS 4      /* the first ones, which end up in headers and forms */

static ag_str *string_at(ag_record *r, size_t i)
{
    return (ag_str *)(void *)((char *)r + strings[i].offset);
}

static const ag_str *const_string_at(const ag_record *r, size_t i)
{
    return (const ag_str *)(const void *)((const char *)r + strings[i].offset);
}

void ag_record_free(const ag_alloc *a, ag_record *r)
{
    size_t i;
    for (i = 0; i < N_STRINGS; i++)
        ag_str_free(a, string_at(r, i));
    memset(r, 0, sizeof *r);
}

void ag_record_move(const ag_alloc *a, ag_record *to, ag_record *from)
{
    if (to == from)
        return;
    ag_record_free(a, to);
    *to = *from;
    memset(from, 0, sizeof *from);
}

bool ag_record_copy(const ag_alloc *a, ag_record *to, const ag_record *from)
{
    ag_record copy = *from;
    size_t i;
    for (i = 0; i < N_STRINGS; i++) {
        string_at(&copy, i)->p = NULL;
        string_at(&copy, i)->n = 0;
    }
    for (i = 0; i < N_STRINGS; i++) {
        if (!ag_str_set_view(a, string_at(&copy, i), ag_str_view(const_string_at(from, i)))) {
            ag_record_free(a, &copy);
            return false;
        }
    }
    ag_record_move(a, to, &copy);
    return true;
}

bool ag_record_encode(const ag_env *env, const ag_record *r, const ag_record_owner *owner, ag_str *out, ag_err *e)
{
    ag_buf b;
    bool first = true;
    size_t i;
    ag_buf_init(&b, &env->alloc, AG_RECORD_LIMIT);
    ag_buf_char(&b, '{');
    ag_json_write_field(&b, &first, "format", AG_LIT(AG_RECORD_FORMAT));
    ag_json_write_int(&b, &first, "version", AG_RECORD_VERSION);
    ag_json_write_int(&b, &first, "generation", r->generation);
    ag_json_write_field(&b, &first, "endpoint", owner->endpoint);
    ag_json_write_field(&b, &first, "client_id", owner->client_id);
    ag_json_write_field(&b, &first, "purpose", owner->purpose);
    for (i = 0; i < N_STRINGS; i++)
        ag_json_write_field(&b, &first, strings[i].key, ag_str_view(const_string_at(r, i)));
    if (r->access_token.p != NULL) {
        ag_json_write_field(&b, &first, "boot_id", ag_view_of(r->boot_id));
        ag_json_write_int(&b, &first, "received_boot_ms", r->received_boot_ms);
        ag_json_write_int(&b, &first, "received_wall_ms", r->received_wall_ms);
        ag_json_write_int(&b, &first, "expires_in_ms", r->expires_in_ms);
        ag_json_write_int(&b, &first, "forced", r->forced);
    }
    ag_buf_cstr(&b, "}\n");
    if (!ag_buf_take(&b, out)) {
        ag_buf_free(&b);
        return ag_fail(e, AG_E_MEMORY, "no memory to write the session, or it is over 1 MiB");
    }
    return true;
}

static bool damaged(ag_err *e, const char *what)
{
    return ag_fail(e, AG_E_STORAGE_DAMAGED, "the stored session is damaged or not ours: %s", what);
}

static bool check_head(const ag_json *doc, const ag_record_owner *owner, ag_err *e)
{
    ag_view format, endpoint, client_id, purpose = { NULL, 0 };
    int64_t version;
    if (!ag_json_string(doc, "format", &format) || !ag_view_eq(format, AG_LIT(AG_RECORD_FORMAT)))
        return damaged(e, "no format mark");
    if (!ag_json_int(doc, "version", &version) || version < 1)
        return damaged(e, "no version");
    if (version > AG_RECORD_VERSION)
        return ag_fail(e, AG_E_STORAGE_VERSION,
                       "the stored session was written by a newer release (version %d, this one knows %d)",
                       version > 9999 ? 9999 : (int)version, AG_RECORD_VERSION);
    if (!ag_json_string(doc, "endpoint", &endpoint) || !ag_json_string(doc, "client_id", &client_id))
        return damaged(e, "no owner");
    if (ag_json_get(doc, "purpose") != NULL && !ag_json_string(doc, "purpose", &purpose))
        return damaged(e, "purpose");
    if (!ag_view_eq(endpoint, owner->endpoint) || !ag_view_eq(client_id, owner->client_id)
            || !ag_view_eq(purpose, owner->purpose))
        return ag_fail(e, AG_E_STORAGE_FOREIGN,
                       "the stored session is of another endpoint or client; give this client another name");
    return true;
}

static bool read_times(const ag_json *doc, ag_record *r, ag_err *e)
{
    ag_view boot;
    int64_t forced = 0;
    if (!ag_json_string(doc, "boot_id", &boot) || boot.n >= sizeof r->boot_id)
        return damaged(e, "boot_id");
    memcpy(r->boot_id, boot.p, boot.n);
    if (!ag_json_int(doc, "received_boot_ms", &r->received_boot_ms)
            || !ag_json_int(doc, "received_wall_ms", &r->received_wall_ms)
            || !ag_json_int(doc, "expires_in_ms", &r->expires_in_ms) || r->expires_in_ms < 0
            || !ag_json_int(doc, "forced", &forced))
        return damaged(e, "the access token's times");
    r->forced = forced != 0;
    return true;
}

static bool read_fields(const ag_alloc *a, const ag_json *doc, ag_record *r, ag_err *e)
{
    size_t i;
    if (!ag_json_int(doc, "generation", &r->generation) || r->generation < 0)
        return damaged(e, "generation");
    for (i = 0; i < N_STRINGS; i++) {
        ag_view v;
        if (ag_json_get(doc, strings[i].key) == NULL)
            continue;
        if (!ag_json_string(doc, strings[i].key, &v) || v.n == 0 || (i < N_TOKENS && !ag_http_is_credential(v)))
            return damaged(e, strings[i].key);
        if (string_at(r, i) == &r->token_type && !ag_view_eq(v, AG_LIT("DPoP")))
            return damaged(e, strings[i].key);
        if (!ag_str_set_view(a, string_at(r, i), v))
            return ag_fail(e, AG_E_MEMORY, "no memory to read the session");
    }
    return r->access_token.p == NULL || read_times(doc, r, e);
}

bool ag_record_decode(const ag_env *env, ag_view text, const ag_record_owner *owner, ag_record *out, ag_err *e)
{
    ag_record r;
    bool ok = false;
    ag_err why;
    ag_json *doc;
    memset(&r, 0, sizeof r);
    doc = ag_json_parse(text.p, text.n, &why);
    if (doc == NULL) {
        if (why.code == AG_E_MEMORY)
            *e = why;
        else
            (void)damaged(e, text.n == 0 ? "it is empty" : why.message);
        goto out;
    }
    if (!check_head(doc, owner, e) || !read_fields(&env->alloc, doc, &r, e))
        goto out;
    ag_record_move(&env->alloc, out, &r);
    ok = true;
out:
    ag_record_free(&env->alloc, &r);
    ag_json_free(doc);
    return ok;
}

void ag_record_stamp(const ag_env *env, ag_record *r, int64_t expires_in_ms)
{
    memcpy(r->boot_id, env->boot_id, sizeof r->boot_id);
    r->received_boot_ms = env->boot_ms;
    r->received_wall_ms = env->wall_ms;
    r->expires_in_ms = expires_in_ms;
}

bool ag_record_fresh(const ag_env *env, const ag_record *r)
{
    int64_t age;
    if (r->access_token.p == NULL)
        return false;
    if (r->boot_id[0] != '\0' && strcmp(r->boot_id, env->boot_id) == 0)
        age = env->boot_ms - r->received_boot_ms;
    else
        age = env->wall_ms - r->received_wall_ms;
    return age >= 0 && age < r->expires_in_ms / 10 * 9;
}

bool ag_record_has_keys(const ag_record *r)
{
    return r->anonymous_key.p != NULL || r->dpop_key.p != NULL;
}
