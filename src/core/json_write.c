/* json_write: appends JSON to a buf. Must never write a string that a strict reader would refuse as text. */
#include "core/json.h"
#include "core/utf8.h"

static void write_escape(ag_buf *b, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
    switch (c) {
    case '"':
    case '\\':
        text[1] = (char)c;
        break;
    case '\b':
        text[1] = 'b';
        break;
    case '\f':
        text[1] = 'f';
        break;
    case '\n':
        text[1] = 'n';
        break;
    case '\r':
        text[1] = 'r';
        break;
    case '\t':
        text[1] = 't';
        break;
    default:
        ag_buf_add(b, text, 6);
        return;
    }
    ag_buf_add(b, text, 2);
}

void ag_json_write_string(ag_buf *b, ag_view v)
{
    size_t i = 0, kept = 0;
    ag_buf_char(b, '"');
    while (v.p != NULL && i < v.n) {
        unsigned char c = (unsigned char)v.p[i];
        size_t step = ag_utf8_step(v.p + i, v.n - i);
        if (step == 0) {
            b->bad = true;
            return;
        }
        if (c < 0x20 || c == '"' || c == '\\') {
            ag_buf_add(b, v.p + kept, i - kept);
            write_escape(b, c);
            kept = i + 1;
        }
        i += step;
    }
    ag_buf_add(b, v.p == NULL ? NULL : v.p + kept, i - kept);
    ag_buf_char(b, '"');
}

static void write_key(ag_buf *b, bool *first, const char *key)
{
    if (!*first)
        ag_buf_char(b, ',');
    *first = false;
    ag_json_write_string(b, ag_view_of(key));
    ag_buf_char(b, ':');
}

void ag_json_write_field(ag_buf *b, bool *first, const char *key, ag_view v)
{
    if (v.p == NULL)
        return;
    write_key(b, first, key);
    ag_json_write_string(b, v);
}

void ag_json_write_int(ag_buf *b, bool *first, const char *key, int64_t v)
{
    write_key(b, first, key);
    ag_buf_i64(b, v);
}
