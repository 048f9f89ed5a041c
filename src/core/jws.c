/* jws: see jws.h. */
#include "core/jws.h"

#include <string.h>

#include "core/b64.h"
#include "core/json_scan.h"
#include "core/json_walk.h"
#include "core/jwt_check.h"

bool ag_jws_refuse(ag_err *e, const char *reason, const char *message)
{
    (void)ag_fail(e, AG_E_INVALID_TOKEN, "%s", message);
    e->reason = reason;
    return false;
}

/* Cuts at the dots; gives the number of parts, of which the first three are kept. */
static size_t split(ag_view token, ag_view parts[3])
{
    const char *p = token.p, *end = token.p + token.n, *dot;
    size_t n = 0;
    for (;;) {
        dot = memchr(p, '.', (size_t)(end - p));
        if (n < 3)
            parts[n] = (ag_view){ p, (size_t)((dot == NULL ? end : dot) - p) };
        n++;
        if (dot == NULL)
            return n;
        p = dot + 1;
    }
}

/* At most. */
static size_t decoded_size(ag_view part)
{
    return part.n / 4 * 3 + 3;
}

/* Decodes a part to *to, which moves behind it. */
static bool decode(ag_view part, char **to, ag_view *out)
{
    bool good = ag_b64url_decode(*to, &out->n, part.p, part.n);
    out->p = *to;
    *to += out->n;
    return good;
}

typedef struct header {
    ag_view raw_alg, raw_typ, raw_kid;      /* with their quotes; not there */
    bool types, crit, embedded, enc;        /* types: one of those above is no string */
} header;

static void note_member(header *h, ag_view key, ag_json_text value)
{
    ag_view *text = ag_json_text_is(key, AG_LIT("alg")) ? &h->raw_alg
                  : ag_json_text_is(key, AG_LIT("typ")) ? &h->raw_typ
                  : ag_json_text_is(key, AG_LIT("kid")) ? &h->raw_kid : NULL;
    if (text != NULL && value.kind == AG_JSON_STRING)
        *text = value.text;
    else if (text != NULL)
        h->types = true;
    else if (ag_json_text_is(key, AG_LIT("crit")))
        h->crit = true;
    else if (ag_json_text_is(key, AG_LIT("enc")))
        h->enc = true;
    else if (ag_json_text_is(key, AG_LIT("jwk")) || ag_json_text_is(key, AG_LIT("jku"))
             || ag_json_text_is(key, AG_LIT("x5u")) || ag_json_text_is(key, AG_LIT("x5c")))
        h->embedded = true;
}

static ag_view decode_text(ag_view quoted, char **room)
{
    ag_view v = { NULL, 0 };
    if (quoted.p == NULL)
        return v;
    v.p = *room;
    v.n = ag_json_text_decode(quoted, *room);
    *room += v.n + 1;
    return v;
}

/* A header that brings a key of its own is refused, not passed over: whoever signs for us publishes the keys,
 * so such a token is another kind of token (a DPoP proof, an anonymous user's request) or an attack. */
static bool read_header(const ag_alloc *a, ag_view text, char **room, ag_jws *out, ag_err *e)
{
    header h;
    ag_json_walk w;
    ag_json_text whole, value;
    ag_view key;
    if (!ag_json_scan(a, text.p, text.n, e))
        return e->code == AG_E_MEMORY ? false : ag_jws_refuse(e, "json", "the token's header is not JSON to the letter");
    whole = ag_json_walk_whole(text);
    if (whole.kind != AG_JSON_OBJECT)
        return ag_jws_refuse(e, "json", "the token's header is no JSON object");
    memset(&h, 0, sizeof h);
    w = ag_json_walk_into(whole);
    while (ag_json_walk_member(&w, &key, &value))
        note_member(&h, key, value);
    if (AG_BAD(HEADER_TYPES, h.types))
        return ag_jws_refuse(e, "header", "alg, typ or kid in the token's header is no string");
    if (AG_BAD(HEADER_ALG, h.raw_alg.p == NULL))
        return ag_jws_refuse(e, "header", "the token's header names no algorithm");
    if (AG_BAD(CRIT, h.crit))
        return ag_jws_refuse(e, "crit", "the token demands an extension (crit); none is known here");
    if (AG_BAD(EMBEDDED_KEY, h.embedded))
        return ag_jws_refuse(e, "embedded_key", "the token brings its own key (jwk, jku, x5u or x5c)");
    if (AG_BAD(ENC, h.enc))
        return ag_jws_refuse(e, "encrypted", "the token says that it is encrypted");
    out->alg = decode_text(h.raw_alg, room);
    out->typ = decode_text(h.raw_typ, room);
    out->kid = decode_text(h.raw_kid, room);
    if (AG_BAD(KID_SIZE, out->kid.n > AG_JWT_MAX_KID))
        return ag_jws_refuse(e, "header", "the token's key id is too long");
    return true;
}

