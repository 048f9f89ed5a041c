/* url_resolve: references against a base (RFC 3986 section 5.2, the strict way).
 * Must never let a reference name a scheme other than http or https. */
#include <string.h>

#include "core/url.h"

#define MAX_REF 65536

/* Where the last segment of p[from..n), with its slash, starts; from when there is none. */
static size_t last_slash(const char *p, size_t from, size_t n)
{
    while (n > from && p[n - 1] != '/')
        n--;
    return n > from ? n - 1 : from;
}

/* Section 5.2.4 for a path that starts with '/' (or is empty), in place: what is kept never
 * passes what is read. Returns the new length. Each byte is dropped at most once. */
static size_t remove_dots(char *p, size_t n)
{
    size_t in = 0, out = 0;
    while (in < n) {
        size_t end = in + 1, len;
        while (end < n && p[end] != '/')
            end++;
        len = end - in;     /* one segment with the slash before it */
        if (len == 2 && p[in + 1] == '.') {
            if (end == n)
                p[out++] = '/';
        } else if (len == 3 && p[in + 1] == '.' && p[in + 2] == '.') {
            out = last_slash(p, 0, out);
            if (end == n)
                p[out++] = '/';
        } else {
            memmove(p + out, p + in, len);
            out += len;
        }
        in = end;
    }
    return out;
}

/* Is there a scheme before the first '/', '?' or '#'? */
static bool has_scheme(ag_view ref)
{
    size_t i;
    for (i = 0; i < ref.n; i++) {
        if (ref.p[i] == ':')
            return true;
        if (ref.p[i] == '/' || ref.p[i] == '?' || ref.p[i] == '#')
            return false;
    }
    return false;
}

/* The base's path up to and with its last slash. */
static void write_dir(ag_buf *b, const ag_url *base)
{
    if (base->path.n == 0)
        ag_buf_char(b, '/');
    else
        ag_buf_add(b, base->path.p, last_slash(base->path.p, 0, base->path.n) + 1);
}

static void write_path_query(ag_buf *b, const ag_url *base, ag_view path, ag_view query)
{
    size_t start = b->n;
    if (path.n == 0)
        ag_buf_view(b, base->path);
    else {
        if (path.p[0] != '/')
            write_dir(b, base);
        ag_buf_view(b, path);
    }
    if (!b->bad && path.n > 0) {
        size_t was = b->n;
        b->n = start + remove_dots(b->p + start, was - start);
        ag_wipe(b->p + b->n, was - b->n);
    }
    if (path.n == 0 && query.p == NULL)
        query = base->query;
    if (query.p != NULL) {
        ag_buf_char(b, '?');
        ag_buf_view(b, query);
    }
}

/* A reference with a scheme or a host of its own: nothing but (for "//host") the scheme comes from base. */
static bool write_absolute(ag_buf *b, ag_view text, ag_err *e)
{
    ag_url u;
    ag_url none;
    if (!ag_url_parse(text, &u, e))
        return false;
    memset(&none, 0, sizeof none);
    ag_url_write_origin(b, &u);
    write_path_query(b, &none, u.path, u.query);
    return true;
}

static bool write_network(ag_buf *b, const ag_url *base, ag_view ref, ag_err *e)
{
    ag_buf whole;
    bool ok;
    ag_buf_init(&whole, b->alloc, AG_BUF_NO_LIMIT);
    ag_buf_cstr(&whole, ag_url_is_https(base) ? "https:" : "http:");
    ag_buf_view(&whole, ref);
    if (whole.bad)
        ok = ag_fail(e, AG_E_MEMORY, "out of memory");
    else
        ok = write_absolute(b, (ag_view){ whole.p, whole.n }, e);
    ag_buf_free(&whole);
    return ok;
}

static void write_relative(ag_buf *b, const ag_url *base, ag_view ref)
{
    ag_callback_url parts;
    ag_url_split_callback(ref, &parts);
    ag_url_write_origin(b, base);
    write_path_query(b, base, parts.base, parts.query);
}

bool ag_url_resolve(const ag_alloc *a, const ag_url *base, ag_view ref, ag_str *out, ag_err *e)
{
    ag_buf b;
    ag_url checked;
    const char *bad = ref.n > MAX_REF ? "it is longer than 65536 bytes" : ag_url_bad_char(ref);
    bool ok = false;
    if (bad != NULL)
        return ag_fail(e, AG_E_INVALID_URL, "the URL is refused: %s", bad);
    ag_buf_init(&b, a, AG_BUF_NO_LIMIT);
    if (has_scheme(ref)) {
        if (!write_absolute(&b, ref, e))
            goto out;
    } else if (ref.n >= 2 && memcmp(ref.p, "//", 2) == 0) {
        if (!write_network(&b, base, ref, e))
            goto out;
    } else {
        write_relative(&b, base, ref);
    }
    if (b.bad) {
        ag_fail(e, AG_E_MEMORY, "out of memory");
        goto out;
    }
    if (!ag_url_parse((ag_view){ b.p, b.n }, &checked, e))
        goto out;
    ok = ag_buf_take(&b, out) || ag_fail(e, AG_E_MEMORY, "out of memory");
out:
    ag_buf_free(&b);
    return ok;
}
