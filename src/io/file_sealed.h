/* file_sealed: a file store whose records are sealed with a key (core/crypto_seal.h), bound to the client's name, so
 * that one client's file is nothing in another's place. A plain record that is there already is read, and sealed by
 * the next write. Must never replace what another key has sealed, nor give out what it cannot open. */
#ifndef AG_IO_FILE_SEALED_H
#define AG_IO_FILE_SEALED_H

#include "core/crypto_seal.h"
#include "io/file_store.h"

typedef struct ag_file_seal {
    bool wanted;    /* records are sealed; false: a plain store, which only knows a sealed record when it sees one */
    bool has_key;
    unsigned char key[AG_SEAL_KEY];     /* wiped by whoever has this */
} ag_file_seal;

/* As ag_file_store_get and _set. storage_key: it is sealed with another key, or there is no key to open it with. */
bool ag_file_sealed_get(ag_file_store *s, const ag_file_seal *seal, ag_str *out, ag_err *e);
bool ag_file_sealed_set(ag_file_store *s, const ag_file_seal *seal, ag_view bytes, ag_err *e);

#endif
