/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terms.h: the words that agent, verifier and plumbctl share: types of ledger lines, results of a judgement,
 * node states, findings, actions. In: nothing. Out: enums; their names are in terms.c (terms_*_name, terms_*_from_name).
 * Numbers are stable: they stand in databases. New ones are added at the end of their block.
 */
#ifndef PLUMB_TERMS_H
#define PLUMB_TERMS_H

#include <stdbool.h>

#define PLUMB_VERSION		"0.1.0"
#define PLUMB_JUDGE_VERSION	2	/* of the code that derives drift; in each drift, so skew is told from a lie */

/* A ledger line's "type". Measurements (1..) are judged; records (32..) are the ledger's own. */
enum plumb_type {
	PLUMB_TYPE_UNKNOWN = 0,		/* hashed, kept, unjudged */
	PLUMB_TYPE_EXEC = 1,		/* "exec" */
	PLUMB_TYPE_FILE = 2,		/* "file": a watched file changed */
	PLUMB_TYPE_MOUNT = 3,		/* "mount": over or under a watched path */
	PLUMB_TYPE_MODULE = 4,		/* "module": a kernel module was loaded or went */
	PLUMB_TYPE_CLAIM = 5,		/* "claim": a scan's result that is new or other than before */
	PLUMB_TYPE_LOAD = 6,		/* "load": the kernel took a file, or bytes, for itself: module, firmware, kexec */
	PLUMB_TYPE_BPF = 7,		/* "bpf": a BPF program was loaded or attached */
	PLUMB_TYPE_AUDIT = 8,		/* "audit": what the kernel's audit said about itself, IMA or BPF */
	PLUMB_TYPE_CODE = 9,		/* "code": code that runs without an exec: a file that is mapped, memory, a script, an interpreter's input */
	PLUMB_TYPE_GUARD = 12,		/* "guard": something was done to the agent itself, or tried */
	PLUMB_TYPE_SURFACE = 10,		/* "surface": somebody reached for the kernel itself, for another's memory, for a disk below its files */
	PLUMB_TYPE_LOG = 32,		/* "log": line 0 */
	PLUMB_TYPE_START = 33,		/* "start": the agent started */
	PLUMB_TYPE_STOP = 34,		/* "stop": the agent goes, and on whose word */
	PLUMB_TYPE_GAP = 35,		/* "gap": from, to, which sources were blind */
	PLUMB_TYPE_EPOCH = 36,		/* "epoch": counts, boot id, PCR found */
	PLUMB_TYPE_QUOTE = 37,		/* "quote" */
	PLUMB_TYPE_COUNTERS = 38,	/* "counters": per CPU attempts, received, dropped */
	PLUMB_TYPE_LOST = 39,		/* "lost": how many, of which source */
	PLUMB_TYPE_ORDER = 40,		/* "order": taken from the verifier or an operator, and what became of it */
	PLUMB_TYPE_BASELINE = 41,	/* "baseline": which one judges from here on */
	PLUMB_TYPE_PRUNED = 42,		/* "pruned" */
	PLUMB_TYPE_REPEATS = 43,	/* "repeats": programs that ran again, and how often */
	PLUMB_TYPE_ISOLATION = 44,	/* "isolation": this node is isolated, or no more, by which ways and on whose word */
	PLUMB_TYPE_KUBELET_KEY = 45,	/* "kubelet_key": that the node's kubelet has this key, shown by the key itself */
	PLUMB_TYPE_SNAPSHOT = 46,	/* "snapshot": what the node was doing when it was isolated is in a file, whose digest this is */
	PLUMB_TYPE_IMA = 47,		/* "ima": how far IMA's list is kept beside the ledger, and its digest */
	PLUMB_TYPE_VERDICT = 64,	/* the verifier's own log: "verdict", "transition", "action", "head" */
	PLUMB_TYPE_TRANSITION = 65,
	PLUMB_TYPE_ACTION = 66,
	PLUMB_TYPE_HEAD = 67,
};

enum plumb_judgement {
	PLUMB_JUDGE_OK = 1,		/* "ok" */
	PLUMB_JUDGE_DRIFT = 2,		/* "drift" */
	PLUMB_JUDGE_UNJUDGED = 3,	/* "unjudged": nothing to judge it by */
};

/* A node's three fields and its containment (docs/design.md, "A node's state"). */
enum plumb_life { PLUMB_LIFE_PROVISIONING = 1, PLUMB_LIFE_ENROLLED, PLUMB_LIFE_ACTIVE, PLUMB_LIFE_LEAVING, PLUMB_LIFE_RETIRED, PLUMB_LIFE_REVOKED };
enum plumb_appraisal { PLUMB_APPRAISAL_NONE = 1, PLUMB_APPRAISAL_TRUSTED, PLUMB_APPRAISAL_DEGRADED, PLUMB_APPRAISAL_UNTRUSTED };
enum plumb_freshness { PLUMB_FRESHNESS_FRESH = 1, PLUMB_FRESHNESS_LEAVING, PLUMB_FRESHNESS_SILENT };
enum plumb_containment { PLUMB_CONTAIN_FREE = 1, PLUMB_CONTAIN_REPORT, PLUMB_CONTAIN_HELD, PLUMB_CONTAIN_QUARANTINED, PLUMB_CONTAIN_REMEDIATING };

