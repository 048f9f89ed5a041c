/* transfer_options: every libcurl option we set, in one place, because that is
 * where safety lies. Must never turn a check of certificates off. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/transfer_private.h"

/* Only what a failed set-up would make unsafe or useless is checked. */
static bool set_or_fail(CURLcode code, ag_err *e)
{
    if (code == CURLE_OK)
        return true;
    return ag_fail(e, code == CURLE_OUT_OF_MEMORY ? AG_E_MEMORY : AG_E_NETWORK, "libcurl refused an option (%d)",
                   (int)code);
}

static bool allow_http_only(CURL *c, ag_err *e)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return set_or_fail(curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https"), e);
#else
    return set_or_fail(curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)), e);
#endif
}

/* As the curl tool does; not in a program that runs with more rights than its user. */
static const char *from_env(const char *name)
{
#if defined(__GLIBC__)
    const char *v = secure_getenv(name);
#else
    const char *v = getenv(name);
#endif
    return v != NULL && v[0] != '\0' ? v : NULL;
}

static bool set_tls(const ag_settings *s, CURL *c, ag_err *e)
{
    const char *ca = s->ca_file.p;
    if (ca == NULL)
        ca = from_env("CURL_CA_BUNDLE");
    if (ca == NULL)
        ca = from_env("SSL_CERT_FILE");
    if (!set_or_fail(curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L), e) ||
        !set_or_fail(curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L), e) ||
        !set_or_fail(curl_easy_setopt(c, CURLOPT_PROXY_SSL_VERIFYPEER, 1L), e) ||
        !set_or_fail(curl_easy_setopt(c, CURLOPT_PROXY_SSL_VERIFYHOST, 2L), e) ||
        !set_or_fail(curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2), e))
        return false;
#if defined(_WIN32) && LIBCURL_VERSION_NUM >= 0x074700
    if (ca == NULL)
        (void)curl_easy_setopt(c, CURLOPT_SSL_OPTIONS, (long)CURLSSLOPT_NATIVE_CA);
#endif
    if (ca == NULL)
        return true;
    /* a file that was asked for is trusted alone, not beside libcurl's built-in directory */
    if (s->ca_file.p != NULL && (!set_or_fail(curl_easy_setopt(c, CURLOPT_CAPATH, NULL), e) ||
                                 !set_or_fail(curl_easy_setopt(c, CURLOPT_PROXY_CAPATH, NULL), e)))
        return false;
    return set_or_fail(curl_easy_setopt(c, CURLOPT_CAINFO, ca), e) &&
           set_or_fail(curl_easy_setopt(c, CURLOPT_PROXY_CAINFO, ca), e);
}

/* The proxy for hosts that are not this machine. NULL: libcurl asks the environment. */
static bool set_proxy(ag_transfer *t, bool direct, ag_err *e)
{
    const ag_settings *s = t->settings;
    t->set.direct = direct;
    if (!set_or_fail(curl_easy_setopt(t->easy, CURLOPT_PROXY, direct ? "" : s->proxy.p), e))
        return false;
    return direct || s->no_proxy.p == NULL ||
           set_or_fail(curl_easy_setopt(t->easy, CURLOPT_NOPROXY, s->no_proxy.p), e);
}

bool ag_transfer_options_once(ag_transfer *t, ag_err *e)
{
    CURL *c = t->easy;
    if (!allow_http_only(c, e) || !set_tls(t->settings, c, e) || !set_proxy(t, false, e))
        return false;
    if (!set_or_fail(curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L), e) ||
        !set_or_fail(curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED), e) ||
        !set_or_fail(curl_easy_setopt(c, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE), e) ||
        !set_or_fail(curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L), e))
        return false;
    (void)curl_easy_setopt(c, CURLOPT_PRIVATE, t);
    (void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->errbuf);
    (void)curl_easy_setopt(c, CURLOPT_NOPROGRESS, 1L);
    (void)curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    (void)curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L);
    (void)curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    (void)curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L);
    (void)curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
#if LIBCURL_VERSION_NUM >= 0x075700
    (void)curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
#endif
    ag_sockets_set(&t->pool->sockets, c);
    ag_transfer_callbacks_set(t);
    return true;
}

