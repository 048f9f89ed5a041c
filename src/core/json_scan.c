/* json_scan: see json_scan.h. A loop over what may come next, with the open
 * arrays and objects on a stack of its own. */
#include "core/json_scan.h"

#include <string.h>

#include "core/json_scan_parts.h"

enum next { VALUE, FIRST_VALUE, KEY, FIRST_KEY, AFTER };   /* FIRST_: or the end of what was just opened */

typedef struct scanner {
    const char *p;
    size_t n, at;
    const char *bad;    /* what is wrong, and it is at `at` */
    bool oom;
    enum next next;
    size_t depth;
    struct {
        bool object;
        size_t first_key;
    } open[AG_JSON_MAX_DEPTH];
    ag_scan_keys keys;
} scanner;

static void skip_space(scanner *s)
{
    while (s->at < s->n && (unsigned char)s->p[s->at] <= ' '
            && (s->p[s->at] == ' ' || s->p[s->at] == '\n' || s->p[s->at] == '\r' || s->p[s->at] == '\t'))
        s->at++;
}

static void scan_word(scanner *s, const char *word)
{
    size_t len = strlen(word);
    if (s->n - s->at < len || memcmp(s->p + s->at, word, len) != 0) {
        s->bad = "a word that is not true, false or null";
        return;
    }
    s->at += len;
    s->next = AFTER;
}

static void open_one(scanner *s, bool object)
{
    if (s->depth == AG_JSON_MAX_DEPTH) {
        s->bad = "it is nested too deep";
        return;
    }
    s->open[s->depth].object = object;
    s->open[s->depth].first_key = s->keys.n;
    s->depth++;
    s->at++;
    s->next = object ? FIRST_KEY : FIRST_VALUE;
}

static void close_one(scanner *s)
{
    size_t dup = 0;
    s->depth--;
    s->at++;
    s->next = AFTER;
    if (!s->open[s->depth].object)
        return;
    switch (ag_scan_keys_pop(&s->keys, s->p, s->open[s->depth].first_key, &dup)) {
    case AG_SCAN_NO_DUP:
        break;
    case AG_SCAN_DUP:
        s->bad = "a key stands there twice";
        s->at = dup;
        break;
    case AG_SCAN_DUP_MEMORY:
        s->oom = true;
        break;
    }
}

static void scan_value(scanner *s)
{
    char c = s->p[s->at];
    s->next = AFTER;
    switch (c) {
    case '{':
        open_one(s, true);
        break;
    case '[':
        open_one(s, false);
        break;
    case '"':
        s->bad = ag_scan_string(s->p, s->n, &s->at);
        break;
    case 't':
        scan_word(s, "true");
        break;
    case 'f':
        scan_word(s, "false");
        break;
    case 'n':
        scan_word(s, "null");
        break;
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            s->bad = ag_scan_number(s->p, s->n, &s->at);
        else if (s->at == 0 && s->n >= 3 && memcmp(s->p, "\xEF\xBB\xBF", 3) == 0)
            s->bad = "a byte order mark";
        else
            s->bad = "a value should stand here";
    }
}

/* A key and its colon. */
static void scan_key(scanner *s)
{
    size_t key = s->at + 1;
    if (s->p[s->at] != '"') {
        s->bad = "a key should stand here";
        return;
    }
    s->bad = ag_scan_string(s->p, s->n, &s->at);
    if (s->bad != NULL)
        return;
    if (!ag_scan_keys_push(&s->keys, key)) {
        s->oom = true;
        return;
    }
    skip_space(s);
    if (s->at == s->n || s->p[s->at] != ':') {
        s->bad = "a colon should stand here";
        return;
    }
    s->at++;
    s->next = VALUE;
}

/* What may come after a value: the end of the text is looked at by the caller. */
static void scan_after(scanner *s)
{
    bool object = s->depth > 0 && s->open[s->depth - 1].object;
    if (s->depth == 0) {
        s->bad = "something stands after the end";
    } else if (s->p[s->at] == (object ? '}' : ']')) {
        close_one(s);
    } else if (s->p[s->at] == ',') {
        s->at++;
        s->next = object ? KEY : VALUE;
    } else {
        s->bad = object ? "a comma or } should stand here" : "a comma or ] should stand here";
    }
}

static void scan_next(scanner *s)
{
    switch (s->next) {
    case FIRST_VALUE:
        if (s->p[s->at] == ']')
            close_one(s);
        else
            scan_value(s);
        break;
    case VALUE:
        scan_value(s);
        break;
    case FIRST_KEY:
        if (s->p[s->at] == '}')
            close_one(s);
        else
            scan_key(s);
        break;
    case KEY:
        scan_key(s);
        break;
    case AFTER:
        scan_after(s);
        break;
    }
}

bool ag_json_scan(const ag_alloc *alloc, const char *p, size_t n, ag_err *e)
{
    scanner s;
    s.p = p;
    s.n = n;
    s.at = s.depth = 0;
    s.bad = NULL;
    s.oom = false;
    s.next = VALUE;
    ag_scan_keys_init(&s.keys, alloc);
    for (;;) {
        skip_space(&s);
        if (s.at == s.n)
            break;
        scan_next(&s);
        if (s.bad != NULL || s.oom)
            break;
    }
    if (s.bad == NULL && !s.oom && (s.next != AFTER || s.depth > 0))
        s.bad = n == 0 ? "it is empty" : "it ends too early";
    ag_scan_keys_free(&s.keys);
    if (s.oom)
        return ag_fail(e, AG_E_MEMORY, "out of memory");
    if (s.bad != NULL)
        return ag_fail(e, AG_E_JSON, "not valid JSON at byte %lu: %s", (unsigned long)s.at + 1, s.bad);
    return true;
}
