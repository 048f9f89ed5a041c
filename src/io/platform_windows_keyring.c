/* platform_windows_keyring: the Credential Manager, which keeps what it is given encrypted with DPAPI for this user.
 * Compiled by the cross build and never run: see platform.h. See keyring.h. */
#ifdef _WIN32

#include "io/keyring.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>
#include <wincred.h>

#include "core/alloc.h"

enum { TARGET = 2 * AG_KEYRING_NAME + 16 };

/* The credential's name, "authgear:SERVICE:ACCOUNT". */
static bool target_of(const ag_keyring *k, wchar_t out[TARGET], ag_err *e)
{
    char text[TARGET];
    int n = snprintf(text, sizeof text, "authgear:%s:%s", k->service, k->account);
    if (n > 0 && n < TARGET && MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, out, TARGET) > 0)
        return true;
    return ag_fail(e, AG_E_KEYRING, "no name for the Credential Manager can be made of the service and the account");
}

static bool failed(ag_err *e)
{
    return ag_fail(e, AG_E_KEYRING, "the Credential Manager failed (error %lu)", (unsigned long)GetLastError());
}

bool ag_keyring_open_platform(ag_keyring *k, ag_err *e)
{
    (void)k;
    (void)e;
    return true;
}

void ag_keyring_cancel_platform(ag_keyring *k)
{
    (void)k; /* nobody is asked anything: these calls do not last */
}

void ag_keyring_close_platform(ag_keyring *k)
{
    (void)k;
}

static bool get(ag_keyring *k, const wchar_t *target, ag_err *e)
{
    CREDENTIALW *c = NULL;
    if (!CredReadW(target, CRED_TYPE_GENERIC, 0, &c))
        return GetLastError() == ERROR_NOT_FOUND || failed(e);
    k->found = c->CredentialBlobSize == AG_KEYRING_KEY;
    if (k->found)
        memcpy(k->key, c->CredentialBlob, AG_KEYRING_KEY);
    if (c->CredentialBlob != NULL)
        ag_wipe(c->CredentialBlob, c->CredentialBlobSize);
    CredFree(c);
    return k->found || ag_fail(e, AG_E_STORAGE_KEY, "what the system's secret store keeps is no key of ours");
}

static bool set(ag_keyring *k, wchar_t *target, ag_err *e)
{
    CREDENTIALW c = { 0 };
    c.Type = CRED_TYPE_GENERIC;
    c.TargetName = target;
    c.CredentialBlob = k->key;
    c.CredentialBlobSize = AG_KEYRING_KEY;
    c.Persist = CRED_PERSIST_LOCAL_MACHINE;
    return CredWriteW(&c, 0) || failed(e);
}

bool ag_keyring_run_platform(ag_keyring *k, ag_err *e)
{
    wchar_t target[TARGET];
    if (!target_of(k, target, e))
        return false;
    switch (k->what) {
    case AG_KEYRING_GET:
        return get(k, target, e);
    case AG_KEYRING_SET:
        return set(k, target, e);
    default:
        return CredDeleteW(target, CRED_TYPE_GENERIC, 0) || GetLastError() == ERROR_NOT_FOUND || failed(e);
    }
}

#else
typedef int ag_platform_windows_keyring_unused; /* ISO C wants something in every file */
#endif
