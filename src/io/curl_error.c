/* curl_error: what libcurl says went wrong, in our codes and words. A message
 * names host and port at most: never a path, a query or a header, and never
 * libcurl's own text, which may quote any of them. */
#include <string.h>

#include "io/transfer_private.h"

typedef struct failure {
    CURLcode curl;
    ag_err_code code;
    const char *text;       /* "%s" is the host and port */
} failure;

static const failure failures[] = {
    { CURLE_COULDNT_RESOLVE_HOST, AG_E_DNS, "the name of %s could not be looked up" },
    { CURLE_COULDNT_RESOLVE_PROXY, AG_E_DNS, "the name of the proxy for %s could not be looked up" },
    { CURLE_COULDNT_CONNECT, AG_E_NETWORK, "could not connect to %s" },
    { CURLE_GOT_NOTHING, AG_E_NETWORK, "%s closed the connection without an answer" },
    { CURLE_SEND_ERROR, AG_E_NETWORK, "the connection to %s broke while sending" },
    { CURLE_RECV_ERROR, AG_E_NETWORK, "the connection to %s broke while receiving" },
    { CURLE_PARTIAL_FILE, AG_E_NETWORK, "the answer of %s was cut short" },
    { CURLE_HTTP2, AG_E_NETWORK, "the HTTP/2 connection to %s failed" },
    { CURLE_HTTP2_STREAM, AG_E_NETWORK, "%s broke off the HTTP/2 stream" },
    { CURLE_SEND_FAIL_REWIND, AG_E_NETWORK, "the connection to %s broke, and the body can't be sent again" },
    { CURLE_INTERFACE_FAILED, AG_E_NETWORK, "could not connect to %s" },
    { CURLE_NO_CONNECTION_AVAILABLE, AG_E_NETWORK, "no connection to %s was to be had" },
    { CURLE_OUT_OF_MEMORY, AG_E_MEMORY, "out of memory" },
    { CURLE_OPERATION_TIMEDOUT, AG_E_TIMEOUT, "%s did not answer in time" },
    { CURLE_URL_MALFORMAT, AG_E_INVALID_URL, "the URL is malformed" },
    { CURLE_UNSUPPORTED_PROTOCOL, AG_E_INVALID_RESPONSE, "%s did not answer in HTTP" },
    { CURLE_WEIRD_SERVER_REPLY, AG_E_INVALID_RESPONSE, "%s did not answer in HTTP" },
    { CURLE_BAD_CONTENT_ENCODING, AG_E_INVALID_RESPONSE, "the answer of %s can't be decompressed" },
    { CURLE_FILESIZE_EXCEEDED, AG_E_TOO_LARGE, "the answer of %s is too large" },
    { CURLE_SSL_CACERT_BADFILE, AG_E_TLS, "the file of trusted certificates can't be read" },
    { CURLE_SSL_CONNECT_ERROR, AG_E_TLS, "no TLS connection to %s could be agreed on" },
    { CURLE_SSL_CIPHER, AG_E_TLS, "no TLS cipher could be agreed on with %s" },
    { CURLE_USE_SSL_FAILED, AG_E_TLS, "no TLS connection to %s could be agreed on" },
    { CURLE_SSL_ENGINE_NOTFOUND, AG_E_TLS, "no TLS connection to %s could be agreed on" },
    { CURLE_SSL_ISSUER_ERROR, AG_E_TLS, "the certificate of %s is from the wrong issuer" },
};

/* Which check failed, by the words TLS libraries use. */
static const struct {
    const char *word, *text;
} checks[] = {
    { "expired", "the certificate of %s has expired" },
    { "not yet valid", "the certificate of %s is not valid yet" },
    { "subject name", "the certificate of %s is for another name" },
    { "subjectAltName", "the certificate of %s is for another name" },
    { "does not match", "the certificate of %s is for another name" },
    { "self-signed", "the certificate of %s is signed by nobody who is trusted here (self-signed)" },
    { "self signed", "the certificate of %s is signed by nobody who is trusted here (self-signed)" },
    { "issuer cert", "the certificate of %s is signed by nobody who is trusted here" },
    { "revoked", "the certificate of %s was revoked" },
};

/* Sets code and text, whose only "%s" is the label. */
static void fail_with(ag_transfer *t, ag_err_code code, const char *text, const char *label)
{
    const char *mark = strstr(text, "%s");
    if (mark == NULL)
        (void)ag_fail(&t->err, code, "%s", text);
    else
        (void)ag_fail(&t->err, code, "%.*s%s%s", (int)(mark - text), text, label, mark + 2);
}

static void label_of(ag_transfer *t, char *out, size_t size)
{
    char *url = NULL;
    ag_host host;
    if (curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &url) == CURLE_OK && url != NULL &&
        ag_host_of_url(ag_view_of(url), &host))
        ag_host_label(&host, out, size);
    else
        memcpy(out, "the server", sizeof "the server");
}

static void tls_error(ag_transfer *t, const char *label)
{
    size_t i;
    for (i = 0; i < sizeof checks / sizeof *checks; i++)
        if (strstr(t->errbuf, checks[i].word) != NULL) {
            fail_with(t, AG_E_TLS, checks[i].text, label);
            return;
        }
    fail_with(t, AG_E_TLS, "the certificate of %s could not be verified", label);
}

/* A callback of ours stopped it, and knows why. */
static void refused_error(ag_transfer *t, const char *label)
{
    if (t->refused == AG_E_TOO_LARGE && !t->headers_done)
        fail_with(t, AG_E_TOO_LARGE, "the headers of the answer of %s are too large", label);
    else if (t->refused == AG_E_TOO_LARGE)
        fail_with(t, AG_E_TOO_LARGE, "the body of the answer of %s is over the limit", label);
    else if (t->refused == AG_E_MEMORY)
        fail_with(t, AG_E_MEMORY, "out of memory", label);
    else if (t->refused == AG_E_USER_CODE)
        fail_with(t, AG_E_USER_CODE, "the body is not as long as was said", label);
    else
        fail_with(t, t->refused, "%s closed the connection without an answer", label);
}

/* A TLS hand-shake that broke on the wire is no verdict on the certificate. */
static bool is_wire_trouble(const ag_transfer *t, CURLcode code)
{
    static const char *const words[] = { "SSL_ERROR_SYSCALL", "onnection reset", "unexpected eof", "Broken pipe" };
    size_t i;
    if (code != CURLE_SSL_CONNECT_ERROR)
        return false;
    for (i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(t->errbuf, words[i]) != NULL)
            return true;
    return false;
}

void ag_curl_error(ag_transfer *t, CURLcode code)
{
    char label[112];
    size_t i;
    label_of(t, label, sizeof label);
    if (t->refused != AG_E_NONE) {
        refused_error(t, label);
        return;
    }
    if (is_wire_trouble(t, code))
        code = CURLE_RECV_ERROR;
    /* libcurl 7 to 8.2 says so of a header line over 100 KB */
    if (code == CURLE_OUT_OF_MEMORY && t->attempts > 0 && !t->headers_done) {
        fail_with(t, AG_E_TOO_LARGE, "a header of the answer of %s is too large", label);
        return;
    }
    if (code == CURLE_PEER_FAILED_VERIFICATION) {
        tls_error(t, label);
        return;
    }
    for (i = 0; i < sizeof failures / sizeof *failures; i++)
        if (failures[i].curl == code) {
            fail_with(t, failures[i].code, failures[i].text, label);
            return;
        }
    (void)ag_fail(&t->err, AG_E_NETWORK, "the exchange with %s failed (libcurl says %d)", label, (int)code);
}
