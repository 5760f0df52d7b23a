/* SPDX-License-Identifier: Apache-2.0 */
#include "appraise_quote.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"

DEFINE_CLEANUP(struct sign_key *, sign_key_free);

/* Which of the errors say that the evidence is bad; with all others nothing is known about it. */
static bool is_verdict(int r)
{
	return r == -EBADMSG || r == -EKEYREJECTED || r == -EINVAL || r == -ENODATA || r == -E2BIG;
}

static int check_names(const struct appraise_quote_in *in, struct why *ret_why)
{
	const struct evidence *e = in->evidence;
	const struct record *k = in->record;

	if (e->provisional)
		return why_set(ret_why, -EBADMSG, "quote: a provisional has none");
	if (strcmp(e->node, k->node) != 0 || e->incarnation != k->incarnation)
		return why_set(ret_why, -EBADMSG,
			       "quote: evidence is of node %.16s… incarnation %llu, this is "
			       "%.16s… incarnation %llu",
			       e->node, (unsigned long long)e->incarnation, k->node,
			       (unsigned long long)k->incarnation);
	/* Another PCR would be one that somebody else may reset. */
	if (e->pcr_index != k->pcr_index)
		return why_set(ret_why, -EBADMSG, "quote: the runtime PCR is %u, not %u",
			       k->pcr_index, e->pcr_index);
	return 0;
}

static int check(const struct appraise_quote_in *in, struct quote_info *ret, struct why *ret_why)
{
	const struct evidence *e = in->evidence;
	const struct record *k = in->record;
	struct quote_binding b = {
		.nonce = {in->nonce, WIRE_NONCE_SIZE},
		.node = k->node,
		.incarnation = k->incarnation,
		.boot_log = e->boot_log,
		.ima_cursor = e->ima_cursor,
		.baseline_version = e->baseline_version,
		.last_order = e->last_order,
		.client_key = in->client_key,
	};
	uint32_t needed = in->pcr_mask | 1u << k->pcr_index;
	char text[CHECKPOINT_MAX_TEXT];
	struct digest qualifying;
	size_t size;
	int r = checkpoint_text(&e->checkpoint, text, &size);

	b.checkpoint = text;
	if (r >= 0)
		r = quote_qualifying_data(&b, &qualifying);
	if (r >= 0)
		r = quote_check(e->attest.data, e->attest.size, e->sig.data, e->sig.size,
				k->ak_public.data, k->ak_public.size, &qualifying, &e->pcrs, ret,
				ret_why);
	if (r >= 0 && (e->pcrs.mask & needed) != needed)
		r = why_set(ret_why, -EBADMSG, "quote: PCRs %#x are missing from it",
			    needed & ~e->pcrs.mask);
	return r;
}

int appraise_quote(const struct appraise_quote_in *in, bool *ret_good, struct quote_info *ret,
		   struct why *ret_why)
{
	struct quote_info info;
	int r = check_names(in, ret_why);

	if (r >= 0)
		r = check(in, &info, ret_why);
	if (r < 0 && !is_verdict(r))
		return r;
	if (r >= 0)
		*ret = info;
	*ret_good = r >= 0;
	return 0;
}

int appraise_quote_event_signed(struct evidence *e, const struct record *record, bool *ret_signed,
				struct why *ret_why)
{
	CLEANUP(sign_key_free_p) struct sign_key *key = NULL;
	bool is_signed = false;
	int r = quote_public_key(record->event_public.data, record->event_public.size, &key,
				 ret_why);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < e->n_notes && !is_signed; i++) {
		r = checkpoint_check(&e->checkpoint, CHECKPOINT_SIG_P256, record->origin, key,
				     e->notes[i], strlen(e->notes[i]), NULL, ret_why);
		if (r < 0 && r != -ENOENT && !is_verdict(r))
			return r;
		is_signed = r >= 0;
		if (is_signed && i > 0)
			memcpy(e->notes[0], e->notes[i], sizeof(e->notes[0]));
	}
	/* What is kept is read by others, who take each note for one that somebody looked at. */
	e->n_notes = is_signed;
	*ret_signed = is_signed;
	return 0;
}
