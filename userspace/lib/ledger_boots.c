/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_boots.h"

#include <stdio.h>
#include <string.h>

#include "cleanup.h"

static int keep_claim(void *ctx, const char *key, const char *value)
{
	struct ledger_boots_one *o = ctx;
	const struct {
		const char *key;
		char *room;
		size_t size;
	} kept[] = {
		{"measured:secure_boot", o->secure_boot, sizeof(o->secure_boot)},
		{"measured:kernel", o->kernel, sizeof(o->kernel)},
		{"measured:cmdline", o->cmdline, sizeof(o->cmdline)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (strcmp(key, kept[i].key) == 0 && strlen(value) < kept[i].size)
			memcpy(kept[i].room, value, strlen(value) + 1);
	return 0;
}

static bool is_of(const struct ledger_boots_one *o, uint32_t reset_count,
		  const struct quote_pcrs *pcrs, const struct digest *log)
{
	if (o->reset_count != reset_count || !digest_equal(&o->log, log) ||
	    (o->pcrs.mask & LEDGER_BOOT_PCRS) != (pcrs->mask & LEDGER_BOOT_PCRS))
		return false;
	for (uint32_t i = 0; i < 16; i++)
		if ((pcrs->mask & LEDGER_BOOT_PCRS & 1u << i) &&
		    !digest_equal(&o->pcrs.values[i], &pcrs->values[i]))
			return false;
	return true;
}

/* The oldest makes room: it was checked, and its log is the first to go from the disk. What is bad stays, as long as anything else is there. */
static struct ledger_boots_one *place(struct ledger_boots *b)
{
	uint32_t i = 0;

	if (b->n < LEDGER_BOOT_MAX)
		return &b->boots[b->n++];
	b->more++;
	while (i < b->n && b->boots[i].result == LEDGER_BOOT_BAD)
		i++;
	i = i < b->n ? i : 0;
	memmove(&b->boots[i], &b->boots[i + 1], (b->n - i - 1) * sizeof(b->boots[0]));
	return &b->boots[b->n - 1];
}

int ledger_boots_quote(struct ledger_boots *b, uint64_t line, uint32_t reset_count,
		       const struct quote_pcrs *pcrs, const struct digest *log,
		       const struct ledger_boots_one **ret)
{
	struct ledger_boots_one *o = NULL, one = {.first_line = line,
						  .last_line = line,
						  .n_quotes = 1,
						  .reset_count = reset_count,
						  .log = *log,
						  .pcrs = *pcrs};
	struct why why = {""};
	int r;

	for (uint32_t i = b->n; i-- > 0 && !o;)
		if (is_of(&b->boots[i], reset_count, pcrs, log))
			o = &b->boots[i];
	if (o) {
		o->last_line = line;
		o->n_quotes++;
		return 0;
	}
	r = ledger_boot_check(&b->files, pcrs, log, keep_claim, &one, &one.result, &why);
	if (r < 0)
		return r;
	snprintf(one.why, sizeof(one.why), "%s", why.text);
	o = place(b);
	*o = one;
	*ret = o;
	return 1;
}
