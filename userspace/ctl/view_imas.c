/* SPDX-License-Identifier: Apache-2.0 */
#include "view_imas.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "print.h"

static void head(const struct ledger_imas_one *o)
{
	static const enum print_colour colours[] = {PRINT_GREEN, PRINT_RED, PRINT_YELLOW,
						    PRINT_PLAIN};

	printf("  ima        %s%s%s  boot %.8s", print_on(stdout, colours[o->result]),
	       ledger_boot_result_name(o->result), print_off(stdout), o->boot);
	if (o->n_quotes > 0)
		printf(", quotes %" PRIu64 " in lines %" PRIu64 " to %" PRIu64, o->n_quotes,
		       o->first_line, o->last_line);
	if (o->present)
		printf(", %" PRIu64 " of %" PRIu64 " entries are what PCR 10 was quoted with",
		       o->proven, o->entries);
	if (o->why[0]) {
		fputs(": ", stdout);
		print_safe(stdout, o->why, strlen(o->why));
	}
	fputc('\n', stdout);
}

void view_imas_rows(const struct ledger_imas *m)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (m->lists[i].result != LEDGER_BOOT_NOTHING)
			head(&m->lists[i]);
	if (m->more)
		printf("  ima        and %" PRIu64 " more than are told apart\n", m->more);
}

static void put_one(const struct ledger_imas_one *o, struct jsonl *j)
{
	jsonl_str(j, "result", ledger_boot_result_name(o->result));
	jsonl_str(j, "why", o->why);
	jsonl_str(j, "list", o->list);
	jsonl_str(j, "boot", o->boot);
	jsonl_uint(j, "quotes", o->n_quotes);
	jsonl_uint(j, "proven_quotes", o->n_proven);
	jsonl_uint(j, "first_line", o->n_quotes ? o->first_line : 0);
	jsonl_uint(j, "last_line", o->last_line);
	jsonl_uint(j, "seals", o->n_seals);
	jsonl_uint(j, "entries", o->entries);
	jsonl_uint(j, "proven", o->proven);
	jsonl_bool(j, "kexec", o->continued);
	jsonl_uint(j, "violations", o->tally.violations);
	jsonl_uint(j, "other_pcr", o->tally.other_pcr);
	jsonl_uint(j, "unknown", o->tally.unknown);
	jsonl_uint(j, "altered", o->tally.altered);
	jsonl_uint(j, "sig_good", o->tally.sig_good);
	jsonl_uint(j, "sig_bad", o->tally.sig_bad);
	jsonl_uint(j, "sig_unchecked", o->tally.sig_unchecked);
}

void view_imas_members(const struct ledger_imas *m, struct jsonl *j)
{
	jsonl_array(j, "ima");
	for (uint32_t i = 0; i < m->n; i++) {
		jsonl_object(j, NULL);
		put_one(&m->lists[i], j);
		jsonl_close(j);
	}
	jsonl_close(j);
	jsonl_uint(j, "more_ima", m->more);
}

static void tally(const struct ledger_imas_one *o, bool keys)
{
	const struct ledger_imas_tally *t = &o->tally;

	printf("      list %s\n", o->list);
	printf("      entries %" PRIu64 "%s, violations %" PRIu64 ", of another PCR %" PRIu64
	       ", of a template that is not known %" PRIu64 ", altered %" PRIu64 "\n",
	       o->n_proven ? o->proven : o->entries, o->n_proven ? "" : ", none of them proven",
	       t->violations, t->other_pcr, t->unknown, t->altered);
	printf("      signatures good %" PRIu64 ", bad %" PRIu64 ", unchecked %" PRIu64 "%s\n",
	       t->sig_good, t->sig_bad, t->sig_unchecked,
	       keys ? "" : "; --ima-keys names the keys");
	if (o->continued)
		printf("      this kernel was started by kexec: PCR 10 goes on from the list "
		       "before\n");
}

static int worst(const struct ledger_imas *m)
{
	int code = m->n > 0 && m->more == 0 ? PRINT_GOOD : PRINT_UNKNOWN;

	for (uint32_t i = 0; i < m->n; i++) {
		if (m->lists[i].result == LEDGER_BOOT_BAD)
			return PRINT_NOT_GOOD;
		if (m->lists[i].result != LEDGER_BOOT_GOOD)
			code = PRINT_UNKNOWN;
	}
	return code;
}

int view_imas(const struct ledger_imas *m, bool keys, bool json)
{
	CLEANUP(buf_done) struct buf text = {0};
	struct jsonl j;

	if (json) {
		jsonl_begin(&j, &text);
		view_imas_members(m, &j);
		jsonl_end(&j);
		if (buf_status(&text) < 0)
			return print_failure(PRINT_UNKNOWN, "no memory");
		puts((char *)text.data);
		return worst(m);
	}
	for (uint32_t i = 0; i < m->n; i++) {
		head(&m->lists[i]);
		if (m->lists[i].present)
			tally(&m->lists[i], keys);
	}
	if (m->n == 0)
		printf("  no quote that holds and no `ima` line: nothing tells what IMA "
		       "measured\n");
	return worst(m);
}
