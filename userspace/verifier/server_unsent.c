/* SPDX-License-Identifier: Apache-2.0 */
#include "server_unsent.h"

#include <errno.h>
#include <stdlib.h>

#include "log.h"

#define SHARE 8 /* of max: what one certificate may have */

struct answer {
	struct server_unsent *s;
	struct answer *next, **at;
	size_t size;
	bool known, node;
	struct digest key; /* known: of its certificate */
};

struct server_unsent {
	uint64_t max;
	struct answer *answers;
	bool told, closed; /* told: that some are refused; until there is room again */
};

static struct answer answer_of(const struct cert_identity *who, size_t size)
{
	struct answer a = {.size = size, .known = who != NULL};

	if (!who)
		return a;
	a.node = who->kind == CERT_NODE;
	a.key = who->key_id;
	return a;
}

static bool same(const struct answer *a, const struct answer *b)
{
	return a->known == b->known && (!a->known || digest_equal(&a->key, &b->key));
}

int server_unsent_open(uint64_t max, struct server_unsent **ret)
{
	struct server_unsent *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->max = max;
	*ret = s;
	return 0;
}

struct server_unsent *server_unsent_free(struct server_unsent *s)
{
	if (!s)
		return NULL;
	s->closed = true;
	if (!s->answers)
		free(s);
	return NULL;
}

/* libevent frees a connection from the loop, or with the base: maybe later than the server. */
static void on_sent(const void *data, size_t size, void *ctx)
{
	struct answer *a = ctx;
	struct server_unsent *s = a->s;

	(void)size;
	*a->at = a->next;
	if (a->next)
		a->next->at = a->at;
	free((void *)(uintptr_t)data);
	free(a);
	if (s->answers)
		return;
	s->told = false;
	if (s->closed)
		free(s);
}

bool server_unsent_may(struct server_unsent *s, const struct cert_identity *who, size_t size)
{
	const struct answer wanted = answer_of(who, size);
	uint64_t all = 0, own = 0;

	if (size <= SERVER_UNSENT_SMALL)
		return true;
	for (const struct answer *a = s->answers; a; a = a->next) {
		all += a->node == wanted.node ? a->size : 0;
		own += same(a, &wanted) ? a->size : 0;
	}
	if ((all == 0 || all + size <= s->max) && (own == 0 || own + size <= s->max / SHARE))
		return true;
	if (!s->told)
		log_warning("answers=unread bytes=%llu of=%s next=\"further large ones are refused "
			    "with 503 until they are read\"",
			    (unsigned long long)all, wanted.node ? "nodes" : "operators");
	s->told = true;
	return false;
}

int server_unsent_put(struct server_unsent *s, const struct cert_identity *who, struct buf *body,
		      struct evbuffer *out)
{
	struct answer *a;

	if (body->size <= SERVER_UNSENT_SMALL)
		return evbuffer_add(out, body->data, body->size) < 0 ? -ENOMEM : 0;
	a = malloc(sizeof(*a));
	if (!a)
		return -ENOMEM;
	*a = answer_of(who, body->size);
	if (evbuffer_add_reference(out, body->data, body->size, on_sent, a) < 0) {
		free(a);
		return -ENOMEM;
	}
	a->s = s;
	a->next = s->answers;
	a->at = &s->answers;
	if (a->next)
		a->next->at = &a->next;
	s->answers = a;
	*body = (struct buf){.data = NULL};
	return 0;
}
