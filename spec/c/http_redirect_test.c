/* http_redirect_test: RFC 9110 section 15.4, and what may not go along. */
#include "core/http.h"
#include "tap.h"

static bool hop(const ag_alloc *a, const char *url, const char *method, int status, const char *headers, bool allow_http,
                ag_http_hop *out, ag_err *e)
{
    return ag_http_redirect(a, ag_view_of(url), ag_view_of(method), status, ag_view_of(headers), allow_http, out, e);
}

static void methods(void)
{
    static const struct {
        int status;
        const char *method;
        bool to_get;
    } rows[] = { { 301, "GET", false }, { 301, "POST", true }, { 301, "PUT", false }, { 301, "HEAD", false }, { 302, "GET", false },
                 { 302, "POST", true }, { 302, "DELETE", false }, { 302, "post", false }, { 303, "POST", true }, { 303, "PUT", true },
                 { 303, "HEAD", false }, { 307, "GET", false }, { 307, "POST", false }, { 308, "POST", false }, { 308, "PUT", false } };
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ag_http_hop h;
        ag_err e;
        char name[40];
        (void)snprintf(name, sizeof name, "%d of a %s", rows[i].status, rows[i].method);
        OK(hop(&tap_alloc, "https://a/x", rows[i].method, rows[i].status, "Location: /y\r\n", false, &h, &e) &&
           h.to_get == rows[i].to_get && h.same_origin && tap_str_is(&h.url, "https://a/y"), name);
        ag_http_hop_free(&tap_alloc, &h);
    }
}

static void statuses(void)
{
    static const int no[] = { 0, 200, 201, 300, 304, 305, 306, 309, 400, -1 };
    size_t i;
    for (i = 0; i < sizeof no / sizeof no[0]; i++) {
        ag_http_hop h;
        ag_err e;
        char name[40];
        (void)snprintf(name, sizeof name, "%d is no redirect", no[i]);
        OK(!ag_http_is_redirect(no[i]) && !hop(&tap_alloc, "https://a/x", "GET", no[i], "Location: /y\r\n", false, &h, &e) &&
           e.code == AG_E_REDIRECT, name);
    }
}

/* want NULL: refused. */
static const struct {
    const char *from, *headers;
    bool allow_http;
    const char *want;
    bool same_origin;
} rows[] = {
    { "https://a/x", "Location: https://a/y\r\n", false, "https://a/y", true },
    { "https://a/x", "Location: https://a:443/y#f\r\n", false, "https://a/y", true },
    { "https://a/x", "location: HTTPS://A/y\r\n", false, "https://a/y", true },
    { "https://a/x?q=1", "Location: ?r=2\r\n", false, "https://a/x?r=2", true },
    { "https://a/x", "Location: /y\r\nLocation: /y\r\n", false, "https://a/y", true },
    { "https://a/x", "Location: /y\r\nLocation: /z\r\n", false, NULL, false },
    { "https://a/x", "Location: https://b/y\r\n", false, "https://b/y", false },
    { "https://a/x", "Location: //b/y\r\n", false, "https://b/y", false },
    { "https://a/x", "Location: https://a.b/y\r\n", false, "https://a.b/y", false },
    { "https://a/x", "Location: https://a:444/y\r\n", false, "https://a:444/y", false },
    { "https://a/x", "Location: http://a/y\r\n", false, NULL, false },
    { "https://a/x", "Location: http://a/y\r\n", true, NULL, false },
    { "https://a/x", "Location: http://127.0.0.1/y\r\n", false, NULL, false },
    { "https://a/x", "Location: http://127.0.0.1/y\r\n", true, NULL, false },
    { "https://a/x", "Location: https://127.0.0.1/y\r\n", false, "https://127.0.0.1/y", false },
    { "http://127.0.0.1:80/x", "Location: http://127.0.0.1/y\r\n", false, "http://127.0.0.1/y", true },
    { "http://127.0.0.1/x", "Location: http://127.0.0.1:81/y\r\n", false, "http://127.0.0.1:81/y", false },
    { "http://127.0.0.1/x", "Location: http://localhost/y\r\n", false, "http://localhost/y", false },
    { "http://127.0.0.1/x", "Location: http://b/y\r\n", false, NULL, false },
    { "http://127.0.0.1/x", "Location: http://127.0.0.1.b/y\r\n", false, NULL, false },
    { "http://127.0.0.1/x", "Location: http://b/y\r\n", true, "http://b/y", false },
    { "http://127.0.0.1/x", "Location: https://127.0.0.1/y\r\n", false, "https://127.0.0.1/y", false },
    { "http://a/x", "Location: /y\r\n", true, "http://a/y", true },
    { "http://a/x", "Location: /y\r\n", false, NULL, false },
    { "http://a/x", "Location: https://a/y\r\n", false, "https://a/y", false },
    { "https://a/x", "", false, NULL, false },
    { "https://a/x", "Location:\r\n", false, NULL, false },
    { "https://a/x", "Location: \t \r\n", false, NULL, false },
    { "https://a/x", "Location : /y\r\n", false, NULL, false },
    { "https://a/x", "Locations: /y\r\n", false, NULL, false },
    { "https://a/x", "Location: ftp://a/y\r\n", false, NULL, false },
    { "https://a/x", "Location: javascript:alert(1)\r\n", false, NULL, false },
    { "https://a/x", "Location: app:/callback?code=1\r\n", false, NULL, false },
    { "https://a/x", "Location: https:///y\r\n", false, NULL, false },
    { "https://a/x", "Location: https://user:pass@a/y\r\n", false, NULL, false },
    { "https://a/x", "Location: https://a\\@b/y\r\n", false, NULL, false },
    { "https://a/x", "Location: /a b\r\n", false, NULL, false },
    { "https://a/x", "Location: /%zz\r\n", false, NULL, false },
    { "https://a/x", "Location: /\xC3\xBC\r\n", false, NULL, false },
    { "https://a/x", "Location: /a\rb\r\n", false, NULL, false },
    { "not a URL", "Location: https://a/y\r\n", false, NULL, false },
};

