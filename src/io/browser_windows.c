/* browser_windows: asks the shell of Windows (no command shell) for the program that
 * opens http. Compiled in every lint, not yet run anywhere. */
#include "io/browser.h"

#ifdef _WIN32

#include <string.h>
#include <windows.h>

#include <objbase.h>
#include <shellapi.h>

#define MAX_UNITS 32768

bool ag_browser_available(void)
{
    return GetEnvironmentVariableW(L"SSH_CONNECTION", NULL, 0) == 0;
}

bool ag_browser_launch(const char *url, ag_err *e)
{
    WCHAR *wide;
    size_t i, n = strlen(url);
    HRESULT com;
    INT_PTR result;
    if (n >= MAX_UNITS)
        return ag_fail(e, AG_E_BROWSER, "the URL is too long for Windows");
    wide = ag_resize(&ag_alloc_default, NULL, (n + 1) * sizeof *wide);
    if (wide == NULL)
        return ag_fail(e, AG_E_MEMORY, "no memory to open the browser");
    for (i = 0; i <= n; i++)
        wide[i] = (WCHAR)(unsigned char)url[i]; /* ASCII: it was checked */
    com = CoInitializeEx(NULL, COINIT_APARTMENTTHREADED | COINIT_DISABLE_OLE1DDE);
    result = (INT_PTR)ShellExecuteW(NULL, L"open", wide, NULL, NULL, SW_SHOWNORMAL);
    if (SUCCEEDED(com))
        CoUninitialize();
    ag_free_wiped(&ag_alloc_default, wide, (n + 1) * sizeof *wide);
    return result > 32 || ag_fail(e, AG_E_BROWSER, "Windows could not open the browser (error %d)", (int)result);
}

#else
typedef int ag_browser_windows_unused; /* ISO C wants something in every file */
#endif
