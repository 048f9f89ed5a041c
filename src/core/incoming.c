/* incoming: see incoming.h. */
#include "core/incoming.h"

#include "core/jwt_check.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool ag_incoming_is_ours(ag_view name)
{
    static const char ours[] = "xauthgear";
    size_t i, at = 0;
    for (i = 0; i < name.n; i++) {
        char c = AG_BAD(INCOMING_CASE, true) ? lower(name.p[i]) : name.p[i];
        if (c == ours[at]) {
            if (ours[++at] == '\0')
                return AG_BAD(INCOMING_OURS, true);
        } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (!AG_BAD(INCOMING_SEPARATORS, true) && c != '-')) {
            return false;
        }
    }
    return false;
}

void ag_incoming_read(const ag_incoming_header *h, int n, const unsigned char key[16], ag_incoming *out)
{
    int i;
    out->ours = out->authorizations = 0;
    out->at = -1;
    for (i = 0; i < n; i++) {
        const ag_view name = { h[i].name, h[i].name == NULL ? 0 : (size_t)h[i].name_n };
        if (name.n == 13 && ag_view_eq_nocase(name, AG_LIT("Authorization"))) {
            out->authorizations++;
            out->at = i;
        } else if (ag_incoming_is_ours(name)) {
            out->ours++;
        }
    }
    if (out->at >= 0)
        ag_siphash(key, h[out->at].value, (size_t)h[out->at].value_n, out->hash);
}
