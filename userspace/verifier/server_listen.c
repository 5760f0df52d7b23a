/* SPDX-License-Identifier: Apache-2.0 */
#include "server_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "v4:port", "[v6]:port"; port 0: any. The library would take a missing port for any, and refuse 0. */
static int parse_listen(const char *listen, struct sockaddr_storage *ret, int *ret_size)
{
	const char *colon = strrchr(listen, ':');
	char address[64], *end;
	unsigned long port;

	if (!colon || colon[1] < '0' || colon[1] > '9' ||
	    (listen[0] != '[') != (strchr(listen, ':') == colon) ||
	    snprintf(address, sizeof(address), "%.*s:1", (int)(colon - listen), listen) >=
		    (int)sizeof(address))
		return -EINVAL;
	port = strtoul(colon + 1, &end, 10);
	*ret_size = sizeof(*ret);
	memset(ret, 0, sizeof(*ret));
	if (*end || port > 65535 ||
	    evutil_parse_sockaddr_port(address, (struct sockaddr *)ret, ret_size) != 0)
		return -EINVAL;
	if (ret->ss_family == AF_INET6)
		((struct sockaddr_in6 *)ret)->sin6_port = htons((uint16_t)port);
	else
		((struct sockaddr_in *)ret)->sin_port = htons((uint16_t)port);
	return 0;
}

static uint16_t port_of(evutil_socket_t fd)
{
	struct sockaddr_storage a;
	socklen_t size = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &size) < 0)
		return 0;
	return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
					     : ((struct sockaddr_in *)&a)->sin_port);
}

static int listen_failed(const char *listen, int error, struct why *ret_why)
{
	const char *cure = "is another verifier running? --listen=ADDRESS:PORT gives another one";

	if (error == EACCES || error == EPERM)
		cure = "ports below 1024 take CAP_NET_BIND_SERVICE; --listen=ADDRESS:8443";
	else if (error == EADDRNOTAVAIL)
		cure = "this machine does not have that address";
	return why_set(ret_why, -EADDRINUSE, "listen: %.60s: %s; %s", listen, strerror(error),
		       cure);
}

int server_listen(struct evhttp *http, struct event_base *base, const char *listen,
		  uint16_t *ret_port, struct why *ret_why)
{
	struct sockaddr_storage a;
	struct evconnlistener *listener;
	uint16_t port;
	int size, r = parse_listen(listen, &a, &size);

	if (r < 0)
		return why_set(ret_why, r, "listen: \"%.100s\" is not ADDRESS:PORT", listen);
	listener = evconnlistener_new_bind(
		base, NULL, NULL, LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
		512, (struct sockaddr *)&a, size);
	if (!listener)
		return listen_failed(listen, errno, ret_why);
	port = port_of(evconnlistener_get_fd(listener));
	if (!evhttp_bind_listener(http, listener)) {
		evconnlistener_free(listener);
		return -ENOMEM;
	}
	*ret_port = port;
	return 0;
}
