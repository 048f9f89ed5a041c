/* url_resolve_test: RFC 3986 section 5.4, and what redirects have been seen to hold. */
#include "core/url.h"
#include "tap.h"

static const char base_text[] = "http://a/b/c/d;p?q";

/* want NULL: refused (a scheme that is not http or https is no place to go to). */
typedef struct row {
    const char *ref, *want;
} row;

static const row normal[] = {       /* 5.4.1 */
    { "g:h", NULL }, { "g", "http://a/b/c/g" }, { "./g", "http://a/b/c/g" }, { "g/", "http://a/b/c/g/" }, { "/g", "http://a/g" },
    { "//g", "http://g" }, { "?y", "http://a/b/c/d;p?y" }, { "g?y", "http://a/b/c/g?y" }, { "#s", "http://a/b/c/d;p?q" },
    { "g#s", "http://a/b/c/g" }, { "g?y#s", "http://a/b/c/g?y" }, { ";x", "http://a/b/c/;x" }, { "g;x", "http://a/b/c/g;x" },
    { "g;x?y#s", "http://a/b/c/g;x?y" }, { "", "http://a/b/c/d;p?q" }, { ".", "http://a/b/c/" }, { "./", "http://a/b/c/" },
    { "..", "http://a/b/" }, { "../", "http://a/b/" }, { "../g", "http://a/b/g" }, { "../..", "http://a/" }, { "../../", "http://a/" },
    { "../../g", "http://a/g" },
};

static const row abnormal[] = {     /* 5.4.2 */
    { "../../../g", "http://a/g" }, { "../../../../g", "http://a/g" }, { "/./g", "http://a/g" }, { "/../g", "http://a/g" },
    { "g.", "http://a/b/c/g." }, { ".g", "http://a/b/c/.g" }, { "g..", "http://a/b/c/g.." }, { "..g", "http://a/b/c/..g" },
    { "./../g", "http://a/b/g" }, { "./g/.", "http://a/b/c/g/" }, { "g/./h", "http://a/b/c/g/h" }, { "g/../h", "http://a/b/c/h" },
    { "g;x=1/./y", "http://a/b/c/g;x=1/y" }, { "g;x=1/../y", "http://a/b/c/y" }, { "g?y/./x", "http://a/b/c/g?y/./x" },
    { "g?y/../x", "http://a/b/c/g?y/../x" }, { "g#s/./x", "http://a/b/c/g" }, { "g#s/../x", "http://a/b/c/g" }, { "http:g", NULL },
};

static const row more[] = {
    { "https://h/x/../y?z#f", "https://h/y?z" }, { "HTTPS://H:443", "https://h" }, { "//h:81/a/./b", "http://h:81/a/b" },
    { "?", "http://a/b/c/d;p?" }, { "//", NULL }, { "///x", NULL }, { "http://", NULL }, { "//user@h/", NULL }, { "\\\\h\\", NULL },
    { "/\\h", NULL }, { "/a b", NULL }, { "/a%20b", "http://a/a%20b" }, { "/\xC3\xBC", NULL }, { "/%C3%BC", "http://a/%C3%BC" },
    { "/%zz", NULL }, { "javascript:alert(1)", NULL }, { "data:,x", NULL }, { "file:///etc/passwd", NULL }, { "a:b", NULL },
    { "./a:b", "http://a/b/c/a:b" }, { "/a:b", "http://a/a:b" }, { "?a:b", "http://a/b/c/d;p?a:b" }, { "/.//h/x", "http://a//h/x" },
    { "/..//h/x", "http://a//h/x" }, { "/a/b/../../..", "http://a/" }, { "/...", "http://a/..." }, { "/a//../b", "http://a/a/b" },
    { "/%2e%2e/x", "http://a/%2e%2e/x" }, { "\r\n/x", NULL }, { "/x\r\nSet-Cookie: a", NULL }, { "http://h:0/", NULL }, { "//h:x/", NULL },
    { "..//g", "http://a/b//g" },
};

static bool resolve(const ag_alloc *a, const char *base, ag_view ref, ag_str *out, ag_err *e)
{
    ag_url u;
    return ag_url_parse(ag_view_of(base), &u, e) && ag_url_resolve(a, &u, ref, out, e);
}

