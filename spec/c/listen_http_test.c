/* listen_http_test: whatever arrives at the loopback listener. */
#include "core/listen_http.h"
#include "tap.h"

static const char good[] = "GET /callback?code=c&state=s%2Bt HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: */*\r\n\r\n";

static ag_listen_verdict read_with(const char *p, size_t n, ag_view path, ag_view state, int *status, char *target, size_t size)
{
    char *exact = tap_exact(p, n);
    ag_view t;
    ag_listen_verdict v;
    *status = -1;
    v = ag_listen_read(exact, n, path, state, &t, status);
    (void)snprintf(target, size, "%.*s", (int)t.n, t.p == NULL ? "" : t.p);
    if ((v == AG_LISTEN_TAKE) != (t.p != NULL) || (v == AG_LISTEN_REFUSE) != (*status >= 400))
        abort();
    free(exact);
    return v;
}

static ag_listen_verdict read_some(const char *p, size_t n, int *status)
{
    char target[300];
    return read_with(p, n, AG_LIT("/callback"), AG_LIT("s+t"), status, target, sizeof target);
}

static bool refused(const char *text, int with)
{
    int status;
    return read_some(text, strlen(text), &status) == AG_LISTEN_REFUSE && status == with;
}

static bool taken(const char *text)
{
    int status;
    return read_some(text, strlen(text), &status) == AG_LISTEN_TAKE;
}

#define END " HTTP/1.1\r\n\r\n"
#define PATH "/callback?code=c&state=s%2Bt"

