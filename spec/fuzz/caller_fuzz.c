/* caller_fuzz: what an incoming request shows (its Authorization header, its cookies), which of its headers pose as ours, and what a
 * resolver answers, from any bytes.
 * Whatever is let in is looked at again by a slower reader that knows nothing of the first one. Run from the root:
 *   clang -std=c11 -DAG_TEST -g -O1 -Isrc -fsanitize=fuzzer,address,undefined spec/fuzz/caller_fuzz.c \
 *     src/core/{bearer,incoming,siphash,resolver,request,http*,url*,form,utf8,withhold,json*,b64,jws,jwt*,jwk*,crypto*,buf,alloc,alloc_test,err}.c \
 *     -lcrypto -lcjson -lm -o /tmp/caller_fuzz && \
 *   tar -C /tmp -xzf spec/fuzz/corpus/caller.tar.gz && nice /tmp/caller_fuzz -max_total_time=180 -dict=spec/fuzz/caller.dict /tmp/caller
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/bearer.h"
#include "core/incoming.h"
#include "core/resolver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* ---- Authorization ---- */

static void check_bearer(ag_view header)
{
    ag_view token;
    size_t i, spaces = 0, body = 0;
    if (ag_bearer_read(header, &token) != AG_SHOWN_GOOD)
        return;
    must(token.n > 0 && token.n <= AG_BEARER_MAX && token.p + token.n == header.p + header.n);
    must(header.n > 7 && strncasecmp(header.p, "Bearer ", 7) == 0);
    for (i = 6; header.p + i < token.p; i++, spaces++)
        must(header.p[i] == ' ');
    for (i = 0; i < token.n && token.p[i] != '='; i++, body++)
        must(is_one_of(token.p[i], ALNUM "-._~+/"));
    for (; i < token.n; i++)
        must(token.p[i] == '=');
    must(spaces > 0 && body > 0);
}

/* ---- Cookie ---- */

static void check_cookies(ag_view header)
{
    const ag_view name = AG_LIT("session");
    ag_view value, found = { NULL, 0 };
    ag_shown what = ag_cookie_read(header, name, &value);
    size_t at, end, times = 0, i;
    for (at = 0; at <= header.n; at = end + 1) {
        const char *semicolon = header.n > at ? memchr(header.p + at, ';', header.n - at) : NULL;
        end = semicolon == NULL ? header.n : (size_t)(semicolon - header.p);
        while (at < end && header.p[at] == ' ')
            at++;
        if (end - at >= 8 && memcmp(header.p + at, "session=", 8) == 0) {
            times++;
            found = (ag_view){ header.p + at + 8, end - at - 8 };
        }
    }
    must((what == AG_SHOWN_NONE) == (times == 0));
    if (what != AG_SHOWN_GOOD)
        return;
    must(times == 1 && value.p == found.p && value.n == found.n && value.n > 0);
    for (i = 0; i < value.n; i++)
        must(value.p[i] > ' ' && value.p[i] != 0x7F && !is_one_of(value.p[i], "\",;\\"));
}

/* ---- the resolver's answer ---- */

/* How many lines of the block have this name, and the last one's value. */
static size_t count(ag_view block, const char *name, ag_view *value)
{
    size_t n = strlen(name), at, end, times = 0;
    for (at = 0; at < block.n; at = end + 1) {
        const char *feed = memchr(block.p + at, '\n', block.n - at);
        end = feed == NULL ? block.n : (size_t)(feed - block.p);
        if (end - at > n && block.p[at + n] == ':' && strncasecmp(block.p + at, name, n) == 0) {
            *value = (ag_view){ block.p + at + n + 1, end - at - n - 1 };
            times++;
        }
    }
    while (times > 0 && value->n > 0 && is_one_of(value->p[0], " \t"))
        value->p++, value->n--;
    while (times > 0 && value->n > 0 && is_one_of(value->p[value->n - 1], " \t\r"))
        value->n--;
    return times;
}

static void check_texts(const ag_texts *list)
{
    const char *p = list->p;
    size_t i;
    for (i = 0; i < list->n; i++) {
        must(*p != '\0');
        for (; *p != '\0'; p++)
            must(*p > ' ' && *p < 0x7F);
        p++;
    }
}

