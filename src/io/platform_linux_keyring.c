/* platform_linux_keyring: the Secret Service (GNOME Keyring, KWallet, KeePassXC) through libsecret, which is loaded
 * when it is first asked for: nobody needs it to build or to run the rest. See keyring.h. */
#include "io/keyring.h"

#include <dlfcn.h>
#include <string.h>

#include "core/alloc.h"

/* libsecret's and GLib's, of which only what is used here is said: it is their stable binary interface. */
typedef struct secret_schema {
    const char *name;
    int flags;
    struct {
        const char *name;
        int type;
    } attributes[32];
    int reserved;
    void *reserved_pointers[7];
} secret_schema;

typedef struct g_error {
    unsigned int domain;
    int code;
    char *message;
} g_error;

typedef struct library {
    char *(*lookup)(const secret_schema *, void *cancellable, g_error **, ...);
    int (*store)(const secret_schema *, const char *collection, const char *label, const char *password,
                 void *cancellable, g_error **, ...);
    int (*clear)(const secret_schema *, void *cancellable, g_error **, ...);
    void (*free_password)(char *);
    void (*free_error)(g_error *);
    void *(*cancellable_new)(void);
    void (*cancel)(void *);
    void (*unref)(void *);
} library;

static const secret_schema schema = {
    .name = "com.authgear.lua.Key",
    .attributes = { { "service", 0 }, { "account", 0 } },
};

/* POSIX lets an object pointer become a function pointer; ISO C wants it through memory. */
static bool find(void *handle, const char *name, void *function)
{
    void *p = dlsym(handle, name);
    memcpy(function, &p, sizeof p);
    return p != NULL;
}

/* Once loaded it stays, GLib being what it is; loading it again costs next to nothing. */
static bool load(library *lib, ag_err *e)
{
    void *h = dlopen("libsecret-1.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (h == NULL) {
        (void)ag_fail(e, AG_E_KEYRING, "the system's secret store needs libsecret, which is not installed here");
        e->retryable = false;
        return false;
    }
    if (find(h, "secret_password_lookup_sync", &lib->lookup) && find(h, "secret_password_store_sync", &lib->store) &&
        find(h, "secret_password_clear_sync", &lib->clear) && find(h, "secret_password_free", &lib->free_password) &&
        find(h, "g_error_free", &lib->free_error) && find(h, "g_cancellable_new", &lib->cancellable_new) &&
        find(h, "g_cancellable_cancel", &lib->cancel) && find(h, "g_object_unref", &lib->unref))
        return true;
    (void)ag_fail(e, AG_E_KEYRING, "the system's libsecret is not one that is known here");
    e->retryable = false;
    return false;
}

bool ag_keyring_open_platform(ag_keyring *k, ag_err *e)
{
    library lib;
    if (!load(&lib, e))
        return false;
    k->platform = lib.cancellable_new();
    return true;
}

void ag_keyring_cancel_platform(ag_keyring *k)
{
    library lib;
    ag_err e;
    if (load(&lib, &e))
        lib.cancel(k->platform);
}

void ag_keyring_close_platform(ag_keyring *k)
{
    library lib;
    ag_err e;
    if (load(&lib, &e))
        lib.unref(k->platform);
    k->platform = NULL;
}

/* What the service says is about buses and prompts; it has never seen the key. */
static bool refused(const library *lib, g_error *error, ag_err *e)
{
    (void)ag_fail(e, AG_E_KEYRING, "the system's secret store: %.100s",
                  error != NULL && error->message != NULL ? error->message : "refused");
    if (error != NULL)
        lib->free_error(error);
    return false;
}

static const char digits[] = "0123456789abcdef";

static void to_hex(const unsigned char *key, char out[2 * AG_KEYRING_KEY + 1])
{
    int i;
    for (i = 0; i < AG_KEYRING_KEY; i++) {
        out[2 * i] = digits[key[i] >> 4];
        out[2 * i + 1] = digits[key[i] & 15];
    }
    out[2 * i] = '\0';
}

static bool from_hex(const char *text, unsigned char *key)
{
    size_t i;
    if (strlen(text) != 2 * (size_t)AG_KEYRING_KEY || strspn(text, digits) != 2 * (size_t)AG_KEYRING_KEY)
        return false;
    for (i = 0; i < 2 * (size_t)AG_KEYRING_KEY; i++)
        key[i / 2] = (unsigned char)((unsigned)key[i / 2] << 4 | (unsigned)(strchr(digits, text[i]) - digits));
    return true;
}

static bool get(ag_keyring *k, const library *lib, ag_err *e)
{
    g_error *error = NULL;
    char *text = lib->lookup(&schema, k->platform, &error, "service", k->service, "account", k->account, (char *)NULL);
    if (error != NULL)
        return refused(lib, error, e);
    if (text == NULL)
        return true;
    k->found = from_hex(text, k->key);
    lib->free_password(text);
    return k->found || ag_fail(e, AG_E_STORAGE_KEY, "what the system's secret store keeps is no key of ours");
}

static bool set(ag_keyring *k, const library *lib, ag_err *e)
{
    g_error *error = NULL;
    char text[2 * AG_KEYRING_KEY + 1];
    int ok;
    to_hex(k->key, text);
    ok = lib->store(&schema, "default", "Authgear session key", text, k->platform, &error, "service", k->service,
                    "account", k->account, (char *)NULL);
    ag_wipe(text, sizeof text);
    return (error == NULL && ok) || refused(lib, error, e);
}

bool ag_keyring_run_platform(ag_keyring *k, ag_err *e)
{
    library lib;
    g_error *error = NULL;
    if (!load(&lib, e))
        return false;
    switch (k->what) {
    case AG_KEYRING_GET:
        return get(k, &lib, e);
    case AG_KEYRING_SET:
        return set(k, &lib, e);
    default: /* that there was none is fine */
        (void)lib.clear(&schema, k->platform, &error, "service", k->service, "account", k->account, (char *)NULL);
        return error == NULL || refused(&lib, error, e);
    }
}
