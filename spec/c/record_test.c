/* record_test: the stored record, written, read, refused; and the age of its access token. */
#include "core/record.h"
#include "tap.h"

static const ag_record_owner owner = { { "https://x.example", 17 }, { "app", 3 }, { NULL, 0 } };

static ag_env env_at(const ag_alloc *a, const char *boot, int64_t boot_ms, int64_t wall_ms)
{
    ag_env env;
    memset(&env, 0, sizeof env);
    env.alloc = *a;
    (void)snprintf(env.boot_id, sizeof env.boot_id, "%s", boot);
    env.boot_ms = boot_ms;
    env.wall_ms = wall_ms;
    return env;
}

static bool fill(const ag_env *env, ag_record *r)
{
    memset(r, 0, sizeof *r);
    ag_record_stamp(env, r, 300000);
    r->generation = 7;
    r->forced = true;
    return ag_str_set(&env->alloc, &r->refresh_token, "refresh\"\\/1", 11)
        && ag_str_set(&env->alloc, &r->access_token, "access", 6)
        && ag_str_set(&env->alloc, &r->anonymous_key, "secret", 6)
        && ag_str_set(&env->alloc, &r->dpop_key, "key", 3);
}

static tap_outcome there_and_back(const ag_alloc *a)
{
    const ag_env env = env_at(a, "boot-1", 1000, 5000);
    ag_record in, out;
    ag_str text = { NULL, 0 };
    ag_err e;
    tap_outcome got = TAP_NO_MEMORY;
    ag_err_clear(&e);
    memset(&out, 0, sizeof out);
    if (fill(&env, &in)) {
        bool ok = ag_record_encode(&env, &in, &owner, &text, &e)
            && ag_record_decode(&env, ag_str_view(&text), &owner, &out, &e);
        got = tap_outcome_of(ok, &e);
        if (ok && !(tap_str_is(&out.refresh_token, "refresh\"\\/1") && tap_str_is(&out.access_token, "access")
                    && tap_str_is(&out.anonymous_key, "secret")
                    && tap_str_is(&out.dpop_key, "key") && out.id_token.p == NULL && out.generation == 7 && out.forced
                    && out.received_boot_ms == 1000 && out.received_wall_ms == 5000 && out.expires_in_ms == 300000
                    && strcmp(out.boot_id, "boot-1") == 0 && ag_record_has_keys(&out)))
            got = TAP_WRONG;
    }
    ag_record_free(a, &in);
    ag_record_free(a, &out);
    ag_str_free(a, &text);
    return got;
}

static tap_outcome copies(const ag_alloc *a)
{
    const ag_env env = env_at(a, "b", 1, 1);
    ag_record in, out;
    tap_outcome got = TAP_NO_MEMORY;
    memset(&out, 0, sizeof out);
    if (fill(&env, &in) && ag_record_copy(a, &out, &in))
        got = tap_str_is(&out.refresh_token, "refresh\"\\/1") && out.refresh_token.p != in.refresh_token.p ? TAP_DONE : TAP_WRONG;
    ag_record_free(a, &in);
    ag_record_free(a, &out);
    return got;
}

#define HEAD "{\"format\":\"authgear-session\",\"version\":1,\"generation\":1,\"endpoint\":\"https://x.example\",\"client_id\":\"app\""
#define TIMES ",\"boot_id\":\"b\",\"received_boot_ms\":1,\"received_wall_ms\":1,\"expires_in_ms\":9,\"forced\":0"

static const struct {
    const char *text;
    ag_err_code want;       /* NONE: accepted */
} rows[] = {
    { HEAD "}", AG_E_NONE },
    { HEAD ",\"refresh_token\":\"r\"}", AG_E_NONE },
    { HEAD ",\"access_token\":\"a\"" TIMES "}", AG_E_NONE },
    { HEAD ",\"unheard_of\":[1]}", AG_E_NONE },
    { "", AG_E_STORAGE_DAMAGED },
    { "{", AG_E_STORAGE_DAMAGED },
    { "[]", AG_E_STORAGE_DAMAGED },
    { "{}", AG_E_STORAGE_DAMAGED },
    { HEAD "}x", AG_E_STORAGE_DAMAGED },
    { HEAD ",\"refresh_token\":\"r\",\"refresh_token\":\"s\"}", AG_E_STORAGE_DAMAGED },
    { HEAD ",\"refresh_token\":\"r\\u0000\"}", AG_E_STORAGE_DAMAGED },
    { HEAD ",\"refresh_token\":\"\"}", AG_E_STORAGE_DAMAGED },
    { HEAD ",\"refresh_token\":\"r\\r\\nX: 1\"}", AG_E_STORAGE_DAMAGED },
    { HEAD ",\"refresh_token\":\"r s\"}", AG_E_STORAGE_DAMAGED },
    { HEAD ",\"access_token\":\"a\\u00e4\"" TIMES "}", AG_E_STORAGE_DAMAGED },
    { HEAD ",\"id_token\":\"a\\tb\"}", AG_E_STORAGE_DAMAGED },
    { HEAD ",\"device_secret\":\"a\\u007f\"}", AG_E_STORAGE_DAMAGED },
    { HEAD ",\"device_secret\":\"a~\"}", AG_E_NONE },
    { HEAD ",\"refresh_token\":1}", AG_E_STORAGE_DAMAGED },
    { HEAD ",\"refresh_token\":null}", AG_E_STORAGE_DAMAGED },
    { HEAD ",\"access_token\":\"a\"}", AG_E_STORAGE_DAMAGED },
    { HEAD ",\"access_token\":\"a\",\"boot_id\":\"b\",\"received_boot_ms\":1,\"received_wall_ms\":1,\"expires_in_ms\":-9,\"forced\":0}",
      AG_E_STORAGE_DAMAGED },
    { HEAD ",\"access_token\":\"a\",\"boot_id\":\"b\",\"received_boot_ms\":1.5,\"received_wall_ms\":1,\"expires_in_ms\":9,\"forced\":0}",
      AG_E_STORAGE_DAMAGED },
    { "{\"format\":\"else\",\"version\":1,\"generation\":1,\"endpoint\":\"https://x.example\",\"client_id\":\"app\"}", AG_E_STORAGE_DAMAGED },
    { "{\"format\":\"authgear-session\",\"version\":0,\"generation\":1,\"endpoint\":\"https://x.example\",\"client_id\":\"app\"}",
      AG_E_STORAGE_DAMAGED },
    { "{\"format\":\"authgear-session\",\"version\":2,\"anything\":true}", AG_E_STORAGE_VERSION },
    { "{\"format\":\"authgear-session\",\"version\":1,\"generation\":1,\"endpoint\":\"https://y.example\",\"client_id\":\"app\"}",
      AG_E_STORAGE_FOREIGN },
    { "{\"format\":\"authgear-session\",\"version\":1,\"generation\":1,\"endpoint\":\"https://x.example\",\"client_id\":\"apq\"}",
      AG_E_STORAGE_FOREIGN },
    { HEAD ",\"purpose\":\"grant_type=client_credentials\"}", AG_E_STORAGE_FOREIGN },
    { HEAD ",\"purpose\":1}", AG_E_STORAGE_DAMAGED },
    { "{\"format\":\"authgear-session\",\"version\":1,\"generation\":-1,\"endpoint\":\"https://x.example\",\"client_id\":\"app\"}",
      AG_E_STORAGE_DAMAGED },
};