static void check(const char *what, const char *base, const row *rows, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++) {
        char *exact = tap_exact(rows[i].ref, strlen(rows[i].ref));
        ag_str out = { NULL, 0 };
        ag_err e;
        bool ok = resolve(&tap_alloc, base, (ag_view){ exact, strlen(rows[i].ref) }, &out, &e);
        OK(ok == (rows[i].want != NULL) && tap_str_is(&out, rows[i].want) && (ok || e.code == AG_E_INVALID_URL),
           tap_name(what, rows[i].ref));
        ag_str_free(&tap_alloc, &out);
        free(exact);
    }
}

static void other_bases(void)
{
    static const row bare[] = { { "g", "https://h/g" }, { "?y", "https://h?y" }, { "", "https://h" }, { "..", "https://h/" }, { "//i", "https://i" } };
    static const row v6[] = { { "/x", "http://[::1]:8080/x" }, { "//[::2]/x", "http://[::2]/x" } };
    static const row with_fragment[] = { { "", "http://h/p?q" }, { "?y", "http://h/p?y" } };
    check("from a bare host", "https://h", bare, sizeof bare / sizeof bare[0]);
    check("from IPv6", "HTTP://[::1]:8080", v6, sizeof v6 / sizeof v6[0]);
    check("from one with a fragment", "http://h/p?q#f", with_fragment, sizeof with_fragment / sizeof with_fragment[0]);
}

static void large(void)
{
    size_t n = 65000, i;
    char *dots = malloc(70000);
    ag_str out = { NULL, 0 };
    ag_err e;
    if (dots == NULL)
        abort();
    for (i = 0; i < n; i++)
        dots[i] = i % 5 == 0 ? '/' : i % 5 == 2 ? '/' : i % 5 == 1 ? 'a' : '.';
    OK(resolve(&tap_alloc, base_text, (ag_view){ dots, n }, &out, &e) && out.n < 20, "65,000 bytes of ups and downs");
    memset(dots, 'x', 70000);
    OK(resolve(&tap_alloc, base_text, (ag_view){ dots, 65000 }, &out, &e), "a reference that just fits");
    OK(!resolve(&tap_alloc, base_text, (ag_view){ dots, 65530 }, &out, &e) && e.code == AG_E_INVALID_URL,
       "one that is too long when resolved");
    OK(!resolve(&tap_alloc, base_text, (ag_view){ dots, 70000 }, &out, &e) && e.code == AG_E_INVALID_URL, "one that is too long");
    OK(!resolve(&tap_alloc, base_text, (ag_view){ "/a\0b", 4 }, &out, &e) && e.code == AG_E_INVALID_URL, "a NUL");
    OK(out.n == 65000 + strlen("http://a/b/c/"), "a failure leaves what was held");
    ag_str_free(&tap_alloc, &out);
    free(dots);
}

static tap_outcome relative(const ag_alloc *a)
{
    ag_str out = { NULL, 0 };
    ag_err e;
    bool ok = resolve(a, base_text, AG_LIT("../../some/long/path/with/dots/../in/it?and=a&query=of&some=length&that=needs&another=block&to=hold&it=all"), &out, &e);
    ag_str_free(a, &out);
    return tap_outcome_of(ok, &e);
}

static tap_outcome network(const ag_alloc *a)
{
    ag_str out = { NULL, 0 };
    ag_err e;
    bool ok = resolve(a, base_text, AG_LIT("//other.example.com/some/long/path/with/dots/../in/it?and=a&query=of&some=length"), &out, &e);
    ag_str_free(a, &out);
    return tap_outcome_of(ok, &e);
}

int main(void)
{
    check("normal", base_text, normal, sizeof normal / sizeof normal[0]);
    check("abnormal", base_text, abnormal, sizeof abnormal / sizeof abnormal[0]);
    check("more", base_text, more, sizeof more / sizeof more[0]);
    other_bases();
    large();
    tap_each_alloc("a relative reference", relative, 2);
    tap_each_alloc("a reference with a host", network, 3);
    OK(tap_live == 0, "nothing is held");
    return tap_end();
}
