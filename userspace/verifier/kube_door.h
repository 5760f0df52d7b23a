/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube_door.h: the door to the Kubernetes API: its address, our token (read anew each time: it rotates), its CA; what its statuses mean; and a
 * 429 is obeyed: the same request again, after the time that it names. In: requests. Out: answers, bounded, on the loop's thread.
 */
#ifndef PLUMB_KUBE_DOOR_H
#define PLUMB_KUBE_DOOR_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include "buf.h"
#include "why.h"

#define KUBE_DOOR_JSON_PATCH "application/json-patch+json"
#define KUBE_DOOR_MERGE "application/merge-patch+json"
#define KUBE_DOOR_STRATEGIC "application/strategic-merge-patch+json"
#define KUBE_DOOR_MAX_WAITS 5	/* for a 429 */
#define KUBE_DOOR_MAX_WAIT_S 60

struct kube_door;

struct kube_options {			/* all borrowed but copied where kept */
	struct event_base *base;
	const char *server;		/* "https://…:6443" */
	const char *token_file;
	const char *ca_file;		/* read anew when the server's certificate is not taken */
	/* For errors, literals: the option that names token_file, NULL: kube_token_file; the file of deploy/kubernetes that has the account's rights,
	 * NULL: verifier-rbac.yaml. */
	const char *option, *rights;
};

struct kube_ask {			/* copied */
	const char *method;
	const char *path;		/* "/api/v1/nodes/n1?…"; names in it were checked by the caller */
	const char *type;		/* Content-Type; NULL: no body */
	const void *body;
	size_t size, max;		/* max: of the answer */
	const char *verb, *things;	/* "patch", "nodes/status": what RBAC must allow; literals */
	const char *name;		/* of the object, for errors */
	bool own_429;			/* a 429 means something to the caller */
	bool stream;			/* `data` is called with what comes; no time limit */
	int (*data)(void *ctx, const void *data, size_t size);
	/*
	 * Once, never from inside kube_door_ask(). r: 0 it is a 2xx. -EACCES 401, 403: our token or our rights. -ENOENT the API itself says that
	 * it is not there. -EBUSY 409, 422. -EBADMSG 400, 413, 415. -ESTALE 410. -EAGAIN any other status. Else as fetch has it. It may ask
	 * again, and may not free the door.
	 */
	void (*done)(void *ctx, int r, int status, const struct buf *body, const struct why *why);
	void *ctx;
};

int kube_door_open(const struct kube_options *o, struct kube_door **ret, struct why *ret_why);
struct kube_door *kube_door_free(struct kube_door *d);	/* those on their way end with -ECANCELED */
int kube_door_ask(struct kube_door *d, const struct kube_ask *a, struct why *ret_why);

#endif
