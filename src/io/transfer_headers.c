/* transfer_headers: the request's header block as the list libcurl wants.
 * Must never let a line through that could become two, or that says how long
 * the body is: framing is libcurl's. */
#include <string.h>

#include "io/transfer_private.h"

/* RFC 9110, 5.6.2: what a header name is made of. */
static const bool token[256] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1,
    ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1, ['~'] = 1,
    ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1,
    ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1,
    ['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1,
    ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1,
    ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1,
    ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1, ['t'] = 1,
    ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1,
};

/* One line without its end: where the name ends, and whether there is a value. */
static bool check_line(const char *p, size_t n, size_t *name_n, bool *empty)
{
    size_t i = 0;
    while (i < n && token[(unsigned char)p[i]])
        i++;
    if (i == 0 || i == n || p[i] != ':')
        return false;
    *name_n = i;
    for (i++; i < n && (p[i] == ' ' || p[i] == '\t'); i++)
        ;
    *empty = i == n;
    p += i;
    n -= i; /* no line feed: the line ends at the first */
    return memchr(p, '\r', n) == NULL && memchr(p, '\0', n) == NULL;
}

static bool is_framing(ag_view name)
{
    char c = (char)(name.p[0] | 0x20);
    if (c != 'c' && c != 't' && c != 'e')
        return false;
    return ag_view_eq_nocase(name, AG_LIT("Content-Length")) || ag_view_eq_nocase(name, AG_LIT("Transfer-Encoding")) ||
           ag_view_eq_nocase(name, AG_LIT("Expect"));
}

/* Lines at most: the block's, and three of ours. */
static bool room(ag_transfer *t, ag_view block)
{
    const ag_alloc *a = &t->pool->a;
    size_t lines = 3, bytes;
    const char *p = block.p, *end = block.n > 0 ? p + block.n : p;
    struct curl_slist *nodes;
    while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        p++;
        lines++;
    }
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

bool ag_transfer_headers_build(ag_transfer *t, const ag_transfer_request *r, struct curl_slist **list, bool *own_encoding,
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
