/* bare_curl: what a program costs that does nothing but libcurl: one easy handle, set once,
 * the same request over and over, the body put in a buffer. The measure of bench/fetch.lua.
 * Must never do more than that, nor less: the header lines are those that fetch sends.
 * Usage: bare_curl URL-OF-SERVER CA-FILE ACCESS-TOKEN USER-AGENT; commands and answers as in bench/worker.lua. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char body[1 << 16];
static size_t used;

static size_t on_body(char *p, size_t size, size_t n, void *ud)
{
    (void)ud;
    if (size * n > sizeof body - used)
        return 0;
    memcpy(body + used, p, size * n);
    used += size * n;
    return size * n;
}

static double us(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int get(CURL *c)
{
    used = 0;
    return curl_easy_perform(c) == CURLE_OK && used > 0;
}

static int run(CURL *c, long n)
{
    double cpu = us(CLOCK_PROCESS_CPUTIME_ID), wall = us(CLOCK_MONOTONIC);
    long i;
    for (i = 0; i < n; i++)
        if (!get(c))
            return 0;
    printf("%.3f %.3f\n", (us(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)n,
           (us(CLOCK_MONOTONIC) - wall) / (double)n);
    return 1;
}

int main(int argc, char **argv)
{
    char url[256], line[4096];
    CURL *c;
    struct curl_slist *headers = NULL;
    int ok = 1;
    if (argc < 5)
        return 2;
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    c = curl_easy_init();
    (void)snprintf(line, sizeof line, "User-Agent: %s", argv[4]);
    headers = curl_slist_append(headers, line);
    (void)snprintf(line, sizeof line, "Authorization: Bearer %s", argv[3]);
    headers = curl_slist_append(headers, line);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(c, CURLOPT_CAINFO, argv[2]);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    while (ok && fgets(line, sizeof line, stdin) != NULL && strncmp(line, "quit", 4) != 0) {
        int echo = strncmp(line, "echo", 4) == 0;
        (void)snprintf(url, sizeof url, "%s/%s", argv[1], echo ? "echo" : "small");
        curl_easy_setopt(c, CURLOPT_URL, url);
        if (echo) {
            ok = get(c);
            (void)fwrite(body, 1, used, stdout);
            printf("\r\n");
        } else {
            ok = run(c, atol(line));
        }
        (void)fflush(stdout);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(c);
    return !ok;
}
