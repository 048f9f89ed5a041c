/* transfer_private: what the files of the transfers share. Must never be
 * included from outside src/io/transfer*.c and src/io/curl_*.c. */
#ifndef AG_IO_TRANSFER_PRIVATE_H
#define AG_IO_TRANSFER_PRIVATE_H

#include <curl/curl.h>
#include <stdatomic.h>

#include "io/engine_poll.h"
#include "io/transfer.h"
#include "io/transfer_buffer.h"
#include "io/transfer_host.h"
#include "io/transfer_loop.h"
#include "io/transfer_sockets.h"

/* How the easy handle is set to send a body. */
typedef enum ag_body_kind { AG_BODY_UNSET, AG_BODY_NONE, AG_BODY_HEAD, AG_BODY_POST, AG_BODY_UPLOAD } ag_body_kind;

/* What the receiver said of the answer's body. */
typedef enum ag_body_mode { AG_MODE_UNDECIDED, AG_MODE_STREAM, AG_MODE_COLLECT, AG_MODE_DROP } ag_body_mode;

/* How often HTTP/2 has served a host (transfer_h2.c). */
enum { AG_H2_HOSTS = 16 };
typedef struct ag_h2_use {
    uint32_t host;          /* a hash; 0: free */
    unsigned used;          /* answers on the calling thread, else requests */
    unsigned char variant;
    bool speaks_h2;         /* as far as known */
    bool scouted;           /* one request makes the new connection, the others wait for it */
    bool trouble;           /* the last to connect there for others as well could not */
} ag_h2_use;

struct ag_pool {
    ag_alloc a;
    unsigned refs;
    bool closed;
    unsigned forks;         /* ag_curl_forks() when it was last used */
    CURLM *multi;           /* NULL until the first transfer */
    ag_transfer *idle;      /* last used first: its buffers are warm */
    unsigned idle_count;
    ag_transfer *busy;
    ag_transfer *loose;     /* one of the busy ones, or NULL */
    unsigned keep_idle;
    ag_sockets sockets;
    ag_settings *settings;  /* a reference; NULL: each request brings its own */
    long max_connections;
    ag_h2_use h2[AG_H2_HOSTS];

    /* of the engine's only (transfer_loop.c) */
    long per_host;
    ag_poller *poller;      /* borrowed; NULL: the pool is moved by ag_transfer_step */
    bool blind;             /* the poller could not be told of a socket: look after all of them */
    bool released;          /* somebody who had to wait for a connection need not any more */
    ag_transfer *changed;   /* those that may have something to say */
};

/* What the easy handle is set to now, so that only differences are set again. */
typedef struct ag_easy_set {
    ag_body_kind kind;
    bool custom;            /* CURLOPT_CUSTOMREQUEST is there */
    bool direct;            /* proxies are off: loopback */
    bool raw;               /* no decoding: the caller has its own Accept-Encoding */
    bool fresh;
    bool last;              /* the connection is closed after this exchange */
    bool http1;             /* no HTTP/2, but a connection of its own */
    bool pipewait;          /* waits for a connection that can be shared */
    unsigned char variant;  /* see transfer_h2.c */
    long connect_ms;        /* libcurl's own limit for connecting; 0: its default */
} ag_easy_set;

struct ag_settings {
    ag_alloc a;
    atomic_uint refs;
    ag_str proxy, no_proxy, ca_file;
};

struct ag_transfer {
    ag_pool *pool;
    ag_transfer *prev, *next;
    ag_transfer *changed_next;
    bool is_changed;
    void *owner;            /* the engine's job; borrowed */
    ag_settings *settings;  /* a reference: what the easy handle is set to */
    CURL *easy;             /* NULL: lost in a fork */
    bool in_multi;
    bool finished;
    ag_easy_set set;
    ag_err err;

    /* request */
    ag_buffer url;          /* what CURLOPT_URL is set to; host and loopback are its */
    uint32_t host;          /* for transfer_h2.c */
    bool loopback;
    CURLU *parsed;          /* the same, once it has been asked for twice; NULL before */
    ag_buffer header_text;  /* wiped after each exchange */
    struct curl_slist *header_nodes;
    size_t header_cap;
    bool once, secret;
    bool scout, closes;     /* see transfer_h2.c */
    int64_t deadline, connect_deadline; /* ag_platform_now's boot_ms; INT64_MAX: none */
    int attempts;           /* how often libcurl set about sending it */
    ag_buffer feed;
    size_t feed_taken;
    int64_t feed_left;      /* -1: length not known */
    bool feed_wanted, feed_ended;

    /* response */
    int status;
    ag_buffer headers;
    size_t headers_total;
    bool headers_done, headers_told;
    ag_buffer body;
    int64_t body_total, body_max;
    ag_body_mode mode;
    bool recv_paused, send_paused;
    ag_err_code refused;    /* why a callback of ours broke it off; AG_E_NONE: none did */
    char errbuf[CURL_ERROR_SIZE];
};

/* transfer_pool.c */
ag_transfer *ag_pool_take(ag_pool *p, ag_settings *s, ag_err *e);   /* ready to be set, in the busy list */
void ag_pool_give_back(ag_transfer *t);                 /* may free it */
void ag_pool_check_fork(ag_pool *p);
bool ag_pool_drive(ag_pool *p);                         /* moves all on; false: libcurl has failed */
void ag_pool_collect(ag_pool *p);                       /* finishes what libcurl says is over */
void ag_pool_poll(ag_pool *p, int ms);
void ag_pool_add(ag_transfer *t);
void ag_pool_remove(ag_transfer *t);

/* transfer.c */
void ag_transfer_finish(ag_transfer *t, CURLcode code);
void ag_transfer_changed(ag_transfer *t);               /* it may have something to say: for the engine */
void ag_transfer_lost(ag_transfer *t, ag_err_code code, const char *text);

/* transfer_options.c */
bool ag_transfer_options_once(ag_transfer *t, ag_err *e);
bool ag_transfer_options_set(ag_transfer *t, const ag_transfer_request *r, ag_err *e);
bool ag_transfer_options_multi(ag_pool *p, ag_err *e);

/* transfer_headers.c: the request's headers as libcurl wants them; *list may be NULL. */
bool ag_transfer_headers_build(ag_transfer *t, const ag_transfer_request *r, struct curl_slist **list, bool *own_encoding,
                               ag_err *e);

/* transfer_callbacks.c */
void ag_transfer_callbacks_set(ag_transfer *t);

/* transfer_h2.c */
uint32_t ag_h2_host(const ag_host *h);
void ag_h2_over(ag_transfer *t);                        /* answered or not */
bool ag_h2_is_worn(const ag_pool *p, uint32_t host);    /* is the next request this connection's last? */
/* Where requests share connections: which of them the next one may go on, and how to say so. */
enum { AG_H2_VARIANTS = 2, AG_H2_NONE_LEFT = AG_H2_VARIANTS };
unsigned char ag_h2_variant(ag_transfer *t, bool *last);   /* last: of its connection */
void ag_h2_is_there(ag_transfer *t);                    /* it has its connection, or never will */
bool ag_h2_is_scouted(const ag_pool *p, uint32_t host);
void ag_h2_set_variant(ag_transfer *t, unsigned char variant);
void ag_h2_unconnected(ag_transfer *t);
bool ag_h2_is_spoken(const ag_pool *p, uint32_t host);  /* as far as known */
bool ag_h2_is_trouble(const ag_pool *p, uint32_t host);

/* transfer_loop.c */
void ag_loop_options(ag_pool *p);

/* curl_error.c */
void ag_curl_error(ag_transfer *t, CURLcode code);

#endif
