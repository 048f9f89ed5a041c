/* transfer_headers: the request's header block as the list libcurl wants.
 * Must never let a line through that could become two, or that says how long
 * the body is: framing is libcurl's. */
#include <string.h>

#include "io/transfer_private.h"

static bool is_token(char c)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(marks, c) != NULL);
}

/* One line without its end: where the name ends, and whether there is a value. */
static bool check_line(const char *p, size_t n, size_t *name_n, bool *empty)
{
    size_t i = 0;
    while (i < n && is_token(p[i]))
        i++;
    if (i == 0 || i == n || p[i] != ':')
        return false;
    *name_n = i;
    *empty = true;
    for (i++; i < n; i++) {
        if (p[i] == '\r' || p[i] == '\n' || p[i] == '\0')
            return false;
        if (p[i] != ' ' && p[i] != '\t')
            *empty = false;
    }
    return true;
}

static bool is_framing(ag_view name)
{
    return ag_view_eq_nocase(name, AG_LIT("Content-Length")) || ag_view_eq_nocase(name, AG_LIT("Transfer-Encoding")) ||
           ag_view_eq_nocase(name, AG_LIT("Expect"));
}

/* Lines at most: the block's, and three of ours. */
static bool room(ag_transfer *t, ag_view block)
{
    const ag_alloc *a = &t->pool->a;
    size_t lines = 3, bytes, i;
    struct curl_slist *nodes;
    for (i = 0; i < block.n; i++)
        lines += block.p[i] == '\n';
    if (lines > t->header_cap) {
        if (!ag_size_mul(lines, sizeof *nodes, &bytes))
            return false;
        nodes = ag_resize(a, t->header_nodes, bytes);
        if (nodes == NULL)
            return false;
        t->header_nodes = nodes;
        t->header_cap = lines;
    }
    return ag_buffer_reserve(a, &t->header_text, block.n + 1, true);
}

typedef struct builder {
    struct curl_slist *nodes;
    size_t n;
    bool has_type;
    bool *own_encoding;
} builder;

static void add(builder *b, char *line)
{
    if (b->n > 0)
        b->nodes[b->n - 1].next = &b->nodes[b->n];
    b->nodes[b->n].data = line;
    b->nodes[b->n].next = NULL;
    b->n++;
}

/* p is ours to write to: the line's end becomes a NUL. libcurl takes "Name:" for
 * 'leave out' and "Name;" for an empty value. */
static bool add_line(builder *b, char *p, size_t n)
{
    size_t name_n;
    bool empty;
    ag_view name;
    if (!check_line(p, n, &name_n, &empty))
        return false;
    name = (ag_view){ p, name_n };
    p[n] = '\0';
    if (is_framing(name))
        return true;
    if (ag_view_eq_nocase(name, AG_LIT("Content-Type")))
        b->has_type = true;
    else if (ag_view_eq_nocase(name, AG_LIT("Accept-Encoding")))
        *b->own_encoding = true;
    if (empty) {
        p[name_n] = ';';
        p[name_n + 1] = '\0';
    }
    add(b, p);
    return true;
}

bool ag_transfer_headers_build(ag_transfer *t, const ag_request *r, struct curl_slist **list, bool *own_encoding,
                               ag_err *e)
{
    static char no_expect[] = "Expect:", no_type[] = "Content-Type:", no_encoding[] = "Transfer-Encoding:";
    builder b = { .own_encoding = own_encoding };
    char *p, *end;
    *own_encoding = false;
    *list = NULL;
    if (r->headers.n > AG_TRANSFER_MAX_HEADERS)
        return ag_fail(e, AG_E_INVALID_ARGUMENT, "the request's headers are too large");
    if (!room(t, r->headers))
        return ag_fail(e, AG_E_MEMORY, "out of memory");
    (void)ag_buffer_add(&t->pool->a, &t->header_text, r->headers.p, r->headers.n, true);
    b.nodes = t->header_nodes;
    p = t->header_text.p;
    end = p + t->header_text.n;
    while (p < end) {
        char *nl = memchr(p, '\n', (size_t)(end - p));
        if (nl == NULL || nl == p || nl[-1] != '\r' || !add_line(&b, p, (size_t)(nl - 1 - p)))
            return ag_fail(e, AG_E_INVALID_ARGUMENT, "a request header is malformed");
        p = nl + 1;
    }
    if (r->body.p != NULL || r->has_source || (r->method.n > 0 && r->method.p[0] == 'P')) {
        add(&b, no_expect);
        if (!b.has_type)
            add(&b, no_type);
        if (r->has_source && r->source_length >= 0)
            add(&b, no_encoding);
    }
    if (b.n > 0)
        *list = b.nodes;
    return true;
}
