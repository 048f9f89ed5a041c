/* buf: bytes that grow. After a failed allocation it is 'bad': every later
 * append does nothing, so a builder checks once, at the end.
 * Must never grow past its limit, and is wiped whenever it moves or dies. */
#ifndef AG_CORE_BUF_H
#define AG_CORE_BUF_H

#include "core/alloc.h"

typedef struct ag_buf {
    const ag_alloc *alloc;  /* borrowed; outlives the buf */
    char *p;                /* owned */
    size_t n, cap, limit;
    bool bad;               /* out of memory, or past the limit */
} ag_buf;

#define AG_BUF_NO_LIMIT ((size_t)-1 / 2)

void ag_buf_init(ag_buf *b, const ag_alloc *alloc, size_t limit);
void ag_buf_free(ag_buf *b);                     /* wipes */
/* Room for n more bytes at once, where the size is known beforehand. */
void ag_buf_reserve(ag_buf *b, size_t n);
void ag_buf_add(ag_buf *b, const char *p, size_t n);
void ag_buf_view(ag_buf *b, ag_view v);
void ag_buf_cstr(ag_buf *b, const char *s);
void ag_buf_char(ag_buf *b, char c);
void ag_buf_i64(ag_buf *b, long long v);         /* decimal */
/* Moves the bytes out as a string (NUL-terminated). False when bad; b is empty (and good) afterwards either way.
 * out must be initialised: what it held is freed, on success only. */
bool ag_buf_take(ag_buf *b, ag_str *out);

#endif
