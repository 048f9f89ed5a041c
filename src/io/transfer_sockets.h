/* transfer_sockets: the descriptors libcurl opened for a pool: made
 * close-on-exec (a browser we start must not inherit them), and closed in a
 * forked child without a word to the server. Must never close one that libcurl
 * still uses in this process. */
#ifndef AG_IO_TRANSFER_SOCKETS_H
#define AG_IO_TRANSFER_SOCKETS_H

#include <curl/curl.h>

#include "core/alloc.h"

typedef struct ag_sockets {
    ag_alloc a;
    curl_socket_t *list;    /* owned */
    size_t n, cap;
} ag_sockets;

void ag_sockets_init(ag_sockets *s, const ag_alloc *a);
void ag_sockets_set(ag_sockets *s, CURL *easy); /* s must outlive the connections */
void ag_sockets_forked(ag_sockets *s);          /* in the child */
void ag_sockets_free(ag_sockets *s);

#endif
