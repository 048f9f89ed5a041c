/* transfer_buffer: bytes that grow. Must never leave a copy behind when asked to wipe. */
#ifndef AG_IO_TRANSFER_BUFFER_H
#define AG_IO_TRANSFER_BUFFER_H

#include "core/alloc.h"

/* Owned by whoever has it; {0} is empty. */
typedef struct ag_buffer {
    char *p;
    size_t n, cap;
} ag_buffer;

/* Room for at least `more` bytes after n. wipe: an outgrown block is wiped before it is freed. */
bool ag_buffer_reserve(const ag_alloc *a, ag_buffer *b, size_t more, bool wipe);
bool ag_buffer_add(const ag_alloc *a, ag_buffer *b, const char *p, size_t n, bool wipe);
/* Empties it; keeps at most `keep` bytes of room. */
void ag_buffer_clear(const ag_alloc *a, ag_buffer *b, size_t keep, bool wipe);
void ag_buffer_free(const ag_alloc *a, ag_buffer *b, bool wipe);
ag_view ag_buffer_view(const ag_buffer *b);

#endif
