/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence that holds, and says what is not so: it is taken, and a case names the lie. */
#include <stdlib.h>
#include <string.h>

#include "forge.h"

static void all_fine(struct forge_at *at)
{
	forge_node_exec(at->n, PLUMB_JUDGE_OK, PLUMB_JUDGE_VERSION);
}

static void all_fine_elsewhere(struct forge_at *at)
{
	forge_node_exec(at->n, PLUMB_JUDGE_OK, PLUMB_JUDGE_VERSION + 7);
}

static void told(struct forge_at *at)
{
	forge_node_exec(at->n, PLUMB_JUDGE_DRIFT, PLUMB_JUDGE_VERSION);
}

static void other_baseline(struct forge_at *at)
{
	at->n->baseline_version += 5;
	forge_node_work(at->n);
}

static void hours_ago(struct forge_at *at)
{
	at->e->sent_ns -= 7200ull * 1000000000;
}

static void tomorrow(struct forge_at *at)
{
	at->e->sent_ns += 86400ull * 1000000000;
}

static void start_without_gap(struct forge_at *at)
{
	forge_node_record(at->n, "start", "\"agent\":\"0.1.0\"");
	forge_node_work(at->n);
}

static void killed(struct forge_at *at)
{
	forge_node_record(at->n, "start", "\"agent\":\"0.1.0\"");
	forge_node_record(at->n, "gap",
			  "\"from\":\"2026-11-24T00:00:00.000000000Z\",\"stopped\":false");
}

static void boot_without_start(struct forge_at *at)
{
	at->n->boot[0] ^= 1;
	forge_node_work(at->n);
	at->n->boot[0] ^= 1;
}

static void lost(struct forge_at *at)
{
	forge_node_record(at->n, "lost", "\"of\":\"fanotify\",\"n\":7,\"what\":\"queue full\"");
}

static void counters(struct forge_at *at)
{
	forge_node_record(at->n, "counters",
			  "\"session\":\"0123456789abcdef\",\"on_cpu\":0,\"attempts\":10,"
			  "\"submitted\":10,\"dropped\":0,\"received\":13");
}

/* IMA's list: entries that were never sent. */
static void ima_begins_late(struct forge_at *at)
{
	/* PCR 10, a SHA-1, "ima-ng", its data: a digest and a name. */
	static const char entry[] = "\x0a\0\0\0"
				    "aaaaaaaaaaaaaaaaaaaa"
				    "\x06\0\0\0"
				    "ima-ng"
				    "\x37\0\0\0"
				    "\x28\0\0\0"
				    "sha256:\0"
				    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
				    "\x07\0\0\0"
				    "/bin/x";

	at->e->ima_from = 40;
	at->e->ima_cursor = 41;
	buf_put(&at->e->ima, entry, sizeof(entry));
}

static const struct forge_lie lies[] = {
	{"\"all fine\" for a program that no baseline has", "accepted", "", .lines = all_fine,
	 .opens = "finding:judge_lie"},
	{"the same by another judge's version", "accepted", "", .lines = all_fine_elsewhere,
	 .opens = "finding:judge_skew"},
	{"drift as it is", "accepted", "", .lines = told, .opens = "exec:/tmp/evil"},
	{"judged by a baseline that it was not given", "accepted", "", .lines = other_baseline,
	 .opens = "finding:baseline"},
	{"sent two hours ago", "accepted", "", .evidence = hours_ago, .opens = "finding:clock"},
	{"sent tomorrow", "accepted", "", .evidence = tomorrow, .opens = "finding:clock"},
	{"a start that tells no gap", "accepted", "", .lines = start_without_gap,
	 .opens = "finding:gap"},
	{"killed, and it says so", "accepted", "", .lines = killed, .opens = "finding:gap"},
	{"another boot without a start", "accepted", "", .lines = boot_without_start,
	 .opens = "finding:gap"},
	{"events lost, and it says so", "accepted", "", .lines = lost, .opens = "finding:loss"},
	{"counters that do not add up", "accepted", "", .lines = counters,
	 .opens = "finding:counters"},
	{"entries of IMA's list left out", "accepted", "", .evidence = ima_begins_late,
	 .opens = "finding:ima", .fresh = true},
};
FORGE_TABLE(lies_judged, "judged", lies);
