/* json_scan_keys: finds a key that stands in an object twice, however it is
 * written. By sorting what the keys mean: no hashes, so no text makes it wrong
 * or slow. A merge's comparison costs no more than the length of the key that it
 * puts in place, so all of it costs the keys' length times the logarithm of their number. */
#include <stdint.h>
#include <string.h>

#include "core/json_scan.h"
#include "core/json_scan_parts.h"

void ag_scan_keys_init(ag_scan_keys *k, const ag_alloc *alloc)
{
    k->alloc = alloc;
    k->at = k->few;
    k->n = 0;
    k->cap = sizeof k->few / sizeof k->few[0];
}

void ag_scan_keys_free(ag_scan_keys *k)
{
    if (k->at != k->few)
        ag_free(k->alloc, k->at);
    k->at = k->few;
    k->n = 0;
}

static bool reserve(ag_scan_keys *k, size_t need)
{
    size_t cap = k->cap, size;
    size_t *moved;
    if (need <= cap)
        return true;
    if (!ag_size_mul(cap, 2, &cap))
        return false;
    if (cap < need)
        cap = need;
    if (!ag_size_mul(cap, sizeof *k->at, &size))
        return false;
    moved = ag_resize(k->alloc, k->at == k->few ? NULL : k->at, size);
    if (moved == NULL)
        return false;
    if (k->at == k->few)
        memcpy(moved, k->few, k->n * sizeof *moved);
    k->at = moved;
    k->cap = cap;
    return true;
}

bool ag_scan_keys_push(ag_scan_keys *k, size_t at)
{
    if (!reserve(k, k->n + 1))
        return false;
    k->at[k->n++] = at;
    return true;
}

static uint32_t hex4(const char *p)
{
    uint32_t value = 0;
    int i;
    for (i = 0; i < 4; i++)
        value = value << 4 | (uint32_t)(p[i] <= '9' ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
    return value;
}

uint32_t ag_json_escaped(const char **p)
{
    static const char names[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    char c = (*p)[1];
    uint32_t high, low;
    *p += 2;
    if (c != 'u')
        return (unsigned char)meant[strchr(names, c) - names];
    high = hex4(*p);
    *p += 4;
    if (high < 0xD800 || high > 0xDFFF)
        return high;
    low = hex4(*p + 2);
    *p += 6;
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

/* The next character of a (checked) key, moving *p on; 0 at its end, since no key holds one. */
static uint32_t next_char(const char **p)
{
    const unsigned char *s = (const unsigned char *)*p;
    if (s[0] == '"')
        return 0;
    if (s[0] == '\\')
        return ag_json_escaped(p);
    if (s[0] < 0x80) {
        *p += 1;
        return s[0];
    }
    if (s[0] < 0xE0) {
        *p += 2;
        return (s[0] & 0x1FU) << 6 | (s[1] & 0x3FU);
    }
    if (s[0] < 0xF0) {
        *p += 3;
        return (s[0] & 0x0FU) << 12 | (s[1] & 0x3FU) << 6 | (s[2] & 0x3FU);
    }
    *p += 4;
    return (s[0] & 0x07U) << 18 | (s[1] & 0x3FU) << 12 | (s[2] & 0x3FU) << 6 | (s[3] & 0x3FU);
}

/* -1, 0 or 1, by code points. */
static int compare(const char *a, const char *b)
{
    uint32_t x, y;
    while (*a == *b && *a != '"' && *a != '\\' && (unsigned char)*a < 0x80) {     /* what keys mostly have in common */
        a++;
        b++;
    }
    do {
        x = next_char(&a);
        y = next_char(&b);
    } while (x == y && x != 0);
    return x < y ? -1 : x > y;
}

/* Merges two sorted neighbours, from[0..left) and from[left..all). False: two are the same. Neighbours in the sorted
 * order have always been compared with each other, so none that is the same gets by. */
static bool merge(const char *text, const size_t *from, size_t left, size_t all, size_t *to, size_t *dup)
{
    size_t i = 0, j = left, at = 0;
    while (i < left && j < all) {
        int order = compare(text + from[i], text + from[j]);
        if (order == 0) {
            *dup = from[i] > from[j] ? from[i] : from[j];
            return false;
        }
        to[at++] = order < 0 ? from[i++] : from[j++];
    }
    if (i < left)
        memcpy(to + at, from + i, (left - i) * sizeof *to);
    else
        memcpy(to + at, from + j, (all - j) * sizeof *to);
    return true;
}

/* Each less than the next: as programs often write them, so no two are the same and there is nothing to sort. */
static bool is_ascending(const char *text, const size_t *keys, size_t count)
{
    size_t i;
    for (i = 1; i < count; i++)
        if (compare(text + keys[i - 1], text + keys[i]) >= 0)
            return false;
    return true;
}

ag_scan_dup ag_scan_keys_pop(ag_scan_keys *k, const char *text, size_t first, size_t *dup)
{
    size_t count = k->n - first, width, i;
    size_t *from, *to;
    if (is_ascending(text, k->at + first, count)) {
        k->n = first;
        return AG_SCAN_NO_DUP;
    }
    if (!reserve(k, k->n + count))
        return AG_SCAN_DUP_MEMORY;
    from = k->at + first;
    to = k->at + k->n;
    k->n = first;
    for (width = 1; width < count; width *= 2) {
        size_t *swap = from;
        for (i = 0; i < count; i += 2 * width) {
            size_t all = count - i < 2 * width ? count - i : 2 * width;
            size_t left = all < width ? all : width;
            if (!merge(text, from + i, left, all, to + i, dup))
                return AG_SCAN_DUP;
        }
        from = to;
        to = swap;
    }
    return AG_SCAN_NO_DUP;
}
