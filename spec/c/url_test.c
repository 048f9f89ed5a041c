/* url_test: what is taken as a URL, what is loopback, what is one origin. */
#include "core/url.h"
#include "core/url_host.h"
#include "tap.h"

static bool parses(const char *text, size_t n, ag_url *u, ag_err *e)
{
    ag_err_clear(e);
    return ag_url_parse((ag_view){ text, n }, u, e);
}

static void pieces(void)
{
    ag_url u;
    ag_err e;
    static const char full[] = "HTTPS://Example.COM:8443/a/b;c?q=1&r=/?#f?/";
    OK(parses(full, strlen(full), &u, &e), "a URL with everything");
    OK(tap_view_is(u.scheme, "HTTPS") && tap_view_is(u.host, "Example.COM") && u.port == 8443 && !u.ipv6, "scheme, host, port");
    OK(tap_view_is(u.path, "/a/b;c") && tap_view_is(u.query, "q=1&r=/?") && tap_view_is(u.fragment, "f?/"),
       "path, query, fragment");
    OK(parses("http://a", 8, &u, &e) && u.port == 80 && tap_view_is(u.path, "") && u.query.p == NULL && u.fragment.p == NULL,
       "a URL with nothing");
    OK(parses("https://a?", 10, &u, &e) && u.port == 443 && tap_view_is(u.path, "") && tap_view_is(u.query, ""),
       "an empty query is one");
    OK(parses("http://a#", 9, &u, &e) && tap_view_is(u.fragment, "") && u.query.p == NULL, "an empty fragment is one");
    OK(parses("http://[::1]:90/x", 17, &u, &e) && u.ipv6 && tap_view_is(u.host, "::1") && u.port == 90, "IPv6, without brackets");
    OK(parses("http://a/?#?", 12, &u, &e) && tap_view_is(u.query, "") && tap_view_is(u.fragment, "?"), "'?' in a fragment");
    OK(parses("http://a#/?x", 12, &u, &e) && tap_view_is(u.path, "") && u.query.p == NULL && tap_view_is(u.fragment, "/?x"),
       "'/' and '?' of a fragment are no path and no query");
}

/* Each bad URL beside the good one that differs in the one defect. */
static const struct {
    const char *bad, *good;
} rows[] = {
    { "", "http://a" },
    { "http:/a", "http://a" },
    { "http:a", "http://a" },
    { "//a/b", "http://a/b" },
    { "/a/b", "http://x/a/b" },
    { "htttp://a", "http://a" },
    { "ftp://a", "http://a" },
    { "javascript://a", "http://a" },
    { " http://a", "http://a" },
    { "http://a ", "http://a" },
    { "http://a/b c", "http://a/b%20c" },
    { "http://a/b\tc", "http://a/b%09c" },
    { "http://a/b\r\nc", "http://a/b%0D%0Ac" },
    { "http://a/b\x7F", "http://a/b~" },
    { "http://a/\xC3\xBC", "http://a/%C3%BC" },
    { "http://\xC3\xBC.de/", "http://xn--tda.de/" },
    { "http://a\\@b/", "http://a/@b/" },
    { "http://a/\\b", "http://a/b" },
    { "http://a/%", "http://a/%25" },
    { "http://a/%4", "http://a/%41" },
    { "http://a/%4g", "http://a/%4f" },
    { "http://a/?%zz", "http://a/?%ff" },
    { "http://a/#%zz", "http://a/#%ff" },
    { "http://user@a/", "http://a/user@a" },
    { "http://user:pass@a/", "http://a/" },
    { "http://@a/", "http://a/" },
    { "http://a@/", "http://a/" },
    { "http:///path", "http://a/path" },
    { "http://", "http://a" },
    { "http://?q", "http://a?q" },
    { "http://#f", "http://a#f" },
    { "http://:80/", "http://a:80/" },
    { "http://a:/", "http://a/" },
    { "http://a:0/", "http://a:1/" },
    { "http://a:65536/", "http://a:65535/" },
    { "http://a:99999/", "http://a:9999/" },
    { "http://a:000080/", "http://a:00080/" },
    { "http://a:4294967376/", "http://a:80/" },
    { "http://a:-80/", "http://a:80/" },
    { "http://a:+80/", "http://a:80/" },
    { "http://a:8x/", "http://a:8/" },
    { "http://a:80:80/", "http://a:80/" },
    { "http://a..b/", "http://a.b/" },
    { "http://.a/", "http://a/" },
    { "http://a.../", "http://a./" },
    { "http://a%2eb/", "http://a.b/" },
    { "http://a,b/", "http://a-b/" },
    { "http://a*b/", "http://a_b/" },
    { "http://[::1/", "http://[::1]/" },
    { "http://::1]/", "http://[::1]/" },
    { "http://::1/", "http://[::1]/" },
    { "http://[::1]x/", "http://[::1]/x/" },
    { "http://[::1]80/", "http://[::1]:80/" },
    { "http://[::1]:/", "http://[::1]/" },
    { "http://[]/", "http://[::]/" },
    { "http://[fe80::1%25eth0]/", "http://[fe80::1]/" },
    { "http://[v1.a]/", "http://[1::a]/" },
    { "http://[127.0.0.1]/", "http://[::127.0.0.1]/" },
    { "http://[[::1]]/", "http://[::1]/" },
    { "http://a[::1]/", "http://[::1]/" },
};

