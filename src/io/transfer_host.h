/* transfer_host: which host a URL that the core has checked goes to, and
 * whether that is this machine. Must never look a name up. */
#ifndef AG_IO_TRANSFER_HOST_H
#define AG_IO_TRANSFER_HOST_H

#include "core/alloc.h"

/* Borrowed from the URL. The host has no brackets; port.p == NULL: the scheme's own. */
typedef struct ag_host {
    ag_view name, port;
    bool https;
    bool v6;
} ag_host;

/* False: not http(s)://host..., or it has a user name. */
bool ag_host_of_url(ag_view url, ag_host *out);

/* 127.0.0.0/8 however written, ::1, localhost and *.localhost (RFC 6761). */
bool ag_host_is_loopback(const ag_host *h);

/* "host:port", cut to fit; for messages. */
void ag_host_label(const ag_host *h, char *out, size_t size);

#endif
