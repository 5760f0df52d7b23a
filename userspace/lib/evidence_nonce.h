/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evidence_nonce.h: the answer to WIRE_ROUTE_NONCE (BORDER; docs/wire.md, tests/data/evidence): a nonce, and from where on the verifier wants
 * lines, anchors, IMA's list. In: struct, or foreign bytes. Out: body, or struct.
 */
#ifndef PLUMB_EVIDENCE_NONCE_H
#define PLUMB_EVIDENCE_NONCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "plumb/wire.h"
#include "buf.h"
#include "digest.h"
#include "why.h"

/* Answer to WIRE_ROUTE_NONCE. */
struct evidence_nonce {
	uint8_t nonce[WIRE_NONCE_SIZE];
	uint64_t life_ms;
	uint64_t size;				/* head stored: send lines from here */
	bool has_ima;				/* the verifier says from which entry of IMA's list on it wants them, and takes what was read after the quote */
	char ima_boot[37];			/* of that boot; another one begins with the first */
	uint64_t ima_from;
	bool has_base;				/* a quote was accepted before */
	struct digest base_pcr;			/* runtime PCR in it: send anchors from there */
	uint32_t base_reset, base_restart;
	bool has_base_size;			/* a verifier of before does not say it */
	uint64_t base_size;			/* lines that were confirmed with it */
	bool asks_boot_log;			/* it takes boot logs; a verifier of before has no such member */
	struct digest boot_log;			/* of the one that it has of this node; zero: none */
	bool asks_measure_log;			/* the same of what systemd measured from user space */
	struct digest measure_log;
};
int evidence_nonce_write(const struct evidence_nonce *n, struct buf *ret);
int evidence_nonce_parse(const void *body, size_t size, struct evidence_nonce *ret, struct why *ret_why);
/* The member "nonce" of any body. */
int evidence_nonce_bytes(const json_t *o, uint8_t ret[WIRE_NONCE_SIZE], struct why *ret_why);

#endif