/* What evidence came to (the ledger model's check()). */
enum plumb_result {
	PLUMB_RESULT_ACCEPTED = 1,	/* "accepted" */
	PLUMB_RESULT_STORED = 2,	/* "stored": a provisional */
	PLUMB_RESULT_SEND_AGAIN = 3,	/* "send_again": stale or shorter than the head; no verdict, no alarm */
	PLUMB_RESULT_REFUSED = 4,	/* "refused": changes nothing */
	PLUMB_RESULT_FORKED = 5,	/* "forked": latched */
};

/* Findings of the appraisal. They are judged by policy like drift; key is "finding:<name>". */
enum plumb_finding {
	PLUMB_FINDING_NONE = 0,
	PLUMB_FINDING_UNANCHORED = 1,	/* "unanchored": counts changed since the last accepted quote */
	PLUMB_FINDING_FOREIGN = 2,	/* "foreign": somebody else extended, or the base is unproven */
	PLUMB_FINDING_FORK = 3,		/* "fork" */
	PLUMB_FINDING_GAP = 4,		/* "gap": the agent was away without an order */
	PLUMB_FINDING_LOSS = 5,		/* "loss": events were dropped */
	PLUMB_FINDING_JUDGE_SKEW = 6,	/* "judge_skew": the agent's judgement differs, other judge_version */
	PLUMB_FINDING_JUDGE_LIE = 7,	/* "judge_lie": the agent's judgement differs, same judge_version */
	PLUMB_FINDING_UNCONFIRMED = 8,	/* "unconfirmed": a provisional drift was not confirmed in time */
	PLUMB_FINDING_SILENT = 9,	/* "silent" */
	PLUMB_FINDING_COUNTERS = 10,	/* "counters": attempts != received + dropped, or sequence numbers jump */
	PLUMB_FINDING_CLOCK = 11,	/* "clock": the node's clock is far from the verifier's */
	PLUMB_FINDING_BASELINE = 12,	/* "baseline": the node judges by another baseline than it was given */
	PLUMB_FINDING_IMA = 13,		/* "ima": the kernel measured what no line tells */
	PLUMB_FINDING_IMA_LIST = 14,	/* "ima_list": IMA's list is not what PCR 10 was extended with, or nothing proves it */
	PLUMB_FINDING_IMA_VIOLATION = 15,	/* "ima_violation": a file was written while IMA measured it */
	PLUMB_FINDING_IMA_SIGNATURE = 16,	/* "ima_signature": of a file that ran, and of none of the given keys, or false */
	PLUMB_FINDING_BOOT_LOG = 17,	/* "boot_log": the firmware measured, and there is no log that says what: how it booted cannot be attested */
	PLUMB_FINDING_BOOT_MISMATCH = 18,	/* "boot_mismatch": the boot log does not come to the quoted registers */
	PLUMB_FINDING_BOOT_EVENT = 19,	/* "boot_event": an event of the boot log is not what it says it is */
	PLUMB_FINDING_ROLLBACK = 20,	/* "rollback": the verifier has less than it had told this node: it was put back from an older store */
};

/* What a policy rule asks for; each contains those before it. */
enum plumb_action { PLUMB_ACTION_REPORT = 1, PLUMB_ACTION_HOLD = 2, PLUMB_ACTION_QUARANTINE = 3 };

enum plumb_severity { PLUMB_SEVERITY_INFO = 1, PLUMB_SEVERITY_LOW, PLUMB_SEVERITY_MEDIUM, PLUMB_SEVERITY_HIGH, PLUMB_SEVERITY_CRITICAL };

/* Roles of operators; each may do what those before it may. */
enum plumb_role { PLUMB_ROLE_NONE = 0, PLUMB_ROLE_VIEWER = 1, PLUMB_ROLE_RESPONDER = 2, PLUMB_ROLE_APPROVER = 3 };

bool terms_type_is_measurement(enum plumb_type v);	/* is judged */
/* A measurement that nothing undoes: a program that ran, bytes that the kernel took. The others tell a state, which can be good again. */
bool terms_type_is_deed(enum plumb_type v);

/* Names as they stand in JSON and in what people see; NULL for a number that is none. Borrowed, static. */
const char *terms_type_name(enum plumb_type v);
const char *terms_judgement_name(enum plumb_judgement v);
const char *terms_life_name(enum plumb_life v);
const char *terms_appraisal_name(enum plumb_appraisal v);
const char *terms_freshness_name(enum plumb_freshness v);
const char *terms_containment_name(enum plumb_containment v);
const char *terms_result_name(enum plumb_result v);
const char *terms_finding_name(enum plumb_finding v);
const char *terms_action_name(enum plumb_action v);
const char *terms_severity_name(enum plumb_severity v);
const char *terms_role_name(enum plumb_role v);

/* The other way; 0 (or PLUMB_TYPE_UNKNOWN) for a name that is none. NULL is allowed and is none. */
int terms_type_from_name(const char *name);
int terms_judgement_from_name(const char *name);
int terms_result_from_name(const char *name);
int terms_finding_from_name(const char *name);
int terms_action_from_name(const char *name);
int terms_severity_from_name(const char *name);
int terms_role_from_name(const char *name);
int terms_life_from_name(const char *name);
int terms_appraisal_from_name(const char *name);
int terms_freshness_from_name(const char *name);
int terms_containment_from_name(const char *name);

#endif
