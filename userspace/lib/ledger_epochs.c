/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_epochs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"

int ledger_epochs_add(struct ledger_epochs *e, const uint8_t boot_id[16], uint32_t reset_count)
{
	struct ledger_epochs_one one = {.reset_count = reset_count};
	const struct ledger_epochs_one *last = e->n ? &e->all[e->n - 1] : NULL;

	memcpy(one.boot_id, boot_id, sizeof(one.boot_id));
	if (last && last->reset_count == reset_count &&
	    memcmp(last->boot_id, one.boot_id, sizeof(one.boot_id)) == 0)
		return 0;
	if (e->n >= LEDGER_EPOCHS_MAX)
		return -E2BIG;
	/* Doubles whenever the number is a power of two. */
	if ((e->n & (e->n - 1)) == 0) {
		size_t n = e->n ? e->n * 2ul : 1;
		void *more = realloc(e->all, n * sizeof(one));

		if (!more)
			return -ENOMEM;
		e->all = more;
	}
	e->all[e->n++] = one;
	return 0;
}

bool ledger_epochs_moved(const struct ledger_epochs *e, const char *boot)
{
	const struct ledger_epochs_one *first = NULL;
	uint8_t id[16];

	if (digest_bytes_from_hex(boot, strlen(boot), id, sizeof(id)) < 0)
		return false;
	for (uint32_t i = 0; i < e->n; i++) {
		if (memcmp(e->all[i].boot_id, id, sizeof(id)) != 0)
			continue;
		if (first && e->all[i].reset_count != first->reset_count)
			return true;
		/* What is right before the first of its own is another kernel's. */
		if (!first && i > 0 && e->all[i - 1].reset_count == e->all[i].reset_count)
			return true;
		first = first ? first : &e->all[i];
	}
	return false;
}

void ledger_epochs_done(struct ledger_epochs *e)
{
	free(e->all);
	*e = (struct ledger_epochs){.all = NULL};
}
