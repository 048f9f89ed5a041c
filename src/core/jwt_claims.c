/* jwt_claims: the claims that matter, out of the payload's JSON, each of its type. Must never read a payload
 * whose signature was not checked. */
#include <string.h>

#include "core/json_scan.h"
#include "core/json_walk.h"
#include "core/jwt.h"
#include "core/jwt_check.h"

#define LATEST 253402300799.0       /* the end of the year 9999; what is more was meant in milliseconds, or as an attack */
#define USER "https://authgear.com/claims/user/"

/* BINDING: the token is good for those only who show that they have a key (RFC 7800, RFC 9449), which nothing here sees. */
typedef enum kind { TEXT, TEXTS, TEXT_OR_TEXTS, TIME, FLAG, BINDING } kind;

static const struct claim {
    const char *name;
    size_t name_n, at;
    kind kind;
    const char *reason;
} known[] = {
#define CLAIM(name, field, kind, reason) { name, sizeof name - 1, offsetof(ag_jwt_claims, field), kind, reason }
    CLAIM("iss", iss, TEXT, "iss"),
    CLAIM("sub", sub, TEXT, "sub"),
    CLAIM("aud", aud, TEXT_OR_TEXTS, "aud"),
    CLAIM("exp", exp, TIME, "exp"),
    CLAIM("nbf", nbf, TIME, "nbf"),
    CLAIM("iat", iat, TIME, "iat"),
    CLAIM("jti", jti, TEXT, "claims"),
    CLAIM("client_id", client_id, TEXT, "claims"),
    CLAIM("scope", scope, TEXT, "claims"),
    CLAIM("amr", amr, TEXTS, "claims"),
    CLAIM("auth_time", auth_time, TIME, "claims"),
    CLAIM(USER "is_anonymous", is_anonymous, FLAG, "claims"),
    CLAIM(USER "is_verified", is_verified, FLAG, "claims"),
    CLAIM(USER "can_reauthenticate", can_reauthenticate, FLAG, "claims"),
    CLAIM(USER "roles", roles, TEXTS, "claims"),
    { "cnf", sizeof "cnf" - 1, 0, BINDING, "bound" },
#undef CLAIM
};

typedef struct reader {
    char *room;
    ag_jwt_claims *out;
    ag_err *e;
} reader;

/* Of a text and how it was written: where the scanner has passed a text that escapes nothing, only DEL is left. */
static bool has_control(ag_view v, ag_view quoted)
{
    size_t i;
    if (memchr(quoted.p, '\\', quoted.n) == NULL)
        return memchr(v.p, 0x7F, v.n) != NULL;
    for (i = 0; i < v.n; i++)
        if ((unsigned char)v.p[i] < 0x20 || v.p[i] == 0x7F)
            return true;
    return false;
}

/* Texts end up in headers and logs, so they hold no control characters. */
static bool take_text(reader *r, ag_json_text value, ag_view *out)
{
    if (value.kind != AG_JSON_STRING)
        return false;
    out->p = r->room;
    out->n = ag_json_text_decode(value.text, r->room);
    r->room += out->n + 1;
    return !AG_BAD(CLAIM_CONTROL, has_control(*out, value.text));
}

static bool take_texts(reader *r, ag_json_text value, bool or_one, ag_texts *out)
{
    ag_json_walk w;
    ag_json_text item;
    ag_view text;
    out->p = r->room;
    out->there = true;
    if (or_one && value.kind == AG_JSON_STRING) {
        out->n = 1;
        return take_text(r, value, &text);
    }
    if (value.kind != AG_JSON_ARRAY)
        return false;
    w = ag_json_walk_into(value);
    for (; ag_json_walk_element(&w, &item); out->n++)
        if (!take_text(r, item, &text))
            return false;
    return true;
}

static bool take_time(ag_json_text value, double *out)
{
    if (value.kind != AG_JSON_NUMBER)
        return false;
    *out = ag_json_text_number(value.text);
    return !AG_BAD(TIME_SANE, !(*out >= 0 && *out <= LATEST));
}

static bool take_flag(ag_json_text value, ag_flag *out)
{
    *out = value.kind == AG_JSON_TRUE ? AG_FLAG_TRUE : AG_FLAG_FALSE;
    return value.kind == AG_JSON_TRUE || value.kind == AG_JSON_FALSE;
}

static bool take(reader *r, const struct claim *c, ag_json_text value)
{
    void *field = (char *)r->out + c->at;
    switch (c->kind) {
    case TEXT:
        return take_text(r, value, field);
    case TEXTS:
    case TEXT_OR_TEXTS:
        return take_texts(r, value, c->kind == TEXT_OR_TEXTS, field);
    case TIME:
        return take_time(value, field);
    case FLAG:
        return take_flag(value, field);
    case BINDING:
        return true;
    }
    return false;
}

static bool read_member(reader *r, ag_view key, ag_json_text value)
{
    size_t i;
    bool good, plain = memchr(key.p, '\\', key.n) == NULL;
    for (i = 0; i < sizeof known / sizeof known[0]; i++) {
        const struct claim *c = &known[i];
        if (plain ? key.n != c->name_n + 2 || memcmp(key.p + 1, c->name, c->name_n) != 0
                  : !ag_json_text_is(key, (ag_view){ c->name, c->name_n }))
            continue;
        if (AG_BAD(BOUND, c->kind == BINDING))
            return ag_jws_refuse(r->e, c->reason, "the token is bound to a key, and nothing shows that its sender has that key");
        good = take(r, c, value);
        if (AG_BAD(CLAIM_TYPES, !good))
            return ag_jws_refuse(r->e, c->reason, "a claim of the token is not of its type, or out of range");
        break;
    }
    return true;
}

bool ag_jwt_read_claims(const ag_alloc *a, ag_jws *jws, ag_jwt_claims *out, ag_err *e)
{
    reader r = { jws->room, out, e };
    ag_json_text whole, value;
    ag_json_walk w;
    ag_view key;
    memset(out, 0, sizeof *out);
    out->payload = jws->payload;
    out->exp = out->nbf = out->iat = out->auth_time = AG_TIME_ABSENT;
    if (!ag_json_scan(a, jws->payload.p, jws->payload.n, e))
        return e->code == AG_E_MEMORY ? false : ag_jws_refuse(e, "json", "the token's claims are not JSON to the letter");
    whole = ag_json_walk_whole(jws->payload);
    if (whole.kind != AG_JSON_OBJECT)
        return ag_jws_refuse(e, "json", "the token's claims are no JSON object");
    w = ag_json_walk_into(whole);
    while (ag_json_walk_member(&w, &key, &value))
        if (!read_member(&r, key, value))
            return false;
    return true;
}

bool ag_texts_have(const ag_texts *list, ag_view text)
{
    const char *p = list->p;
    size_t i;
    for (i = 0; i < list->n; i++) {
        size_t n = strlen(p);
        if (ag_view_eq((ag_view){ p, n }, text))
            return true;
        p += n + 1;
    }
    return false;
}
