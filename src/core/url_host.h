/* url_host: what may stand as a URL's host. Must never resolve a name. */
#ifndef AG_CORE_URL_HOST_H
#define AG_CORE_URL_HOST_H

#include "core/alloc.h"

/* A DNS name or IPv4 address: letters, digits, '-', '_', labels that are not empty (a dot at the end is allowed). */
bool ag_host_name_ok(ag_view host);
/* 127.x.y.z in plain decimals, localhost, *.localhost. Not 127.1, 0x7f.1, 0177.0.0.1, 2130706433: they mean loopback
 * to some resolvers only. */
bool ag_host_name_is_loopback(ag_view host);
/* An IPv6 address without brackets or zone, in any spelling. */
bool ag_host_ipv6(ag_view host, unsigned char out[16]);

#endif
