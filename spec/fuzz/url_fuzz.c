/* url_fuzz: what parses can be put together again and stays what it was; what resolves is a URL without a fragment and with
 * no dot segments that the reference brought. The input is a base, a line feed, a reference. Run from the root:
 *   clang -std=c11 -DAG_TEST -g -O1 -Isrc -fsanitize=fuzzer,address,undefined spec/fuzz/url_fuzz.c \
 *     src/core/{url*,http*,form,utf8,buf,alloc,alloc_test,err}.c -lcrypto -o /tmp/url_fuzz && \
 *   nice /tmp/url_fuzz -max_total_time=180 -max_len=500
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/http.h"
#include "core/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

/* The origin that is written parses to the same origin. */
static void check_origin(const ag_url *u)
{
    ag_buf b;
    ag_url again;
    ag_err e;
    ag_buf_init(&b, &ag_alloc_default, AG_BUF_NO_LIMIT);
    ag_url_write_origin(&b, u);
    must(!b.bad && ag_url_parse((ag_view){ b.p, b.n }, &again, &e));
    must(ag_url_same_origin(u, &again) && ag_url_is_loopback(u) == ag_url_is_loopback(&again));
    must(ag_url_is_https(u) == ag_url_is_https(&again));
    ag_buf_free(&b);
}

static void check_resolve(const ag_url *base, ag_view ref)
{
    ag_str out = { NULL, 0 }, again = { NULL, 0 };
    ag_url u;
    ag_err e;
    if (ag_url_resolve(&ag_alloc_default, base, ref, &out, &e)) {
        must(ag_url_parse(ag_str_view(&out), &u, &e) && u.fragment.p == NULL);
        must(ag_url_resolve(&ag_alloc_default, base, ag_str_view(&out), &again, &e));
        if (ref.n > 0 && ref.p[0] != '?' && ref.p[0] != '#')
            must(ag_view_eq(ag_str_view(&out), ag_str_view(&again)));
    } else {
        must(e.code == AG_E_INVALID_URL);
    }
    ag_str_free(&ag_alloc_default, &out);
    ag_str_free(&ag_alloc_default, &again);
}

/* No way from https to http, and none to plain http that is not loopback. */
static void check_redirect(ag_view base, const ag_url *from, ag_view ref)
{
    ag_buf b;
    ag_http_hop hop;
    ag_url to;
    ag_err e;
    ag_buf_init(&b, &ag_alloc_default, AG_BUF_NO_LIMIT);
    ag_http_add_header(&b, "Location", ref);
    must(!b.bad);
    if (ag_http_redirect(&ag_alloc_default, base, AG_LIT("POST"), 302, (ag_view){ b.p, b.n }, false, &hop, &e)) {
        must(ag_url_parse(ag_str_view(&hop.url), &to, &e) && (ag_url_is_https(&to) || ag_url_is_loopback(&to)));
        must(ag_url_is_https(&to) || !ag_url_is_https(from));
        must(hop.same_origin == ag_url_same_origin(from, &to) && hop.to_get);
        ag_http_hop_free(&ag_alloc_default, &hop);
    } else {
        must(e.code == AG_E_REDIRECT && hop.url.p == NULL);
    }
    ag_buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    const char *lf = size == 0 ? NULL : memchr(p, '\n', size);
    ag_view base = { p, lf == NULL ? size : (size_t)(lf - p) };
    ag_view ref = { lf == NULL ? "" : lf + 1, lf == NULL ? 0 : size - base.n - 1 };
    ag_callback_url parts;
    ag_url u;
    ag_err e;
    (void)ag_http_retry_after((ag_view){ p, size }, 784111777000);
    ag_url_split_callback((ag_view){ p, size }, &parts);
    must(parts.base.n + parts.query.n + parts.fragment.n + (parts.query.p != NULL) + (parts.fragment.p != NULL) == size || size == 0);
    if (!ag_url_parse(base, &u, &e)) {
        must(e.code == AG_E_INVALID_URL && e.message[0] != '\0');
        return 0;
    }
    must(u.host.n > 0 && u.port >= 1 && u.port <= 65535 && (u.path.n == 0 || u.path.p[0] == '/'));
    must(u.fragment.p == NULL || u.fragment.p + u.fragment.n == base.p + base.n);
    check_origin(&u);
    check_resolve(&u, ref);
    check_redirect(base, &u, ref);
    return 0;
}
