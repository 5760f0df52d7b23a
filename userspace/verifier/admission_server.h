/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission_server.h: HTTPS for the API server's webhooks, on a loop and thread of its own, so that no commit of the store and no appraisal
 * stands between a pod and its node. In: connections (hostile, bounded as the server's), certificate files that may be renewed. Out:
 * bodies to the desk, on that thread.
 */
#ifndef PLUMB_ADMISSION_SERVER_H
#define PLUMB_ADMISSION_SERVER_H

#include "admission_desk.h"
#include "why.h"

#define ADMISSION_SERVER_ROUTE "/admit"

struct admission_server;

struct admission_server_options { /* borrowed; files are read again when they change */
	struct admission_desk *desk;
	const char *listen;
	const char *cert_file, *key_file;
	const char *client_ca_file; /* who asks must have a certificate of it; NULL: anybody may */
	uint32_t max_connections, idle_ms, look_ms; /* 0: 1024, 120000, 30000 */
};

int admission_server_open(const struct admission_server_options *o, struct admission_server **ret,
			  struct why *ret_why);
uint16_t admission_server_port(const struct admission_server *s);
struct admission_server *admission_server_free(
	struct admission_server *s); /* waits for its thread */

#endif
