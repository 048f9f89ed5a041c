/* file_store_test: what the file store's specs in Lua cannot see: that records are wiped, that no memory is held after
 * an error, and the platform's clocks. */
#include "io/file_store.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "io/file_name.h"
#include "io/platform.h"
#include "io/sys_test.h"
#include "tap.h"

#define SECRET "CANARY-refresh-token"
static const char record[] = "{\"refresh_token\":\"" SECRET "\"}";

static char dir[64];

static bool open_store(ag_file_store *s, const ag_alloc *a, ag_err *e)
{
    return ag_file_store_init(s, a, &ag_sys_test, dir, AG_LIT("default"), e);
}

static void is_wiped(void)
{
    ag_file_store s;
    ag_str got;
    ag_err e;
    long nth;
    tap_canary = SECRET;
    OK(open_store(&s, &tap_alloc, &e), "a store");
    OK(ag_file_store_set(&s, ag_view_of(record), &e), "a record is kept");
    OK(ag_file_store_get(&s, &got, &e) && tap_str_is(&got, record), "and brought");
    ag_str_free(&tap_alloc, &got);
    for (nth = 1; nth <= 2; nth++) {
        ag_sys_fault fault = { "read", nth, 1, AG_SYS_FAULT_ERROR, EIO, 0 };
        ag_sys_test_fault(&fault);
        OK(!ag_file_store_get(&s, &got, &e) && got.p == NULL && e.code == AG_E_STORAGE, "reading fails");
        ag_sys_test_fault(NULL);
    }
    OK(tap_unwiped == 0, "what was read is wiped, also when the reading failed");
    ag_file_store_free(&s);
    OK(tap_live == 0, "nothing is held");

    OK(open_store(&s, &tap_alloc, &e) && ag_file_store_get(&s, &got, &e), "once more");
    ag_free(&tap_alloc, got.p);
    OK(tap_unwiped == 1, "the check sees what is not wiped");
    tap_unwiped = 0;
    tap_canary = NULL;
    ag_file_store_free(&s);
}

static tap_outcome everything(const ag_alloc *a)
{
    ag_file_store s;
    ag_str got = { NULL, 0 };
    ag_err e;
    tap_outcome out;
    if (!open_store(&s, a, &e))
        return tap_outcome_of(false, &e);
    out = tap_outcome_of(ag_file_store_set(&s, ag_view_of(record), &e) && ag_file_store_get(&s, &got, &e), &e);
    if (out == TAP_DONE && ag_file_store_try_lock(&s, &e) != AG_FILE_LOCK_TAKEN)
        out = TAP_WRONG;
    ag_str_free(a, &got);
    ag_file_store_free(&s);
    return out;
}

static void ends_cleanly(void)
{
    ag_file_store s;
    ag_err e;
    OK(open_store(&s, &tap_alloc, &e) && ag_file_store_del(&s, &e), "deleted");
    ag_file_store_free(&s);
    OK(tap_live == 0, "nothing is held");
    OK(!ag_file_store_init(&s, &tap_alloc, &ag_sys_test, dir, AG_LIT(""), &e) && e.code == AG_E_INVALID_ARGUMENT,
       "no name, no store");
    OK(!ag_file_store_init(&s, &tap_alloc, &ag_sys_test, "", AG_LIT("x"), &e) && e.code == AG_E_STORAGE,
       "no directory, no store");
    OK(tap_live == 0, "and nothing is held");
}

static void names(void)
{
    unsigned char random[AG_FILE_TEMP_RANDOM];
    char name[AG_FILE_NAME_BUF], temp[AG_FILE_NAME_BUF], longest[AG_FILE_NAME_MAX + 1];
    memset(random, 0x9f, sizeof random);
    memset(longest, 'x', sizeof longest);
    OK(ag_file_name((ag_view){ longest, AG_FILE_NAME_MAX }, name), "the longest name");
    OK(!ag_file_name((ag_view){ longest, AG_FILE_NAME_MAX + 1 }, temp), "one more is too long");
    ag_file_name_temp(name, random, temp);
    OK(strlen(temp) <= 255 && ag_file_name_is_temp(name, temp), "has a temporary file that systems take");
    OK(ag_file_name(AG_LIT("a"), name), "a short one");
    ag_file_name_temp(name, random, temp);
    OK(strcmp(temp, "a.9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f.tmp") == 0, "has a temporary file of its own");
    OK(!ag_file_name_is_temp("ab", temp) && !ag_file_name_is_temp("", temp) && !ag_file_name_is_temp("a", "a") &&
           !ag_file_name_is_temp("a", "a.json") && !ag_file_name_is_temp("a", "a.9F9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f.tmp"),
       "that is nobody else's");
}

static void clocks(void)
{
    int64_t boot, wall, later_boot, later_wall;
    char id[40], again[40];
    OK(ag_platform_now(&boot, &wall) && boot > 0 && wall > INT64_C(1600000000000), "two clocks, in milliseconds");
    OK(ag_platform_now(&later_boot, &later_wall) && later_boot >= boot, "the boot clock does not go back");
    OK(ag_platform_boot_id(id) && strlen(id) == 36, "this boot has an id");
    OK(ag_platform_boot_id(again) && strcmp(id, again) == 0, "which stays");
}

static void paths(void)
{
    char out[4096];
    OK(!ag_platform_data_dir(out, 3) && out[0] == '\0', "no room for the data directory");
    OK(ag_platform_absolute("/a/b//", out, sizeof out) && strcmp(out, "/a/b") == 0, "an absolute path stays");
    OK(ag_platform_absolute("/", out, sizeof out) && strcmp(out, "/") == 0, "the root too");
    OK(!ag_platform_absolute("/a/b", out, 4), "no room for a path");
    OK(!ag_platform_absolute("a/b", out, 4), "nor for one with the current directory before it");
}

int main(void)
{
    char command[80];
    (void)snprintf(dir, sizeof dir, "/tmp/tmp.authgear-%ld", (long)getpid());
    is_wiped();
    tap_each_alloc("open, set, get, lock", everything, 4);
    ends_cleanly();
    names();
    clocks();
    paths();
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    OK(system(command) == 0, "cleaned up");
    return tap_end();
}