static bool read_parts(const ag_alloc *a, const ag_view parts[3], ag_jws *out, ag_err *e)
{
    ag_view head;
    char *to;
    bool good;
    /* what the parts decode to, and once more room for the texts in the first two */
    out->mem_n = 2 * (decoded_size(parts[0]) + decoded_size(parts[1])) + decoded_size(parts[2]) + 2;
    out->mem = ag_resize(a, NULL, out->mem_n);
    if (out->mem == NULL)
        return ag_fail(e, AG_E_MEMORY, "no memory for a token");
    to = out->mem;
    good = decode(parts[0], &to, &head);
    good = decode(parts[1], &to, &out->payload) && good;
    good = decode(parts[2], &to, &out->signature) && good;
    if (AG_BAD(BASE64, !good))
        return ag_jws_refuse(e, "base64", "a part of the token is not base64url to the letter");
    if (!read_header(a, head, &to, out, e))
        return false;
    out->room = to;
    return true;
}

bool ag_jws_read(const ag_alloc *a, ag_view token, size_t max_bytes, ag_jws *out, ag_err *e)
{
    ag_view parts[3];
    size_t n;
    memset(out, 0, sizeof *out);
    if (AG_BAD(TOKEN_SIZE, token.n > max_bytes))
        return ag_jws_refuse(e, "size", "the token is too large");
    if (token.n == 0)
        return ag_jws_refuse(e, "parts", "the token is empty");
    n = split(token, parts);
    if (AG_BAD(JWE, n == 5))
        return ag_jws_refuse(e, "encrypted", "the token is encrypted (five parts)");
    if (AG_BAD(PARTS, n != 3) || n < 3)
        return ag_jws_refuse(e, "parts", "the token does not have three parts");
    out->signed_text = (ag_view){ token.p, parts[0].n + 1 + parts[1].n };
    if (read_parts(a, parts, out, e))
        return true;
    ag_jws_free(a, out);
    return false;
}

void ag_jws_free(const ag_alloc *a, ag_jws *jws)
{
    ag_free_wiped(a, jws->mem, jws->mem_n);
    memset(jws, 0, sizeof *jws);
}

bool ag_jws_sign(const ag_alloc *a, const ag_sign_key *key, ag_view head, ag_view body, ag_str *out, ag_err *e)
{
    const size_t dot = AG_B64URL_LEN(head.n), end = dot + 1 + AG_B64URL_LEN(body.n);
    const size_t n = end + 1 + AG_B64URL_LEN(AG_SIGNATURE);
    unsigned char signature[AG_SIGNATURE];
    ag_str text = { ag_new0(a, n + 1), n };
    if (text.p == NULL)
        return ag_fail(e, AG_E_MEMORY, "no memory to sign");
    ag_b64url_encode(text.p, head.p, head.n);
    text.p[dot] = '.';
    ag_b64url_encode(text.p + dot + 1, body.p, body.n);
    if (!ag_sign_es256(key, (ag_view){ text.p, end }, signature)) {
        ag_str_free(a, &text);
        return ag_fail(e, AG_E_MEMORY, "no memory to sign");
    }
    text.p[end] = '.';
    ag_b64url_encode(text.p + end + 1, signature, sizeof signature);
    ag_str_move(a, out, &text);
    return true;
}
