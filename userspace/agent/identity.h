/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity.h: who this node is: its keys in the TPM, its origin, its record.json: its own while no verifier has enrolled it, else the verifier's.
 * In: a TPM (or none), the ledger's and the state directory. Out: node id, origin, public keys; record.json beside the ledger, so that
 * anybody can check it. A TPM or keys other than those of before are refused: the ledger belongs to them.
 */
#ifndef PLUMB_IDENTITY_H
#define PLUMB_IDENTITY_H

#include <stdbool.h>
#include "buf.h"
#include "clock.h"
#include "epoch.h"
#include "fsio.h"
#include "record.h"
#include "sign.h"
#include "tpm_door.h"
#include "why.h"

#define IDENTITY_KEYS_FILE "tpm-keys"	/* in the state directory: the keys' wrapped blobs; of use to this TPM alone */

struct identity {
	char origin[CHECKPOINT_MAX_ORIGIN];
	struct tpm *tpm;		/* borrowed; NULL: none */
	struct record record;		/* without a TPM only node, origin and incarnation */
	struct sign_key *event_key;	/* public; NULL without a TPM */
	struct epoch_seen now;		/* the TPM as it was found */
	struct digest boot_log;		/* SHA-256 of the firmware's log as the kernel keeps it; zero: none */
	struct buf boot_log_data;	/* the log itself; owned */
	struct buf measure_log_data;	/* the log of what systemd measured, as it was at the start; owned. now.measure_log is its digest */
	bool enrolled;			/* record is a verifier's */
	int lock_fd;			/* the ledger's directory, locked against a second agent; -1: none */
};

struct identity_options {
	const struct fsio *io;		/* borrowed, as all here */
	const struct clock *clock;
	const char *ledger_dir, *state_dir;
	const char *log_name;		/* first part of the origin */
	uint8_t pcr_index;
	const char *boot_log;		/* the kernel's copy of this TPM's boot log; NULL: none is known to be of this TPM */
	const char *measure_log;	/* systemd's log of what it measured into this TPM; NULL: none */
	/*
	 * A verifier is wanted. Then a ledger that is not of an enrolment of this TPM (the node's own, or that of a machine this one was cloned
	 * from) is set aside as "<dir>.<n>", and no record is written before identity_adopt(). Names the file in
	 * state_dir whose presence says that the node was enrolled; NULL: no verifier.
	 */
	const char *enrolment;
	const char *rekey;		/* a file in state_dir: while it is there other keys are wanted: those of now and the ledger are set aside */
	const char *of_machine[4];	/* more files in state_dir that are of no use, or not to be used, on another machine; NULL: no more */
};

/*
 * -EALREADY: another agent has this ledger; -EXDEV: record.json is of another TPM or other keys; -EBADMSG: it is corrupt; other errors:
 * of the TPM or the disk. Blocks.
 */
int identity_open(const struct identity_options *o, struct tpm *tpm, struct identity *ret, struct why *ret_why);
/* After an enrolment: the verifier's record becomes the ledger's. Takes record. */
int identity_adopt(const struct identity_options *o, struct identity *i, struct record *record, struct why *ret_why);
void identity_done(struct identity *i);

#endif
