/* transfer: one HTTP exchange at a time, or several side by side, on the
 * calling thread. Knows libcurl, and nobody else does: no curl.h in here.
 * Must never follow a redirect, keep a cookie, log in by itself, or call
 * anybody's code from inside libcurl.
 *
 * A pool owns its transfers, their buffers and the kept connections. It
 * belongs to one thread at a time. After a fork the child starts with nothing:
 * the inherited connections are neither used nor shut down there.
 *
 * What is wiped: our copy of the request headers always, our buffer of the
 * response body when the request says `secret`. What can't be: libcurl's own
 * copies (send and receive buffers, the URL), and the caller's strings. */
#ifndef AG_IO_TRANSFER_H
#define AG_IO_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/alloc.h"
#include "core/err.h"

enum {
    AG_TRANSFER_MAX_HEADERS = 256 * 1024, /* bytes of response headers, every answer of one exchange together */
    AG_TRANSFER_MAX_CHUNK = 256 * 1024    /* about this much is held before the receiver is asked to take it */
};
#define AG_TRANSFER_MAX_BODY ((int64_t)64 * 1024 * 1024) /* of a collected body, when the request names no limit */

typedef struct ag_pool ag_pool;
typedef struct ag_transfer ag_transfer;
typedef struct ag_settings ag_settings;

/* Copied. NULL: not said. */
typedef struct ag_settings_options {
    const char *proxy;      /* NULL: as the environment says; "": none */
    const char *no_proxy;
    const char *ca_file;    /* NULL: CURL_CA_BUNDLE, SSL_CERT_FILE, else the system's */
} ag_settings_options;

/* How one client gets through to the network. Never changes, so that threads can share it. The maker's
 * is the first reference; each is given back with ag_settings_unref, on any thread. NULL: *e says why. */
ag_settings *ag_settings_new(const ag_alloc *a, const ag_settings_options *o, ag_err *e);
void ag_settings_ref(ag_settings *s);
void ag_settings_unref(ag_settings *s);     /* NULL: nothing */

/* Borrowed while ag_transfer_start runs; the body's bytes until the transfer is ended. */
typedef struct ag_transfer_request {
    ag_settings *settings;  /* borrowed; NULL: the pool's */
    ag_view method;
    ag_view url;            /* NUL-terminated as well */
    ag_view headers;        /* "Name: value\r\n"... */
    ag_view body;           /* p == NULL: none */
    bool has_source;        /* the body is fed piece by piece */
    int64_t source_length;  /* bytes; -1: not known */
    double timeout;         /* seconds for everything; 0: no limit */
    double connect_timeout; /* seconds, name look-up and TLS included; 0: 300, which is libcurl's */
    int64_t max_body;       /* bytes once decompressed; -1: not said */
    bool fresh;             /* on a new connection, and sent at most once */
    bool once;              /* on any, and sent at most once */
    bool secret;            /* the answer holds tokens */
    bool stream;            /* the caller decides at AG_STEP_HEADERS */
} ag_transfer_request;

typedef enum ag_step {
    AG_STEP_WAIT,           /* the time given is over */
    AG_STEP_HEADERS,        /* the final headers are there (only if req.stream); call ag_transfer_accept */
    AG_STEP_CHUNK,          /* take it with ag_transfer_body + ag_transfer_body_taken */
    AG_STEP_NEED,           /* the body goes on with ag_transfer_feed */
    AG_STEP_DONE,
    AG_STEP_ERROR           /* ag_transfer_error */
} ag_step;

typedef enum ag_accept { AG_ACCEPT_STREAM, AG_ACCEPT_COLLECT, AG_ACCEPT_DROP } ag_accept;

/* The pool is the caller's first reference; each is given back with ag_pool_unref. It holds a reference
 * to the settings of its requests. max_connections: kept for reuse; 0: not said. NULL: *e says why. */
ag_pool *ag_pool_new(const ag_alloc *a, ag_settings *s, long max_connections, ag_err *e);
void ag_pool_ref(ag_pool *p);
void ag_pool_unref(ag_pool *p);
/* Ends the connections now. Transfers under way fail with 'closed'; they are still to be ended. */
void ag_pool_close(ag_pool *p);

/* NULL: *e says why, nothing was sent. The transfer is the pool's until ag_transfer_end. */
ag_transfer *ag_transfer_start(ag_pool *p, const ag_transfer_request *r, ag_err *e);
/* A loose transfer has nobody yet who would end it: the next use of the pool by anything else does.
 * For the moment between a start and the making of the object that holds it. NULL: none is. */
void ag_pool_set_loose(ag_pool *p, ag_transfer *t);
/* Moves everything in the pool on; returns as soon as this transfer has something to say,
 * or when max_wait seconds are over (0: does not wait; < 0: waits to the end). */
ag_step ag_transfer_step(ag_transfer *t, double max_wait);
/* AG_STEP_DONE or AG_STEP_ERROR when it is over, else AG_STEP_WAIT. Moves nothing. */
ag_step ag_transfer_outcome(const ag_transfer *t);
void ag_transfer_accept(ag_transfer *t, ag_accept how);
/* p == NULL is the body's end. False: more or less than source_length, or out of memory;
 * the transfer has failed then. */
bool ag_transfer_feed(ag_transfer *t, ag_view piece);

/* What has come so far; the views hold until the next call for this transfer. */
int ag_transfer_status(const ag_transfer *t);
ag_view ag_transfer_headers(const ag_transfer *t);
ag_view ag_transfer_body(const ag_transfer *t);
void ag_transfer_body_taken(ag_transfer *t);
bool ag_transfer_collected(const ag_transfer *t);   /* is the whole body in ag_transfer_body? */
const char *ag_transfer_http_version(const ag_transfer *t); /* "1.1", "2", ...; NULL: not known */
const ag_err *ag_transfer_error(const ag_transfer *t);
/* May the server have seen the request? */
bool ag_transfer_sent(const ag_transfer *t);

/* Ends it (aborting what is under way), wipes what has to be, gives it back to the pool. */
void ag_transfer_end(ag_transfer *t);

#endif
