/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_fixture.h: makes whole ledger directories: an enrolment record, lines in several segments, anchors over two boots, quotes,
 * notes by the event key and by a witness. Its keys are of software in the TPM's forms. In: a directory. Out: files. Aborts on failure.
 */
#ifndef PLUMB_LEDGER_FIXTURE_H
#define PLUMB_LEDGER_FIXTURE_H

#include "digest.h"
#include "fsio.h"
#include "ima_maker.h"
#include "ledger_ima.h"
#include "ledger_write.h"
#include "plumb/terms.h"
#include "quote.h"
#include "record.h"
#include "sign.h"
#include <stdint.h>

#define LEDGER_FIXTURE_ORIGIN_LOG "plumb.example"

struct ledger_fixture {
	const struct fsio *io;
	struct sign_key *ak, *event, *witness, *order;
	struct record record;
	struct ledger *ledger;
	struct ledger_recovery found;
	struct digest pcr; /* what the TPM holds */
	uint32_t reset_count, restart_count;
	uint64_t now_ns;
	const char *boot;		/* id, of its lines */
	const struct digest *pcr10;	/* quotes have it, too; NULL: they do not */
	uint64_t ima_cursor;
	struct quote_pcrs firmware;	/* quotes have these, too; none: PCR 0, which is zero */
	struct digest boot_log;		/* that quotes are bound to; zero: none */
};

/* Makes the keys and DIR/record.json, opens the ledger (io NULL: the real disk), and writes the log line and the first epoch. */
void ledger_fixture_open(struct ledger_fixture *f, const struct fsio *io, const char *dir,
			 uint64_t segment_size);
void ledger_fixture_done(struct ledger_fixture *f);
int ledger_fixture_record(struct ledger_fixture *f, enum plumb_type type,
			  const char *members); /* a record line */
int ledger_fixture_exec(struct ledger_fixture *f, const char *path, bool drift);
int ledger_fixture_commit(struct ledger_fixture *f); /* sync, extend, done */
int ledger_fixture_notes(struct ledger_fixture *f); /* event key and witness at the head */
int ledger_fixture_quote(struct ledger_fixture *f); /* commit, then the quote's line, synced */
int ledger_fixture_attest(struct ledger_fixture *f,
			  const struct checkpoint *c); /* the line alone: c is in f->pcr */
int ledger_fixture_reboot(
	struct ledger_fixture *f); /* an epoch from PCR zero, and the head extended anew */
/* What IMA measured: written to a file, quoted, then sealed and committed. Out: the file's name. */
void ledger_fixture_list(struct ledger_fixture *f, const char *dir, const struct ima_maker *ima,
			 char list[LEDGER_IMA_NAME_SIZE]);
/* The story that tests/data/ledger tells: two boots, a drift, three segments, all but the last line anchored. */
void ledger_fixture_story(const char *dir);
/* Plans, writes the `pruned` line and drops all closed segments below safe. */
int ledger_fixture_prune(struct ledger_fixture *f, const char *dir, uint64_t safe);
/* Two boots, each with a list of what IMA measured, quoted and sealed; the first one packed (tests/data/ledger-ima). */
void ledger_fixture_ima(const char *dir);
/* The same story, pruned twice (tests/data/ledger-pruned). */
void ledger_fixture_pruned(const char *dir);

#endif