bool ag_transfer_options_multi(ag_pool *p, ag_err *e)
{
    p->multi = curl_multi_init();
    if (p->multi == NULL)
        return ag_fail(e, AG_E_MEMORY, "out of memory");
    if (p->poller != NULL) {
        ag_loop_options(p);
        return true;
    }
    /* A paused stream stops its whole HTTP/2 connection: transfers side by side get one each. */
    (void)curl_multi_setopt(p->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    (void)curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, p->max_connections);
    return true;
}

static CURLcode set_kind(ag_transfer *t, const ag_transfer_request *r, ag_body_kind kind)
{
    CURL *c = t->easy;
    /* POST undoes neither of these */
    if (kind != t->set.kind && t->set.kind == AG_BODY_HEAD)
        (void)curl_easy_setopt(c, CURLOPT_NOBODY, 0L);
    if (kind != t->set.kind && t->set.kind == AG_BODY_UPLOAD)
        (void)curl_easy_setopt(c, CURLOPT_UPLOAD, 0L);
    if (kind == AG_BODY_POST) {
        (void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body.n > 0 ? r->body.p : "");
        (void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
    } else if (kind == AG_BODY_UPLOAD) {
        (void)curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->source_length);
    }
    if (kind == t->set.kind)
        return CURLE_OK;
    t->set.kind = kind;
    switch (kind) {
    case AG_BODY_HEAD:
        return curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    case AG_BODY_POST:
        return curl_easy_setopt(c, CURLOPT_POST, 1L);
    case AG_BODY_UPLOAD:
        return curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
    case AG_BODY_NONE:
    case AG_BODY_UNSET:
        break;
    }
    return curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
}

static bool set_method(ag_transfer *t, const ag_transfer_request *r, ag_err *e)
{
    char name[32];
    bool custom, body = r->body.p != NULL, empty_post;
    ag_body_kind kind;
    size_t i;
    if (r->method.n == 0 || r->method.n >= sizeof name)
        return ag_fail(e, AG_E_INVALID_ARGUMENT, "method is malformed");
    for (i = 0; i < r->method.n; i++) {
        name[i] = r->method.p[i];
        if (!((name[i] >= 'A' && name[i] <= 'Z') || (name[i] >= 'a' && name[i] <= 'z') || name[i] == '-'))
            return ag_fail(e, AG_E_INVALID_ARGUMENT, "method is malformed");
    }
    name[i] = '\0';
    /* RFC 9110, 8.6: these say Content-Length: 0 when there is no body. */
    empty_post = strcmp(name, "POST") == 0 || strcmp(name, "PUT") == 0 || strcmp(name, "PATCH") == 0;
    if (strcmp(name, "HEAD") == 0) {
        if (body || r->has_source)
            return ag_fail(e, AG_E_INVALID_ARGUMENT, "a HEAD request has no body");
        kind = AG_BODY_HEAD;
    } else if (r->has_source) {
        kind = AG_BODY_UPLOAD;
    } else {
        kind = body || empty_post ? AG_BODY_POST : AG_BODY_NONE;
    }
    custom = !(kind == AG_BODY_HEAD || (kind == AG_BODY_POST && strcmp(name, "POST") == 0) ||
               (kind == AG_BODY_UPLOAD && strcmp(name, "PUT") == 0) ||
               (kind == AG_BODY_NONE && strcmp(name, "GET") == 0));
    if (!set_or_fail(set_kind(t, r, kind), e))
        return false;
    if (!custom && !t->set.custom)
        return true;
    t->set.custom = custom;
    return set_or_fail(curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, custom ? name : NULL), e);
}