static const struct {
    const char *bad;
    int status;
    const char *good;
} rows[] = {
    /* other places and methods */
    { "GET /favicon.ico" END, 404, "GET " PATH END },
    { "GET /" END, 404, "GET " PATH END },
    { "GET /callback/?state=s%2Bt" END, 404, "GET /callback?state=s%2Bt" END },
    { "GET /Callback?state=s%2Bt" END, 404, "GET /callback?state=s%2Bt" END },
    { "GET /callbac%6b?state=s%2Bt" END, 404, "GET /callback?state=s%2Bt" END },
    { "GET //callback?state=s%2Bt" END, 404, "GET /callback?state=s%2Bt" END },
    { "GET /x/../callback?state=s%2Bt" END, 404, "GET /callback?state=s%2Bt" END },
    { "GET /callback;x?state=s%2Bt" END, 404, "GET /callback?state=s%2Bt" END },
    { "GET /other" PATH END, 404, "GET " PATH END },
    { "POST " PATH END, 405, "GET " PATH END },
    { "HEAD " PATH END, 405, "GET " PATH END },
    { "OPTIONS * HTTP/1.1\r\n", 405, "GET " PATH END },
    { "get " PATH END, 405, "GET " PATH END },
    { "GETT " PATH END, 405, "GET " PATH END },
    { "CONNECT evil.com:443" END, 405, "GET " PATH END },
    /* versions */
    { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "GET " PATH END },
    { "GET " PATH " HTTP/2.0\r\n\r\n", 505, "GET " PATH " HTTP/1.0\r\n\r\n" },
    { "GET " PATH " HTTP/0.9\r\n\r\n", 505, "GET " PATH " HTTP/1.9\r\n\r\n" },
    { "GET " PATH "\r\n\r\n", 400, "GET " PATH END },
    { "GET " PATH " HTTP/1\r\n\r\n", 400, "GET " PATH END },
    { "GET " PATH " HTTP/1.10\r\n\r\n", 400, "GET " PATH END },
    { "GET " PATH " HTTP/1x1\r\n\r\n", 400, "GET " PATH END },
    { "GET " PATH " http/1.1\r\n\r\n", 400, "GET " PATH END },
    { "GET " PATH " ICY/1.1\r\n\r\n", 400, "GET " PATH END },
    { "GET " PATH " HTTP/1.1 \r\n\r\n", 400, "GET " PATH END },
    /* lines */
    { "GET  " PATH END, 400, "GET " PATH END },
    { "GET " PATH " " END, 400, "GET " PATH END },
    { " GET " PATH END, 400, "GET " PATH END },
    { "GET" PATH END, 400, "GET " PATH END },
    { "GET\t" PATH END, 400, "GET " PATH END },
    { "\r\nGET " PATH END, 400, "GET " PATH END },
    { "\nGET " PATH END, 400, "GET " PATH END },
    { "\n", 400, "GET " PATH END },
    { "GET " PATH " HTTP/1.1\n\n", 400, "GET " PATH END },
    { "GET " PATH " HTTP/1.1\r\n\n", 400, "GET " PATH END },
    { "GET " PATH "\r HTTP/1.1\r\n\r\n", 400, "GET " PATH END },
    { "GET /callback?state=s%2Bt&x=\x01" END, 400, "GET /callback?state=s%2Bt&x=%01" END },
    { "GET /callback?state=s%2Bt&x=\x7F" END, 400, "GET /callback?state=s%2Bt&x=~" END },
    { "GET /callback?state=s%2Bt&x=\xC3\xBC" END, 400, "GET /callback?state=s%2Bt&x=%C3%BC" END },
    { "GET /callback?state=s%2Bt&x=a b" END, 400, "GET /callback?state=s%2Bt&x=a+b" END },
    { "GET /callback?state=s%2Bt&x=%zz" END, 400, "GET /callback?state=s%2Bt&x=%22" END },
    { "GET /callback?state=s%2Bt\\" END, 400, "GET /callback?state=s%2Bt&\"" END },
    { "GET " PATH "#x" END, 400, "GET " PATH "&x" END },
    { "GET callback?state=s%2Bt" END, 400, "GET /callback?state=s%2Bt" END },
    { "GET ?state=s%2Bt" END, 400, "GET /callback?state=s%2Bt" END },
    { "GET *" END, 400, "GET " PATH END },
    { "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG", 400, "GET " PATH END },
    { "SSH-2.0-OpenSSH_9.2\r\n", 400, "GET " PATH END },
    { "\x16\x03\x01\x02", 400, "GET " PATH END },
    { "\x16", 400, "GET " PATH END },
    { "\x80", 400, "GET " PATH END },
    { "\x05\x01", 400, "GET " PATH END },
    /* absolute targets */
    { "GET http://evil.com" PATH END, 400, "GET http://127.0.0.1:8080" PATH END },
    { "GET http://127.0.0.1.evil.com" PATH END, 400, "GET http://127.0.0.1" PATH END },
    { "GET http://user@localhost" PATH END, 400, "GET HTTP://localhost" PATH END },
    { "GET ftp://localhost" PATH END, 400, "GET https://localhost" PATH END },
    { "GET http://[::1" PATH END, 400, "GET http://[::1]" PATH END },
    { "GET http://127.0.0.1?state=s%2Bt" END, 400, "GET http://127.0.0.1/callback?state=s%2Bt" END },
    { "GET http://127.0.0.1/?state=s%2Bt" END, 404, "GET http://127.0.0.1/callback?state=s%2Bt" END },
    { "GET http://127.0.0.1" PATH "#f" END, 400, "GET http://127.0.0.1" PATH END },
    /* state */
    { "GET /callback" END, 400, "GET " PATH END },
    { "GET /callback?" END, 400, "GET " PATH END },
    { "GET /callback?code=c" END, 400, "GET " PATH END },
    { "GET /callback?code=c&state" END, 400, "GET " PATH END },
    { "GET /callback?code=c&state=" END, 400, "GET " PATH END },
    { "GET /callback?code=c&state=s" END, 400, "GET " PATH END },
    { "GET /callback?code=c&state=s%2Btt" END, 400, "GET " PATH END },
    { "GET /callback?code=c&state=s%2BT" END, 400, "GET " PATH END },
    { "GET /callback?code=c&state=s+t" END, 400, "GET /callback?code=c&st%61te=s%2bt" END },
    { "GET /callback?code=c&State=s%2Bt" END, 400, "GET " PATH END },
    { "GET /callback?code=c&state=s%2Bt%00" END, 400, "GET " PATH END },
    { "GET /callback?code=c&state=s%2Bt&state=s%2Bt" END, 400, "GET /callback?code=c&state=s%2Bt&states=s%2Bt" END },
    { "GET /callback?state=x&code=c&state=s%2Bt" END, 400, "GET /callback?stat=x&code=c&state=s%2Bt" END },
    { "GET /callback?code=c&state=s%2Bt&st%61te=x" END, 400, "GET /callback?code=c&state=s%2Bt&st%62te=x" END },
    { "GET /callback?error=access_denied" END, 400, "GET /callback?error=access_denied&state=s%2Bt" END },
    /* headers */
    { "GET " PATH " HTTP/1.1\r\nno colon\r\n\r\n", 400, "GET " PATH " HTTP/1.1\r\nno-colon:\r\n\r\n" },
    { "GET " PATH " HTTP/1.1\r\nA : b\r\n\r\n", 400, "GET " PATH " HTTP/1.1\r\nA: b\r\n\r\n" },
    { "GET " PATH " HTTP/1.1\r\n: b\r\n\r\n", 400, "GET " PATH " HTTP/1.1\r\na: b\r\n\r\n" },
    { "GET " PATH " HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400, "GET " PATH " HTTP/1.1\r\nA: b\r\nc:\r\n\r\n" },
    { "GET " PATH " HTTP/1.1\r\nA: b\n\r\n", 400, "GET " PATH " HTTP/1.1\r\nA: b\r\n\r\n" },
    { "GET " PATH " HTTP/1.1\r\nA: b\rc\r\n\r\n", 400, "GET " PATH " HTTP/1.1\r\nA: b\tc\r\n\r\n" },
    { "GET " PATH " HTTP/1.1\r\nA: b\x01\r\n\r\n", 400, "GET " PATH " HTTP/1.1\r\nA: b\xFF\r\n\r\n" },
    { "GET " PATH " HTTP/1.1\r\nA(: b\r\n\r\n", 400, "GET " PATH " HTTP/1.1\r\nA!: b\r\n\r\n" },
    { "GET " PATH " HTTP/1.1\r\nA b", 400, "GET " PATH " HTTP/1.1\r\nA: b\r\n\r\n" },
};

static void pairs(void)
{
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        OK(refused(rows[i].bad, rows[i].status), tap_name("refused", rows[i].bad));
        OK(taken(rows[i].good), tap_name("its twin", rows[i].good));
    }
}