static void places(void)
{
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ag_http_hop h;
        ag_err e;
        bool ok = hop(&tap_alloc, rows[i].from, "GET", 302, rows[i].headers, rows[i].allow_http, &h, &e);
        OK(ok == (rows[i].want != NULL) && tap_str_is(&h.url, rows[i].want) && h.same_origin == rows[i].same_origin && !h.to_get &&
           (ok || (e.code == AG_E_REDIRECT && e.status == 302)), tap_name(rows[i].from, rows[i].headers));
        ag_http_hop_free(&tap_alloc, &h);
    }
}

static void shows_nothing(void)
{
    static const char *const headers[] = { "Location: http://a/?code=c4n4ry\r\n", "Location: https://a/?code=c4n4ry%\r\n",
                                           "Location: c4n4ry:x\r\n", "Location: https://u:c4n4ry@a/\r\n" };
    ag_http_hop h;
    ag_err e;
    size_t i;
    tap_canary = "c4n4ry";
    for (i = 0; i < sizeof headers / sizeof headers[0]; i++)
        OK(!hop(&tap_alloc, "https://a/?token=c4n4ry", "GET", 302, headers[i], false, &h, &e) && strstr(e.message, "c4n4ry") == NULL,
           tap_name("the message shows nothing of", headers[i]));
    OK(hop(&tap_alloc, "https://a/", "GET", 302, "Location: https://a/b/../?code=c4n4ry\r\n", false, &h, &e), "a good one");
    ag_http_hop_free(&tap_alloc, &h);
    OK(tap_unwiped == 0, "what was freed is wiped");
    tap_canary = NULL;
}

static tap_outcome redirect(const ag_alloc *a)
{
    ag_http_hop h;
    ag_err e;
    bool ok = hop(a, "https://a/", "POST", 303, "Location: //other.example.com/a/long/path/so/that/it/grows?and=a&query=as&well=yes\r\n",
                  false, &h, &e);
    bool empty = h.url.p == NULL;
    ag_http_hop_free(a, &h);
    return !ok && !empty ? TAP_WRONG : tap_outcome_of(ok, &e);
}

int main(void)
{
    methods();
    statuses();
    places();
    shows_nothing();
    tap_each_alloc("a redirect", redirect, 2);
    OK(tap_live == 0, "nothing is held");
    return tap_end();
}
