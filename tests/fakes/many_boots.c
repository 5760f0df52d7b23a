/* SPDX-License-Identifier: Apache-2.0 */
#include "many_boots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bootlog_reading.h"
#include "cleanup.h"
#include "ledger_boot.h"
#include "ledger_fixture.h"

#define LOG "tests/data/bootlog/keylime_binary_bios_measurements-secureboot"
#define LAST_LOG "tests/data/bootlog/tpm2-tools_event-moklisttrusted.bin"

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "many_boots: %s: %s\n", what, strerror(-r));
	abort();
}

/* Beside the ledger; and what it comes to in the registers. */
static void keep_log(struct ledger_fixture *f, const char *dir, const char *from)
{
	CLEANUP(buf_done) struct buf log = {0};
	struct bootlog_reading *g = NULL;
	char path[PATH_MAX];
	struct why why = {""};

	must(fsio_read_file(f->io, from, 1 << 20, &log), from);
	must(digest_sha256(log.data, log.size, &f->boot_log), from);
	snprintf(path, sizeof(path), "%s/" LEDGER_BOOT_DIR, dir);
	must(fsio_mkdir_all(f->io, path, 0700), path);
	must(ledger_boot_path(dir, LEDGER_BOOT_LOG, &f->boot_log, path), path);
	must(fsio_replace_file(f->io, path, log.data, log.size, 0600), path);
	must(bootlog_reading_open(log.data, log.size, &g, &why), why.text);
	f->firmware.mask = LEDGER_BOOT_PCRS;
	for (size_t i = 0; i < 15; i++)
		memcpy(f->firmware.values[i].bytes, bootlog_reading_pcrs(g)->values[i],
		       DIGEST_SIZE);
	bootlog_reading_free(g);
}

static void one_boot(struct ledger_fixture *f, const char *dir, struct ima_maker *ima)
{
	char list[LEDGER_IMA_NAME_SIZE];

	ima_maker_open(ima);
	ima_maker_aggregate(ima, &f->firmware);
	ima_maker_file(ima, "/usr/bin/true", 1, NULL);
	f->pcr10 = &ima->pcr[ima->n];
	f->ima_cursor = ima->n;
	ledger_fixture_list(f, dir, ima, list);
	ima_maker_done(ima);
}

static void only_the_newest_lists(const char *dir)
{
	CLEANUP_FREE struct ledger_ima_file *files = NULL;
	uint32_t n = 0;

	must(ledger_ima_list(dir, &files, &n), "lists");
	if (n > LEDGER_IMA_MAX_FILES)
		must(ledger_ima_prune(fsio_system(), dir, files[n - LEDGER_IMA_MAX_FILES].start),
		     "lists");
}

void many_boots_make(const char *dir, int n)
{
	CLEANUP_FREE struct ima_maker *ima = calloc(1, sizeof(*ima));
	char id[] = "00b63bbb-e01e-4ed0-93cb-22bb8f5acdc3";
	struct ledger_fixture f;

	must(ima ? 0 : -1, "memory");
	ledger_fixture_open(&f, NULL, dir, 100000);
	f.boot = id;
	keep_log(&f, dir, LOG);
	for (int boot = 0; boot < n; boot++) {
		id[0] = "0123456789abcdef"[boot / 16];
		id[1] = "0123456789abcdef"[boot % 16];
		if (boot)
			must(ledger_fixture_reboot(&f), "reboot");
		if (boot == n - 1)
			keep_log(&f, dir, LAST_LOG);
		one_boot(&f, dir, ima);
	}
	must(ledger_fixture_quote(&f), "quote");
	must(ledger_fixture_commit(&f), "commit");
	must(ledger_fixture_notes(&f), "notes");
	ledger_fixture_done(&f);
	only_the_newest_lists(dir);
}