static void bit_by_bit(void)
{
    size_t n, wrong = 0;
    int status;
    for (n = 0; n < strlen(good); n++)
        wrong += read_some(good, n, &status) == AG_LISTEN_MORE && status == 0 ? 0 : 1;
    OK(wrong == 0, "of a good request, every part wants more");
    OK(taken(good), "and the whole is taken");
    OK(taken("GET " PATH END "GET /other" END), "what comes behind it does not matter");
    OK(ag_listen_read(NULL, 0, AG_LIT("/"), AG_LIT("s"), &(ag_view){ NULL, 0 }, &status) == AG_LISTEN_MORE, "nothing wants more");
}

static void targets(void)
{
    char t[300];
    int status;
    OK(read_with(good, strlen(good), AG_LIT("/callback"), AG_LIT("s+t"), &status, t, sizeof t) == AG_LISTEN_TAKE &&
       strcmp(t, PATH) == 0, "the target");
    OK(read_with("GET http://localhost:1" PATH END, strlen("GET http://localhost:1" PATH END), AG_LIT("/callback"), AG_LIT("s+t"),
                 &status, t, sizeof t) == AG_LISTEN_TAKE && strcmp(t, PATH) == 0, "of an absolute one what follows the host");
    OK(read_with("GET /?state=s" END, strlen("GET /?state=s" END), (ag_view){ "", 0 }, AG_LIT("s"), &status, t, sizeof t) == AG_LISTEN_TAKE &&
       strcmp(t, "/?state=s") == 0, "a redirect URI without a path is '/'");
    OK(read_with("GET /?state=" END, strlen("GET /?state=" END), AG_LIT("/"), AG_LIT(""), &status, t, sizeof t) == AG_LISTEN_REFUSE &&
       status == 400, "no state to wait for: nothing is taken");
    OK(read_with("GET /?state=" END, strlen("GET /?state=" END), AG_LIT("/"), (ag_view){ NULL, 0 }, &status, t, sizeof t) == AG_LISTEN_REFUSE,
       "nor if it is not there");
}

