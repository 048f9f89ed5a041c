/* bare_curl: what a program costs that does nothing but libcurl: one easy handle,
 * set once, the same request over and over, the body put in a buffer.
 * Usage: bare_curl URL REQUESTS CA-FILE. Prints CPU and wall clock in us per request. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static char body[1 << 20];
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

static double cpu(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static double wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
    CURL *c;
    struct curl_slist *headers = NULL;
    long i, n = argc > 2 ? atol(argv[2]) : 0;
    double cpu0 = 0, wall0 = 0;
    if (argc < 4 || n < 1)
        return 2;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    c = curl_easy_init();
    headers = curl_slist_append(headers, "Authorization: Bearer 0123456789abcdef0123456789abcdef");
    headers = curl_slist_append(headers, "User-Agent: bench");
    curl_easy_setopt(c, CURLOPT_URL, argv[1]);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(c, CURLOPT_CAINFO, argv[3]);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    for (i = -20; i < n; i++) {
        if (i == 0) {
            cpu0 = cpu();
            wall0 = wall();
        }
        used = 0;
        if (curl_easy_perform(c) != CURLE_OK || used == 0)
            return 1;
    }
    printf("%.3f %.3f\n", (cpu() - cpu0) / (double)n, (wall() - wall0) / (double)n);
    curl_slist_free_all(headers);
    curl_easy_cleanup(c);
    return 0;
}