static void check_resolved(ag_view block, const ag_jwt_claims *c)
{
    ag_view value = { NULL, 0 };
    size_t i;
    must(count(block, "X-Authgear-Session-Valid", &value) == 1 && value.n == 4 && memcmp(value.p, "true", 4) == 0);
    must(count(block, "X-Authgear-User-Id", &value) == 1 && value.n == c->sub.n && memcmp(value.p, c->sub.p, value.n) == 0);
    must(c->sub.n > 0 && c->sub.n <= 255);
    for (i = 0; i < c->sub.n; i++)
        must(c->sub.p[i] > ' ' && c->sub.p[i] < 0x7F);
    must(count(block, "X-Authgear-User-Roles", &value) <= 1 && count(block, "X-Authgear-Session-Amr", &value) <= 1);
    check_texts(&c->roles);
    check_texts(&c->amr);
    must((count(block, "X-Authgear-User-Anonymous", &value) == 0) == (c->is_anonymous == AG_FLAG_ABSENT));
    if (c->is_anonymous != AG_FLAG_ABSENT)
        must(value.n == (c->is_anonymous == AG_FLAG_TRUE ? 4 : 5));
    must((count(block, "X-Authgear-User-Verified", &value) == 0) == (c->is_verified == AG_FLAG_ABSENT));
    if (c->is_verified != AG_FLAG_ABSENT)
        must(value.n == (c->is_verified == AG_FLAG_TRUE ? 4 : 5));
    must((count(block, "X-Authgear-Session-Authenticated-At", &value) == 0) == (c->auth_time == AG_TIME_ABSENT));
    must(c->auth_time == AG_TIME_ABSENT || (c->auth_time >= 0 && c->auth_time < 1e11));
}

static void check_resolver(ag_view block)
{
    ag_resolved r, again;
    ag_err e;
    ag_buf copy;
    if (!ag_resolver_read(&ag_alloc_default, block, &r, &e)) {
        must(e.code == AG_E_INVALID_TOKEN || e.code == AG_E_INVALID_RESPONSE);
        must(r.mem.p == NULL);
        return;
    }
    check_resolved(block, &r.claims);
    ag_buf_init(&copy, &ag_alloc_default, AG_BUF_NO_LIMIT);
    ag_resolver_copy(&copy, block);
    must(!copy.bad && ag_resolver_read(&ag_alloc_default, (ag_view){ copy.p, copy.n }, &again, &e));
    must(ag_view_eq(r.claims.sub, again.claims.sub) && r.claims.roles.n == again.claims.roles.n
         && r.claims.amr.n == again.claims.amr.n && r.claims.auth_time == again.claims.auth_time
         && r.mem.n == again.mem.n && memcmp(r.mem.p, again.mem.p, r.mem.n) == 0);
    ag_resolved_free(&ag_alloc_default, &again);
    ag_resolved_free(&ag_alloc_default, &r);
    ag_buf_free(&copy);
}

/* ---- names that pose as ours ---- */

static bool poses(const char *p, size_t n)
{
    char letters[16];
    size_t i, at = 0;
    for (i = 0; i < n && at < 9; i++)
        if (is_one_of(p[i], ALNUM))
            letters[at++] = p[i];
    return at == 9 && strncasecmp(letters, "xauthgear", 9) == 0;
}

/* Lines of names and values, as a server would have them. */
static void check_incoming(const char *p, size_t n)
{
    static const unsigned char key[16] = { 1 };
    ag_incoming_header headers[32];
    ag_incoming found;
    int count = 0, ours = 0, authorizations = 0;
    size_t at, end;
    for (at = 0; at < n && count < 32; at = end + 1) {
        const char *feed = memchr(p + at, '\n', n - at), *colon;
        end = feed == NULL ? n : (size_t)(feed - p);
        colon = memchr(p + at, ':', end - at);
        if (colon == NULL)
            continue;
        headers[count].name = p + at;
        headers[count].name_n = (int)(colon - p - (ptrdiff_t)at);
        headers[count].value = colon + 1;
        headers[count].value_n = (int)(p + end - colon - 1);
        ours += poses(headers[count].name, (size_t)headers[count].name_n);
        authorizations += headers[count].name_n == 13 && strncasecmp(headers[count].name, "Authorization", 13) == 0;
        count++;
    }
    ag_incoming_read(headers, count, key, &found);
    must(found.ours == ours && found.authorizations == authorizations && (found.at >= 0) == (authorizations > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *exact;
    size_t n = size > 0 ? size - 1 : 0;
    if (size == 0)
        return 0;
    exact = malloc(n == 0 ? 1 : n);
    must(exact != NULL);
    memcpy(exact, data + 1, n);
    switch (data[0] % 4) {
    case 0:
        check_bearer((ag_view){ exact, n });
        break;
    case 1:
        check_cookies((ag_view){ exact, n });
        break;
    case 2:
        check_resolver((ag_view){ exact, n });
        break;
    default:
        check_incoming(exact, n);
    }
    free(exact);
    return 0;
}