static void reads(void)
{
    const ag_env env = env_at(&tap_alloc, "b", 1, 1);
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ag_record r;
        ag_err e;
        size_t n = strlen(rows[i].text);
        char *exact = tap_exact(rows[i].text, n);
        bool ok;
        ag_err_clear(&e);
        memset(&r, 0, sizeof r);
        ok = ag_record_decode(&env, (ag_view){ exact, n }, &owner, &r, &e);
        OK(ok == (rows[i].want == AG_E_NONE) && e.code == rows[i].want, tap_name("reads or refuses", rows[i].text));
        ag_record_free(&tap_alloc, &r);
        free(exact);
    }
}

static const struct {
    const char *what, *boot;
    int64_t boot_ms, wall_ms;
    bool fresh;
} ages[] = {     /* arrived in boot "b" at 1,000 / 50,000, lasts 10,000 */
    { "just arrived", "b", 1000, 50000, true },
    { "at 89 percent", "b", 9900, 58900, true },
    { "at 90 percent", "b", 10000, 59000, false },
    { "the wall clock a year ahead, the boot clock decides", "b", 2000, 50000 + 31536000000LL, true },
    { "the wall clock a year back, the boot clock decides", "b", 2000, 50000 - 31536000000LL, true },
    { "asleep for hours: the boot clock counts it", "b", 36000000, 50001, false },
    { "the boot clock before the arrival: impossible", "b", 999, 50000, false },
    { "another boot, within its life by the wall clock", "c", 1, 51000, true },
    { "another boot, past it", "c", 1, 59000, false },
    { "another boot, the wall clock before the arrival: impossible", "c", 1, 49999, false },
    { "no boot id: the wall clock decides", "", 1000, 51000, true },
};

static void grows_old(void)
{
    size_t i;
    for (i = 0; i < sizeof ages / sizeof ages[0]; i++) {
        ag_env then = env_at(&tap_alloc, ages[i].boot[0] == '\0' ? "" : "b", 1000, 50000);
        const ag_env now = env_at(&tap_alloc, ages[i].boot, ages[i].boot_ms, ages[i].wall_ms);
        ag_record r;
        memset(&r, 0, sizeof r);
        ag_record_stamp(&then, &r, 10000);
        OK(!ag_record_fresh(&now, &r), tap_name("no token is never fresh", ages[i].what));
        (void)ag_str_set(&tap_alloc, &r.access_token, "a", 1);
        OK(ag_record_fresh(&now, &r) == ages[i].fresh, tap_name("age", ages[i].what));
        ag_record_free(&tap_alloc, &r);
    }
}

static void wipes(void)
{
    const ag_env env = env_at(&tap_alloc, "b", 1, 1);
    ag_record r;
    ag_str text = { NULL, 0 };
    ag_err e;
    long before = tap_unwiped;
    tap_canary = "kanarienvogel";
    memset(&r, 0, sizeof r);
    (void)ag_str_set(&tap_alloc, &r.refresh_token, "kanarienvogel", 13);
    (void)ag_record_encode(&env, &r, &owner, &text, &e);
    ag_record_free(&tap_alloc, &r);
    ag_str_free(&tap_alloc, &text);
    OK(tap_unwiped == before && tap_live == 0, "tokens are wiped when they are freed");
    tap_canary = NULL;
}

int main(void)
{
    tap_each_alloc("a record there and back", there_and_back, 6);
    tap_each_alloc("a record copied", copies, 4);
    reads();
    grows_old();
    wipes();
    OK(tap_live == 0, "nothing is held at the end");
    return tap_end();
}