/* A request whose line (without its end) has line_n bytes and whose headers (with the empty line) have head_n. */
static ag_listen_verdict sized(size_t line_n, size_t head_n, int *status)
{
    char *text = malloc(line_n + head_n + 2);
    size_t start = strlen("GET " PATH "&x="), end = strlen(" HTTP/1.1");
    ag_listen_verdict v;
    if (text == NULL)
        abort();
    memset(text, 'a', line_n + head_n + 2);
    memcpy(text, "GET " PATH "&x=", start);
    memcpy(text + line_n - end, " HTTP/1.1\r\n", end + 2);
    memcpy(text + line_n + 2, "A: ", 3);
    memcpy(text + line_n + 2 + head_n - 4, "\r\n\r\n", 4);
    v = read_some(text, line_n + head_n + 2, status);
    free(text);
    return v;
}

static void sizes(void)
{
    int status;
    char *large = malloc(100000);
    if (large == NULL)
        abort();
    OK(sized(AG_LISTEN_MAX_LINE, 100, &status) == AG_LISTEN_TAKE, "the longest line");
    OK(sized(AG_LISTEN_MAX_LINE + 1, 100, &status) == AG_LISTEN_REFUSE && status == 414, "one byte more");
    OK(sized(100, AG_LISTEN_MAX_HEAD, &status) == AG_LISTEN_TAKE, "the largest head");
    OK(sized(100, AG_LISTEN_MAX_HEAD + 2, &status) == AG_LISTEN_REFUSE && status == 431, "two bytes more");
    OK(sized(100000, 100, &status) == AG_LISTEN_REFUSE && status == 414, "a line of 100 KB");
    OK(sized(100, 100000, &status) == AG_LISTEN_REFUSE && status == 431, "a header of 100 KB");
    memset(large, 'a', 100000);
    memcpy(large, "GET /", 5);
    OK(read_some(large, 100000, &status) == AG_LISTEN_REFUSE && status == 414, "a line of 100 KB that does not end");
    OK(read_some(large, AG_LISTEN_MAX_LINE, &status) == AG_LISTEN_MORE, "a line that may still end");
    memcpy(large, "GET " PATH " HTTP/1.1\r\nA: ", strlen("GET " PATH " HTTP/1.1\r\nA: "));
    OK(read_some(large, 100000, &status) == AG_LISTEN_REFUSE && status == 431, "a header of 100 KB that does not end");
    OK(read_some(large, 30000, &status) == AG_LISTEN_MORE, "a header that may still end");
    memset(large, 0, 100000);
    OK(read_some(large, 100000, &status) == AG_LISTEN_REFUSE && status == 400, "100 KB of NULs");
    memset(large, '\n', 100000);
    OK(read_some(large, 100000, &status) == AG_LISTEN_REFUSE && status == 400, "100 KB of line ends");
    free(large);
}

static void raw_zeros(void)
{
    static const char in_line[] = "GET " PATH "\0 HTTP/1.1\r\n\r\n";
    static const char in_header[] = "GET " PATH " HTTP/1.1\r\nA: \0\r\n\r\n";
    int status;
    OK(read_some(in_line, sizeof in_line - 1, &status) == AG_LISTEN_REFUSE && status == 400, "a NUL in the line");
    OK(read_some(in_header, sizeof in_header - 1, &status) == AG_LISTEN_REFUSE && status == 400, "a NUL in a header");
    OK(read_some("\0", 1, &status) == AG_LISTEN_REFUSE && status == 400, "a NUL alone");
}

/* A verdict once given does not change when more arrives, whatever it is. */
static void steady(void)
{
    size_t i, n, changed = 0;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t all = strlen(rows[i].bad);
        ag_listen_verdict before = AG_LISTEN_MORE;
        int was = 0;
        for (n = 0; n <= all; n++) {
            int status;
            ag_listen_verdict v = read_some(rows[i].bad, n, &status);
            if (before != AG_LISTEN_MORE && (v != before || status != was))
                changed++;
            before = v;
            was = status;
        }
    }
    OK(changed == 0, "a refusal stands, however the bytes arrive");
}

int main(void)
{
    pairs();
    bit_by_bit();
    targets();
    sizes();
    raw_zeros();
    steady();
    return tap_end();
}
