/* platform_macos_keyring: the login keychain, as a generic password that never leaves this machine.
 * Written by care, never compiled or run: see platform.h. See keyring.h. */
#ifdef __APPLE__

#include "io/keyring.h"

#include <Security/Security.h>
#include <string.h>

#include "core/alloc.h"

bool ag_keyring_open_platform(ag_keyring *k, ag_err *e)
{
    (void)k;
    (void)e;
    return true;
}

void ag_keyring_cancel_platform(ag_keyring *k)
{
    (void)k; /* the keychain has no way to take a question back: a prompt ends it */
}

void ag_keyring_close_platform(ag_keyring *k)
{
    (void)k;
}

static void put_text(CFMutableDictionaryRef d, CFStringRef key, const char *text)
{
    CFStringRef value = CFStringCreateWithCString(NULL, text, kCFStringEncodingUTF8);
    if (value == NULL)
        return; /* the query is then refused */
    CFDictionarySetValue(d, key, value);
    CFRelease(value);
}

/* What says which item is meant. NULL: no memory. */
static CFMutableDictionaryRef item_of(const ag_keyring *k)
{
    CFMutableDictionaryRef d =
        CFDictionaryCreateMutable(NULL, 0, &kCFTypeDictionaryKeyCallBacks, &kCFTypeDictionaryValueCallBacks);
    if (d == NULL)
        return NULL;
    CFDictionarySetValue(d, kSecClass, kSecClassGenericPassword);
    put_text(d, kSecAttrService, k->service);
    put_text(d, kSecAttrAccount, k->account);
    return d;
}

static OSStatus get(ag_keyring *k, CFMutableDictionaryRef item)
{
    CFTypeRef data = NULL;
    OSStatus status;
    CFDictionarySetValue(item, kSecReturnData, kCFBooleanTrue);
    status = SecItemCopyMatching(item, &data);
    if (status == errSecSuccess && data != NULL) {
        k->found = CFDataGetLength(data) == AG_KEYRING_KEY;
        if (k->found)
            memcpy(k->key, CFDataGetBytePtr(data), AG_KEYRING_KEY);
        CFRelease(data);
        return k->found ? errSecSuccess : errSecDecode;
    }
    return status == errSecItemNotFound ? errSecSuccess : status;
}

static OSStatus set(ag_keyring *k, CFMutableDictionaryRef item)
{
    CFDataRef data = CFDataCreate(NULL, k->key, AG_KEYRING_KEY);
    OSStatus status;
    if (data == NULL)
        return errSecAllocate;
    (void)SecItemDelete(item);
    CFDictionarySetValue(item, kSecValueData, data);
    CFDictionarySetValue(item, kSecAttrAccessible, kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly);
    status = SecItemAdd(item, NULL);
    CFRelease(data);
    return status;
}

bool ag_keyring_run_platform(ag_keyring *k, ag_err *e)
{
    CFMutableDictionaryRef item = item_of(k);
    OSStatus status = errSecAllocate;
    if (item != NULL && k->what == AG_KEYRING_GET)
        status = get(k, item);
    else if (item != NULL && k->what == AG_KEYRING_SET)
        status = set(k, item);
    else if (item != NULL) {
        status = SecItemDelete(item);
        if (status == errSecItemNotFound)
            status = errSecSuccess;
    }
    if (item != NULL)
        CFRelease(item);
    if (status == errSecDecode)
        return ag_fail(e, AG_E_STORAGE_KEY, "what the keychain keeps is no key of ours");
    return status == errSecSuccess || ag_fail(e, AG_E_KEYRING, "the keychain failed (status %d)", (int)status);
}

#else
typedef int ag_platform_macos_keyring_unused; /* ISO C wants something in every file */
#endif
