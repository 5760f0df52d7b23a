/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_owner.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "log.h"
#include "node.h"
#include "quote.h"
#include "record.h"
#include "tpm_public.h"

#define KIND "ekkey"
#define SETTING "ek_owners"
#define ID_SIZE 64

static int key_name(const struct buf *ek_public, char ret[DIGEST_HEX_SIZE])
{
	struct digest d;
	struct why why;
	int r = tpm_public_key_id(ek_public->data, ek_public->size, &d, &why);

	/* To who asks which node it is, bytes that are no key are no key. */
	if (r < 0)
		return r == -EBADMSG ? -EKEYREJECTED : r;
	digest_hex(&d, ret);
	return 0;
}

/* -ENOENT: nobody's. */
static int owner_of(const struct store *s, const char *key, char ret[65])
{
	CLEANUP(buf_done) struct buf b = {.max = ID_SIZE};
	int r = s->ops->blob_get(s->ctx, KIND, key, &b);

	if (r < 0)
		return r;
	if (b.size != ID_SIZE)
		return -EIO;
	memcpy(ret, b.data, ID_SIZE);
	ret[ID_SIZE] = 0;
	return 0;
}

static int give(const struct store *s, const char *key, const char *node)
{
	return s->ops->blob_put(s->ctx, KIND, key, node, ID_SIZE);
}

int ek_owner_claim(const struct store *s, const struct buf *ek_public, const char *node,
		   char ret_owner[65])
{
	char key[DIGEST_HEX_SIZE], owner[65];
	int r = key_name(ek_public, key);

	if (r >= 0)
		r = owner_of(s, key, owner);
	if (r == -ENOENT)
		return give(s, key, node);
	if (r < 0 || strcmp(owner, node) == 0)
		return r;
	memcpy(ret_owner, owner, sizeof(owner));
	return 1;
}

static int gather(const struct store *s, const struct store_node *n, const struct buf *ek_public)
{
	char key[DIGEST_HEX_SIZE], owner[65];
	struct why why = {""};
	int r = key_name(ek_public, key);

	/* One that would not be enrolled today: it has no claim but to stay gone. */
	if (r == -EKEYREJECTED ||
	    (r >= 0 && !node_is_gone(n->life) &&
	     quote_check_ek(ek_public->data, ek_public->size, &why) == -EKEYREJECTED)) {
		log_warning("node=%s ek=refused reason=\"%s\" next=\"it is not enrolled anew; see "
			    "whether its TPM is another node's\"",
			    n->id, why.text);
		return 0;
	}
	if (r >= 0)
		r = owner_of(s, key, owner);
	if (r == -ENOENT)
		return give(s, key, n->id);
	if (r < 0 || strcmp(owner, n->id) == 0)
		return r;
	log_error(
		"node=%s other=%s ek=same next=\"they are one TPM, which from here on is %.64s to "
		"any enrolment; retire the other\"",
		n->id, owner, node_is_gone(n->life) ? n->id : owner);
	return node_is_gone(n->life) ? give(s, key, n->id) : 0;
}

struct gathering {
	const struct store *store;
};

static int on_node(void *ctx, const struct store_node *n)
{
	const struct gathering *g = ctx;
	struct record record = {.incarnation = 0};
	struct why why;
	int r = n->record.size ? record_parse(n->record.data, n->record.size, &record, &why)
			       : -EBADMSG;

	if (r < 0)
		return r == -EBADMSG ? 0 : r;
	r = gather(g->store, n, &record.ek_public);
	record_done(&record);
	return r;
}

int ek_owner_gather(const struct store *s)
{
	CLEANUP(buf_done) struct buf done = {0};
	struct gathering g = {s};
	int r = s->ops->setting_get(s->ctx, SETTING, &done);

	if (r != -ENOENT)
		return r;
	r = s->ops->begin(s->ctx);
	if (r < 0)
		return r;
	r = s->ops->node_each(s->ctx, on_node, &g);
	if (r >= 0)
		r = s->ops->setting_put(s->ctx, SETTING, "1");
	if (r >= 0)
		return s->ops->commit(s->ctx);
	s->ops->rollback(s->ctx);
	return r;
}
