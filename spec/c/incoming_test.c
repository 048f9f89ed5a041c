/* incoming_test: which names an upstream could take for X-Authgear-*, and finding the Authorization header. Through nginx:
 * spec/protect_spec.lua. */
#include "core/incoming.h"
#include "tap.h"

static const char *const ours[] = {
    "X-Authgear", "x-authgear-user-id", "X_AUTHGEAR_USER_ID", "X.Authgear.User.Id", "XAuthgear", "--x--a-u-t-h-g-e-a-r", "_X-Authgear-",
    "X-Authgear-\xff", "X\xc2\xa0-Authgear",
};
static const char *const others[] = {
    "", "X", "X-Authgea", "Authgear-X", "Y-Authgear", "X-1Authgear", "X-Auth-1-Gear", "XX-Authgear", "Authorization", "-", "X-Authgxar",
};

static void names(void)
{
    size_t i;
    for (i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        size_t n = strlen(ours[i]);
        char *exact = tap_exact(ours[i], n);
        OK(ag_incoming_is_ours((ag_view){ exact, n }), tap_name("ours", ours[i]));
        free(exact);
    }
    for (i = 0; i < sizeof others / sizeof others[0]; i++) {
        size_t n = strlen(others[i]);
        char *exact = tap_exact(others[i], n);
        OK(!ag_incoming_is_ours((ag_view){ exact, n }), tap_name("not ours", others[i]));
        free(exact);
    }
    OK(ag_incoming_is_ours((ag_view){ "x-auth\0gear", 11 }), "with a zero in it");
}

#define HEADER(name, value) { (int)sizeof name - 1, name, (int)sizeof value - 1, value }

static void requests(void)
{
    static const unsigned char key[16] = { 1, 2, 3 }, other_key[16] = { 3, 2, 1 };
    static const ag_incoming_header h[] = {
        HEADER("Host", "a"), HEADER("authorization", "Bearer x"), HEADER("X_Authgear", "1"), HEADER("AUTHORIZATION", "Bearer y"),
    };
    ag_incoming found, again;
    ag_incoming_read(h, 0, key, &found);
    OK(found.at == -1 && found.ours == 0 && found.authorizations == 0, "no header");
    ag_incoming_read(h, 2, key, &found);
    OK(found.at == 1 && found.ours == 0 && found.authorizations == 1, "one that shows a token");
    ag_incoming_read(h, 3, key, &again);
    OK(again.ours == 1 && memcmp(found.hash, again.hash, sizeof found.hash) == 0, "one of ours; the same hash");
    ag_incoming_read(h, 4, key, &again);
    OK(again.at == 3 && again.authorizations == 2 && memcmp(found.hash, again.hash, sizeof found.hash) != 0, "two; another hash");
    ag_incoming_read(h, 2, other_key, &again);
    OK(memcmp(found.hash, again.hash, sizeof found.hash) != 0, "another key, another hash");
}

int main(void)
{
    names();
    requests();
    return tap_end();
}
