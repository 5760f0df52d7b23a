/* SPDX-License-Identifier: Apache-2.0 */
#include "enrol_session.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

void enrol_session_free(struct enrol_session *s)
{
	if (!s)
		return;
	OPENSSL_cleanse(&s->secret, sizeof(s->secret));
	OPENSSL_cleanse(&s->proof, sizeof(s->proof));
	enrol_body_done(&s->body);
	free(s->csr_key_pem);
	free(s);
}

void enrol_session_table_done(struct enrol_session_table *t)
{
	for (int i = 0; i < ENROL_SESSION_MAX; i++) {
		enrol_session_free(t->sessions[i]);
		t->sessions[i] = NULL;
	}
}

void enrol_session_drop(struct enrol_session_table *t, struct enrol_session *s)
{
	for (int i = 0; i < ENROL_SESSION_MAX; i++)
		if (t->sessions[i] == s)
			t->sessions[i] = NULL;
	enrol_session_free(s);
}

/* Those whose time is over make room. */
static void sweep(struct enrol_session_table *t)
{
	uint64_t now = clock_boot_ns(t->clock);

	for (int i = 0; i < ENROL_SESSION_MAX; i++)
		if (t->sessions[i] && t->sessions[i]->until_ns < now)
			enrol_session_drop(t, t->sessions[i]);
}

/*
 * EKs and their certificates are no secrets: whoever begins in the name of another's EK must neither fill the table nor push out the
 * one whose TPM answered.
 */
static void make_room(struct enrol_session_table *t, const char *node)
{
	struct enrol_session *oldest = NULL;
	int unproven = 0;

	for (int i = 0; i < ENROL_SESSION_MAX; i++) {
		struct enrol_session *s = t->sessions[i];

		if (!s || s->proven || strcmp(s->node, node) != 0)
			continue;
		unproven++;
		if (!oldest || s->until_ns < oldest->until_ns)
			oldest = s;
	}
	if (unproven >= ENROL_SESSION_MAX_UNPROVEN)
		enrol_session_drop(t, oldest);
}

int enrol_session_keep(struct enrol_session_table *t, struct enrol_session *s)
{
	sweep(t);
	make_room(t, s->node);
	for (int i = 0; i < ENROL_SESSION_MAX; i++)
		if (!t->sessions[i]) {
			t->sessions[i] = s;
			return 0;
		}
	return -EAGAIN;
}

struct enrol_session *enrol_session_find(const struct enrol_session_table *t, const char *id)
{
	uint64_t now = clock_boot_ns(t->clock);

	for (int i = 0; i < ENROL_SESSION_MAX; i++)
		if (t->sessions[i] && t->sessions[i]->until_ns >= now &&
		    CRYPTO_memcmp(t->sessions[i]->id, id, ENROL_BODY_SESSION_HEX) == 0)
			return t->sessions[i];
	return NULL;
}

void enrol_session_prove(struct enrol_session_table *t, struct enrol_session *s, uint64_t for_ms)
{
	s->proven = true;
	s->until_ns = clock_boot_ns(t->clock) + for_ms * 1000000;
	for (int i = 0; i < ENROL_SESSION_MAX; i++)
		if (t->sessions[i] && t->sessions[i] != s &&
		    strcmp(t->sessions[i]->node, s->node) == 0)
			enrol_session_drop(t, t->sessions[i]);
}
