/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_listen.h: the address that an HTTP server listens at. In: "127.0.0.1:8443", "[::]:8443"; port 0: any. Out: a listener that evhttp
 * has, its port, or what is wrong and what helps.
 */
#ifndef PLUMB_SERVER_LISTEN_H
#define PLUMB_SERVER_LISTEN_H

#include "why.h"
#include <event2/event.h>
#include <event2/http.h>
#include <stdint.h>

int server_listen(struct evhttp *http, struct event_base *base, const char *listen,
		  uint16_t *ret_port, struct why *ret_why);

#endif