/* Of the engine's requests: how it gets a connection, its own or a shared one, and how long that may take. */
static bool set_sharing(ag_transfer *t, const ag_transfer_request *r, bool *last, ag_err *e)
{
    CURL *c = t->easy;
    /* libcurl may hold 32 MB for a paused stream of a shared connection */
    bool http1 = r->stream || r->has_source;
    unsigned char variant = http1 ? (unsigned char)AG_H2_NONE_LEFT : ag_h2_variant(t, last);
    long ms = r->connect_timeout > 0 && r->connect_timeout < 1e6 ? (long)(r->connect_timeout * 1000 + 0.999) : 0;
    bool wait;
    http1 = variant == AG_H2_NONE_LEFT;
    /* a kept HTTP/1.1 connection would be given to those that could share one */
    if ((r->stream || r->has_source) && ag_h2_is_spoken(t->pool, t->host))
        *last = true;
    wait = t->host != 0 && !http1 && !r->fresh && !ag_h2_is_trouble(t->pool, t->host);
    if (!http1)
        ag_h2_set_variant(t, variant);
    if (http1 != t->set.http1) {
        long version = http1 ? (long)CURL_HTTP_VERSION_1_1 : (long)CURL_HTTP_VERSION_2TLS;
        if (!set_or_fail(curl_easy_setopt(c, CURLOPT_HTTP_VERSION, version), e))
            return false;
        t->set.http1 = http1;
    }
    if (wait != t->set.pipewait) {
        (void)curl_easy_setopt(c, CURLOPT_PIPEWAIT, (long)wait);
        t->set.pipewait = wait;
    }
    if (ms != t->set.connect_ms) {
        (void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, ms);
        t->set.connect_ms = ms;
    }
    return true;
}

static void forget_url(ag_transfer *t)
{
    if (t->parsed != NULL) {
        (void)curl_easy_setopt(t->easy, CURLOPT_CURLU, NULL);
        curl_url_cleanup(t->parsed);
        t->parsed = NULL;
    }
    ag_buffer_clear(&t->pool->a, &t->url, SIZE_MAX, true);
}

static bool is_url(const ag_transfer *t, ag_view url)
{
    return t->url.n > 0 && t->url.n == url.n && memcmp(t->url.p, url.p, url.n) == 0; /* none is set: it is no URL yet */
}

/* libcurl takes a URL apart for every request, a sixth of all it does for a small one. It need
 * not when it has it in pieces, which pays for a URL that comes again and again. */
static bool set_url(ag_transfer *t, ag_view url, ag_err *e)
{
    CURLU *parsed;
    if (!is_url(t, url))
        return set_or_fail(curl_easy_setopt(t->easy, CURLOPT_URL, url.p), e) &&
               (ag_buffer_add(&t->pool->a, &t->url, url.p, url.n, true) || ag_fail(e, AG_E_MEMORY, "out of memory"));
    if (t->parsed != NULL)
        return true;
    parsed = curl_url();
    if (parsed != NULL && curl_url_set(parsed, CURLUPART_URL, url.p, 0) == CURLUE_OK &&
        curl_easy_setopt(t->easy, CURLOPT_CURLU, parsed) == CURLE_OK)
        t->parsed = parsed;
    else
        curl_url_cleanup(parsed); /* goes the long way then */
    return true;
}

static bool read_url(ag_transfer *t, ag_view url, ag_err *e)
{
    ag_host host;
    if (is_url(t, url))
        return true;
    if (memchr(url.p, '\0', url.n) != NULL || !ag_host_of_url(url, &host))
        return ag_fail(e, AG_E_INVALID_URL, "the URL is not one of http or https, or names a user");
    forget_url(t);
    t->host = ag_h2_host(&host);
    t->loopback = ag_host_is_loopback(&host);
    return true;
}

bool ag_transfer_options_set(ag_transfer *t, const ag_transfer_request *r, ag_err *e)
{
    struct curl_slist *list;
    bool own_encoding, last = false;
    if (!read_url(t, r->url, e))
        return false;
    if (!ag_transfer_headers_build(t, r, &list, &own_encoding, e) || !set_method(t, r, e))
        return false;
    if (!set_url(t, r->url, e) ||
        !set_or_fail(curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, list), e))
        return false;
    if (t->pool->poller == NULL)
        last = ag_h2_is_worn(t->pool, t->host);
    else if (!set_sharing(t, r, &last, e))
        return false;
    if (t->loopback != t->set.direct && !set_proxy(t, t->loopback, e))
        return false;
    if (own_encoding != t->set.raw) {
        if (!set_or_fail(curl_easy_setopt(t->easy, CURLOPT_ACCEPT_ENCODING, own_encoding ? NULL : ""), e))
            return false;
        t->set.raw = own_encoding;
    }
    if (r->fresh != t->set.fresh) {
        (void)curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, (long)r->fresh);
        t->set.fresh = r->fresh;
    }
    if (last != t->set.last) {
        (void)curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, (long)last);
        t->set.last = last;
    }
    return true;
}
