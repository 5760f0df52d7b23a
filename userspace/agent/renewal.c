/* SPDX-License-Identifier: Apache-2.0 */
#include "renewal.h"

#include <errno.h>
#include <string.h>

#include "cert.h"
#include "clock.h"
#include "log.h"

static int check(const struct renewal *n, const struct buf *pem, struct cert_identity *ret,
		 struct why *ret_why)
{
	int r = cert_identity_pem((const char *)pem->data, pem->size, ret, ret_why);

	if (r < 0)
		return -EKEYREJECTED;
	if (ret->kind != CERT_NODE || strcmp(ret->name, n->node) != 0 ||
	    !digest_equal(&ret->key_id, &n->client_key))
		return why_set(ret_why, -EKEYREJECTED, "it is not for this node's key");
	/* What is sent again, or was kept back, must not bring the end nearer. */
	if (ret->not_after_s <= n->not_after_s)
		return why_set(ret_why, -EKEYREJECTED, "it ends no later than the one in use");
	return 0;
}

int renewal_take(struct renewal *n, const struct buf *pem, struct why *ret_why)
{
	struct cert_identity id;
	char text[CLOCK_TEXT_SIZE];
	int r = check(n, pem, &id, ret_why);

	/* Kept first: what is in use must be there after a restart, too. */
	if (r >= 0)
		r = fsio_replace_file(n->io, n->path, pem->data, pem->size, 0600);
	if (r >= 0)
		r = transport_renew(n->transport, (const char *)pem->data);
	if (r < 0) {
		if (!ret_why->text[0])
			why_set(ret_why, r, "%.150s: %s", n->path, strerror(-r));
		log_error("certificate=unrenewed error=\"%s\" next=\"the old one goes on; the next "
			  "evidence gets another\"",
			  ret_why->text);
		return r;
	}
	n->not_after_s = id.not_after_s;
	clock_text(id.not_after_s * 1000000000, text);
	log_notice("certificate=renewed until=%s", text);
	return 0;
}