static void refuses(void)
{
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ag_url u;
        ag_err e;
        char *bad = tap_exact(rows[i].bad, strlen(rows[i].bad));
        OK(!parses(bad, strlen(rows[i].bad), &u, &e) && e.code == AG_E_INVALID_URL && u.host.p == NULL,
           tap_name("refused", rows[i].bad));
        free(bad);
        OK(parses(rows[i].good, strlen(rows[i].good), &u, &e), tap_name("its twin", rows[i].good));
    }
}

static void sizes(void)
{
    ag_url u;
    ag_err e;
    char *large = malloc(65537);
    char label[64 + 20];
    if (large == NULL)
        abort();
    memset(large, 'a', 65537);
    memcpy(large, "http://a/", 9);
    OK(parses(large, 65536, &u, &e), "64 KiB");
    OK(!parses(large, 65537, &u, &e) && e.code == AG_E_INVALID_URL, "a byte more is refused");
    OK(!parses("http://a/\0", 10, &u, &e), "a NUL is refused");
    OK(!parses(NULL, 0, &u, &e), "no text is refused");
    (void)snprintf(label, sizeof label, "http://%.63s/", large + 10);
    OK(parses(label, strlen(label), &u, &e), "a label of 63");
    (void)snprintf(label, sizeof label, "http://%.64s/", large + 10);
    OK(!parses(label, strlen(label), &u, &e), "a label of 64 is refused");
    free(large);
}

static void shows_nothing(void)
{
    ag_url u;
    ag_err e;
    size_t i;
    static const char *const secret[] = { "https://a/?code=c4n4ry%", "https://user:c4n4ry@a/", "c4n4ry://a", "https://a/c4n4ry b",
                                          "https://a:c4n4ry/" };
    for (i = 0; i < sizeof secret / sizeof secret[0]; i++)
        OK(!parses(secret[i], strlen(secret[i]), &u, &e) && strstr(e.message, "c4n4ry") == NULL && e.message[0] != '\0',
           tap_name("the message shows nothing of", secret[i]));
}

static void says_what(void)
{
    ag_url u;
    ag_err e;
    OK(!parses("https://user:pass@a/", 20, &u, &e) && strstr(e.message, "user info") != NULL, "the message says: user info");
    OK(!parses("https://a b/", 12, &u, &e) && strstr(e.message, "space") != NULL, "or: a space");
    OK(!parses("https://a:0/", 12, &u, &e) && strstr(e.message, "port") != NULL, "or: the port");
    OK(!parses("https:///", 9, &u, &e) && strstr(e.message, "no host") != NULL, "or: no host");
}

static void loopback(void)
{
    static const char *const yes[] = { "127.0.0.1", "127.255.0.9", "127.0.0.0", "localhost", "LocalHost", "a.localhost", "A.b.LOCALHOST",
                                       "[::1]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::0:1]", "[0::1]",
                                       "[::0.0.0.1]" };
    static const char *const no[] = { "127.0.0.1.evil.com", "localhost.evil.com", "localhost.", "127.0.0.1.", "0x7f.1", "0x7f.0.0.1",
                                      "127.1", "127.0.1", "2130706433", "0177.0.0.1", "127.0.0.01", "127.0.0.256", "127.000.000.001",
                                      "128.0.0.1", "1.127.0.0", "0.0.0.0", "10.127.0.1", "xlocalhost", "localhostx", "a-localhost",
                                      "[::]", "[::2]", "[1::1]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[1::]", "127.0.0.1-a",
                                      "evil.com", "127-0-0-1.evil.com", "1127.0.0.1" };
    char text[100];
    size_t i;
    ag_url u;
    ag_err e;
    for (i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        (void)snprintf(text, sizeof text, "http://%s:80/", yes[i]);
        OK(parses(text, strlen(text), &u, &e) && ag_url_is_loopback(&u) && ag_url_check_secure(&u, false, &e),
           tap_name("loopback", yes[i]));
    }
    for (i = 0; i < sizeof no / sizeof no[0]; i++) {
        (void)snprintf(text, sizeof text, "http://%s:80/", no[i]);
        OK(parses(text, strlen(text), &u, &e) && !ag_url_is_loopback(&u) && !ag_url_check_secure(&u, false, &e) &&
           e.code == AG_E_INSECURE_URL, tap_name("not loopback", no[i]));
    }
}

