/* browser: what every system checks before a URL leaves this program. */
#include "io/browser.h"

#include <string.h>

#include "core/url.h"

/* Windows takes no more on a command line. */
#define MAX_URL 32000

/* What RFC 3986 has no place for, and shells, desktop files and registries may read as their own. */
static bool has_foreign(ag_view url)
{
    static const char foreign[] = "\"'<>^`{|}";
    size_t i;
    for (i = 0; i < url.n; i++)
        if (memchr(foreign, url.p[i], sizeof foreign - 1) != NULL)
            return true;
    return false;
}

bool ag_browser_open(ag_view url, ag_err *e)
{
    ag_url parsed;
    /* Letters, so that no launcher takes it for an option; http(s), so that no other program is called. */
    if (!ag_url_parse(url, &parsed, e))
        return false;
    if (has_foreign(url))
        return ag_fail(e, AG_E_INVALID_URL, "the URL is refused: it holds a character that must be percent-encoded");
    if (url.n > MAX_URL)
        return ag_fail(e, AG_E_INVALID_URL, "the URL is refused: it is longer than 32000 bytes");
    return ag_browser_launch(url.p, e);
}
