/* file_name: see the header. */
#include "io/file_name.h"

#include <stdio.h>
#include <string.h>

static const char hex[] = "0123456789abcdef";

static bool plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Windows keeps these names for devices, whatever follows a dot after them. */
static bool device(ag_view name)
{
    static const char *const three[] = { "con", "prn", "aux", "nul" };
    size_t i;
    if (name.n == 4 && name.p[3] >= '0' && name.p[3] <= '9')
        return memcmp(name.p, "com", 3) == 0 || memcmp(name.p, "lpt", 3) == 0;
    for (i = 0; name.n == 3 && i < sizeof three / sizeof three[0]; i++)
        if (memcmp(name.p, three[i], 3) == 0)
            return true;
    return false;
}

bool ag_file_name(ag_view name, char out[AG_FILE_NAME_BUF])
{
    size_t i, n = 0;
    bool first = device(name);
    for (i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        bool as_is = plain(c) && !(first && i == 0);
        if (n + (as_is ? 1 : 3) > AG_FILE_NAME_MAX)
            return false;
        if (as_is) {
            out[n++] = (char)c;
            continue;
        }
        out[n++] = '%';
        out[n++] = hex[c >> 4];
        out[n++] = hex[c & 15];
    }
    out[n] = '\0';
    return n > 0;
}

void ag_file_name_record(const char *encoded, char out[AG_FILE_NAME_BUF])
{
    (void)snprintf(out, AG_FILE_NAME_BUF, "%.*s.json", AG_FILE_NAME_MAX, encoded);
}

void ag_file_name_lock(const char *encoded, char out[AG_FILE_NAME_BUF])
{
    (void)snprintf(out, AG_FILE_NAME_BUF, "%.*s.lock", AG_FILE_NAME_MAX, encoded);
}

void ag_file_name_temp(const char *encoded, const unsigned char random[AG_FILE_TEMP_RANDOM],
                       char out[AG_FILE_NAME_BUF])
{
    char digits[2 * AG_FILE_TEMP_RANDOM + 1];
    size_t i;
    for (i = 0; i < AG_FILE_TEMP_RANDOM; i++) {
        digits[2 * i] = hex[random[i] >> 4];
        digits[2 * i + 1] = hex[random[i] & 15];
    }
    digits[2 * i] = '\0';
    (void)snprintf(out, AG_FILE_NAME_BUF, "%.*s.%s.tmp", AG_FILE_NAME_MAX, encoded, digits);
}

bool ag_file_name_is_temp(const char *encoded, const char *file)
{
    size_t n = strlen(encoded);
    if (strncmp(file, encoded, n) != 0 || file[n] != '.')
        return false;
    file += n + 1;
    return strspn(file, hex) == (size_t)(2 * AG_FILE_TEMP_RANDOM) && strcmp(file + 2 * AG_FILE_TEMP_RANDOM, ".tmp") == 0;
}