static void ipv6(void)
{
    static const char *const good[] = { "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::8",
                                        "ABCD:ef01::", "1:2:3:4:5:6:1.2.3.4", "::1.2.3.4", "1::1.2.3.4", "::ffff:1.2.3.4",
                                        "1:2:3:4:5::1.2.3.4" };
    static const char *const bad[] = { "", ":", ":::", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", ":1::2", "1::2:", "12345::",
                                       "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "g::", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3",
                                       "::1.2.3.4.5", "::1.2.3.256", "::01.2.3.4", "1.2.3.4", "1.2.3.4::", "::1.2.3.4:5", "1:2:3:4:5:6:7:",
                                       ":2:3:4:5:6:7:8", "1:2:3:4:5:6::1.2.3.4", "::1 ", "::1%0", "0000000000000000000000000000000000000000000001::" };
    unsigned char ip[16];
    size_t i;
    for (i = 0; i < sizeof good / sizeof good[0]; i++)
        OK(ag_host_ipv6(ag_view_of(good[i]), ip), tap_name("IPv6", good[i]));
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *exact = tap_exact(bad[i], strlen(bad[i]));
        OK(!ag_host_ipv6((ag_view){ exact, strlen(bad[i]) }, ip), tap_name("not IPv6", bad[i]));
        free(exact);
    }
    OK(ag_host_ipv6(AG_LIT("1::a:203.0.113.9"), ip) &&
       memcmp(ip, "\0\1\0\0\0\0\0\0\0\0\0\x0A\xCB\0\x71\x09", 16) == 0, "its bytes stand where they should");
}

static void origins(void)
{
    static const struct {
        const char *a, *b;
        bool same;
    } pairs[] = { { "https://a/x", "https://a:443/y?z", true }, { "HTTP://A", "http://a:80", true }, { "https://a", "http://a", false },
                  { "https://a", "https://a:444", false }, { "https://a", "https://b", false }, { "https://a", "https://a.b", false },
                  { "https://a", "https://a.", false }, { "http://a:443", "https://a", false }, { "http://[::1]", "http://[::1]:80", true },
                  { "http://[::A]", "http://[::a]", true }, { "http://[::1]", "http://[::2]", false } };
    static const struct {
        const char *url, *origin;
    } written[] = { { "HTTPS://Example.COM:443/x?y", "https://example.com" }, { "http://A:8080", "http://a:8080" },
                    { "http://a:443", "http://a:443" }, { "https://a:80/", "https://a:80" }, { "http://[::A]:80/", "http://[::a]" },
                    { "https://[::1]:8443", "https://[::1]:8443" } };
    size_t i;
    for (i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        ag_url a, b;
        ag_err e;
        OK(parses(pairs[i].a, strlen(pairs[i].a), &a, &e) && parses(pairs[i].b, strlen(pairs[i].b), &b, &e) &&
           ag_url_same_origin(&a, &b) == pairs[i].same && ag_url_same_origin(&b, &a) == pairs[i].same,
           tap_name(pairs[i].same ? "one origin" : "two origins", pairs[i].b));
    }
    for (i = 0; i < sizeof written / sizeof written[0]; i++) {
        ag_url u;
        ag_err e;
        ag_buf b;
        ag_str s = { NULL, 0 };
        ag_buf_init(&b, &tap_alloc, AG_BUF_NO_LIMIT);
        if (parses(written[i].url, strlen(written[i].url), &u, &e))
            ag_url_write_origin(&b, &u);
        OK(ag_buf_take(&b, &s) && tap_str_is(&s, written[i].origin), tap_name("its origin", written[i].url));
        ag_str_free(&tap_alloc, &s);
    }
}

static void secure(void)
{
    ag_url u;
    ag_err e;
    OK(parses("https://a", 9, &u, &e) && ag_url_is_https(&u) && ag_url_check_secure(&u, false, &e), "https is secure");
    OK(parses("HTTPS://a", 9, &u, &e) && ag_url_is_https(&u) && ag_url_check_secure(&u, false, &e), "so it is in capitals");
    OK(parses("http://a", 8, &u, &e) && !ag_url_is_https(&u) && !ag_url_check_secure(&u, false, &e), "http is not");
    OK(ag_url_check_secure(&u, true, &e), "unless the user says so");
}

static void callbacks(void)
{
    ag_callback_url c;
    ag_url_split_callback(AG_LIT("com.example.app:/cb?code=1?2#x#y?z"), &c);
    OK(tap_view_is(c.base, "com.example.app:/cb") && tap_view_is(c.query, "code=1?2") && tap_view_is(c.fragment, "x#y?z"),
       "a custom scheme is split");
    ag_url_split_callback(AG_LIT("app:/cb#a?b"), &c);
    OK(tap_view_is(c.base, "app:/cb") && c.query.p == NULL && tap_view_is(c.fragment, "a?b"), "'?' in a fragment is no query");
    ag_url_split_callback(AG_LIT("app:/cb?"), &c);
    OK(tap_view_is(c.query, "") && c.fragment.p == NULL, "an empty query is one");
    ag_url_split_callback(AG_LIT("app:/c\0b?x"), &c);
    OK(c.base.n == 8 && tap_view_is(c.query, "x"), "a NUL cuts nothing off");
    ag_url_split_callback((ag_view){ NULL, 0 }, &c);
    OK(c.base.p == NULL && c.query.p == NULL && c.fragment.p == NULL, "nothing is nothing");
}

int main(void)
{
    pieces();
    refuses();
    sizes();
    shows_nothing();
    says_what();
    loopback();
    ipv6();
    origins();
    secure();
    callbacks();
    return tap_end();
}
