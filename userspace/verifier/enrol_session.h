/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enrol_session.h: enrolments that were begun, in memory, bounded: 1024 in all, of one EK four whose proof is awaited and one whose proof
 * came in. In: sessions (taken). Out: the one that an id names. A session whose time is over is none.
 */
#ifndef PLUMB_ENROL_SESSION_H
#define PLUMB_ENROL_SESSION_H

#include <stdbool.h>
#include "clock.h"
#include "enrol_body.h"
#include "quote.h"

#define ENROL_SESSION_MAX 1024
#define ENROL_SESSION_MAX_UNPROVEN 4	/* of one EK */

struct enrol_session {
	char id[ENROL_BODY_SESSION_HEX + 1];
	char node[65];
	struct enrol_body body;
	struct digest secret, client_key, proof;
	char named_by[128];		/* the approver who named this EK; "": its maker vouches */
	char maker[200];		/* the TPM, as that maker's certificate has it, for people; "": an approver named it */
	struct quote_info counts;	/* of the TPM2_Certify */
	char *csr_key_pem;		/* the client's public key */
	bool again;			/* asks for a certificate alone: /v1/enrol/again */
	bool waited;			/* its row waited for an approver before it asked */
	bool proven, answered;		/* answered: the identity was sent */
	uint64_t until_ns;		/* boot time */
};
void enrol_session_free(struct enrol_session *s);

struct enrol_session_table {
	const struct clock *clock;	/* borrowed */
	struct enrol_session *sessions[ENROL_SESSION_MAX];
};
void enrol_session_table_done(struct enrol_session_table *t);
/* Takes s. -EAGAIN, and s is still the caller's: there is no room. */
int enrol_session_keep(struct enrol_session_table *t, struct enrol_session *s);
struct enrol_session *enrol_session_find(const struct enrol_session_table *t, const char *id);	/* borrowed; NULL: none */
void enrol_session_drop(struct enrol_session_table *t, struct enrol_session *s);
/* Its TPM answered: what else was begun for this EK is stale, or somebody else's, and is dropped. It lives until `for_ms` from now. */
void enrol_session_prove(struct enrol_session_table *t, struct enrol_session *s, uint64_t for_ms);

#endif
