/* file_sealed: see the header. */
#include "io/file_sealed.h"

#include <errno.h>
#include <string.h>

#include "io/file_check.h"

/* What a seal is made for: this file format and this client. */
static ag_view context_of(const ag_file_store *s, char out[AG_FILE_NAME_BUF + 16])
{
    static const char what[] = "authgear record ";
    size_t n = strlen(s->name);
    memcpy(out, what, sizeof what - 1);
    memcpy(out + sizeof what - 1, s->name, n);
    return (ag_view){ out, sizeof what - 1 + n };
}

/* What a seal that does not open means. Always false, but for a good one and for none. */
static bool judge(ag_seal_result result, bool has_key, ag_err *e)
{
    switch (result) {
    case AG_SEAL_GOOD:
    case AG_SEAL_NONE:
        return true;
    case AG_SEAL_NEWER:
        return ag_fail(e, AG_E_STORAGE_VERSION, "the stored session was encrypted by a newer release");
    case AG_SEAL_OTHER_KEY:
        return ag_fail(e, AG_E_STORAGE_KEY, has_key ? "the stored session is encrypted with another key"
                                                    : "the stored session is encrypted, and no key was given");
    case AG_SEAL_DAMAGED:
        return ag_fail(e, AG_E_STORAGE_DAMAGED, "the encrypted session is damaged, or another client's");
    default:
        return ag_fail(e, AG_E_MEMORY, "out of memory");
    }
}

static bool open_seal(ag_file_store *s, const ag_file_seal *seal, ag_str *bytes, ag_err *e)
{
    char text[AG_FILE_NAME_BUF + 16];
    ag_str plain = { NULL, 0 };
    ag_seal_result result = ag_seal_look(NULL, ag_str_view(bytes));
    if (result == AG_SEAL_GOOD)
        result = seal->has_key ? ag_unseal(s->alloc, seal->key, context_of(s, text), ag_str_view(bytes), &plain)
                               : AG_SEAL_OTHER_KEY;
    if (!judge(result, seal->has_key, e))
        return false;
    if (result == AG_SEAL_GOOD)
        ag_str_move(s->alloc, bytes, &plain);
    return true;
}

bool ag_file_sealed_get(ag_file_store *s, const ag_file_seal *seal, ag_str *out, ag_err *e)
{
    if (!ag_file_store_get(s, out, e))
        return false;
    if (out->p == NULL || open_seal(s, seal, out, e))
        return true;
    ag_str_free(s->alloc, out);
    s->seen = AG_FILE_UNSEEN;
    return false;
}

/* May what is there be replaced? Whatever is no record of another key's or of a newer release may: as in a plain store. */
static bool may_replace(ag_file_store *s, const ag_file_seal *seal, ag_err *e)
{
    ag_str old;
    bool ok;
    if (!ag_file_store_get(s, &old, e))
        return e->code == AG_E_STORAGE_DAMAGED;
    ok = old.p == NULL || judge(ag_seal_look(seal->key, ag_str_view(&old)), true, e) || e->code == AG_E_STORAGE_DAMAGED;
    ag_str_free(s->alloc, &old);
    s->seen = AG_FILE_UNSEEN;
    return ok;
}

bool ag_file_sealed_set(ag_file_store *s, const ag_file_seal *seal, ag_view bytes, ag_err *e)
{
    char text[AG_FILE_NAME_BUF + 16];
    unsigned char random[AG_SEAL_RANDOM];
    ag_str sealed = { NULL, 0 };
    bool ok;
    if (!seal->wanted)
        return ag_file_store_set(s, bytes, e);
    s->seen = AG_FILE_UNSEEN;
    if (!seal->has_key)
        return ag_fail(e, AG_E_STORAGE_KEY, "there is no key to encrypt the session with");
    if (bytes.n > AG_FILE_STORE_MAX - AG_SEAL_MORE)
        return ag_fail(e, AG_E_TOO_LARGE, "the record is larger than the file store takes");
    if (!may_replace(s, seal, e))
        return false;
    if (s->sys->random(s->sys->ud, random, sizeof random) != 0)
        return ag_file_fail(e, errno, "encrypt", s->path.p);
    if (ag_seal(s->alloc, seal->key, context_of(s, text), random, bytes, &sealed) != AG_SEAL_GOOD)
        return ag_fail(e, AG_E_MEMORY, "out of memory");
    ok = ag_file_store_set(s, ag_str_view(&sealed), e);
    ag_str_free(s->alloc, &sealed);
    return ok;
}
