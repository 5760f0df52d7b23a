/* SPDX-License-Identifier: Apache-2.0 */
/* Machines that are not what they say when they join. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "forge.h"
#include "fsio.h"

/* A machine with a good TPM and a token of its own, up to what a lie changes. */
static void machine(struct forge *f, struct forge_node *m)
{
	char label[64];

	snprintf(label, sizeof(label), "liar-%u", ++f->n_nodes);
	forge_node_open(m, &f->wire, f->maker, label);
	if (!forge_token(f, label, 600, m->m.token))
		abort();
}

static void set(struct buf *to, const struct buf *from)
{
	buf_clear(to);
	buf_put(to, from->data, from->size);
}

/* Begins with what `change` made of it and another machine. */
static void begin(struct forge *f, struct forge_told *t,
		  void (*change)(struct forge *f, struct api_fixture_machine *m,
				 struct api_fixture_machine *other))
{
	struct forge_node m, other;

	machine(f, &m);
	machine(f, &other);
	change(f, &m.m, &other.m);
	forge_node_begin(&m, t);
	forge_node_done(&m);
	forge_node_done(&other);
}

#define BEGINS(name)                                                                  \
	static void name(struct forge *f, struct forge_node *n, struct forge_told *t) \
	{                                                                             \
		(void)n;                                                              \
		begin(f, t, change_##name);                                           \
	}

/* TPM2B: size 2, type 2, name algorithm 2, attributes 4. */
static void flip_attribute(struct buf *public, uint32_t bits)
{
	for (int i = 0; i < 4; i++)
	public->data[6 + i] ^= (uint8_t)(bits >> (24 - 8 * i));
}

static void change_uncertified(struct forge *f, struct api_fixture_machine *m,
			       struct api_fixture_machine *o)
{
	(void)f;
	m->sig.data[m->sig.size - 1] ^= 1;
	(void)o;
}
BEGINS(uncertified)

static void change_certified_by_other(struct forge *f, struct api_fixture_machine *m,
				      struct api_fixture_machine *o)
{
	(void)f;
	set(&m->attest, &o->attest);
	set(&m->sig, &o->sig);
}
BEGINS(certified_by_other)

static void change_other_event_key(struct forge *f, struct api_fixture_machine *m,
				   struct api_fixture_machine *o)
{
	(void)f;
	set(&m->event, &o->event);
}
BEGINS(other_event_key)

static void change_unrestricted_ak(struct forge *f, struct api_fixture_machine *m,
				   struct api_fixture_machine *o)
{
	(void)f;
	(void)o;
	flip_attribute(&m->ak, 0x00010000);
	api_fixture_certify_event(m);
}
BEGINS(unrestricted_ak)

static void change_duplicable_ak(struct forge *f, struct api_fixture_machine *m,
				 struct api_fixture_machine *o)
{
	(void)f;
	(void)o;
	flip_attribute(&m->ak, 0x00000002);
}
BEGINS(duplicable_ak)

static void change_restricted_event(struct forge *f, struct api_fixture_machine *m,
				    struct api_fixture_machine *o)
{
	(void)f;
	(void)o;
	flip_attribute(&m->event, 0x00010000);
}
BEGINS(restricted_event)

static void change_keys_swapped(struct forge *f, struct api_fixture_machine *m,
				struct api_fixture_machine *o)
{
	struct buf ak = m->ak;

	(void)f;
	(void)o;
	m->ak = m->event;
	m->event = ak;
}
BEGINS(keys_swapped)

static void change_no_ek_cert(struct forge *f, struct api_fixture_machine *m,
			      struct api_fixture_machine *o)
{
	(void)f;
	(void)o;
	buf_clear(&m->ek_cert);
}
BEGINS(no_ek_cert)

static void change_unknown_maker(struct forge *f, struct api_fixture_machine *m,
				 struct api_fixture_machine *o)
{
	(void)o;
	api_fixture_mint(m, f->stranger);
}
BEGINS(unknown_maker)

static void change_ek_of_other(struct forge *f, struct api_fixture_machine *m,
			       struct api_fixture_machine *o)
{
	(void)f;
	set(&m->ek_cert, &o->ek_cert);
}
BEGINS(ek_of_other)

static void change_ek_cert_cut(struct forge *f, struct api_fixture_machine *m,
			       struct api_fixture_machine *o)
{
	(void)f;
	(void)o;
	buf_cut(&m->ek_cert, 100);
}
BEGINS(ek_cert_cut)

static void change_ek_that_signs(struct forge *f, struct api_fixture_machine *m,
				 struct api_fixture_machine *o)
{
	(void)f;
	(void)o;
	flip_attribute(&m->ek, 0x00060000);
}
BEGINS(ek_that_signs)

/* The same EK under another id: its key, and so its certificate, is as before. */
static void change_ek_alias(struct forge *f, struct api_fixture_machine *m,
			    struct api_fixture_machine *o)
{
	(void)f;
	(void)o;
	flip_attribute(&m->ek, 0x00000400);
}
BEGINS(ek_alias)

static void change_ek_reserved_bit(struct forge *f, struct api_fixture_machine *m,
				   struct api_fixture_machine *o)
{
	(void)f;
	(void)o;
	flip_attribute(&m->ek, 0x80000000);
}
BEGINS(ek_reserved_bit)

/* A maker's RSA key whose exponent is written out. */
static void change_ek_exponent(struct forge *f, struct api_fixture_machine *m,
			       struct api_fixture_machine *o)
{
	(void)f;
	(void)o;
	buf_clear(&m->ek);
	if (fsio_read_file(fsio_system(), "tests/data/quote/keylime/ek.pub", 4096, &m->ek) < 0)
		abort();
	memcpy(m->ek.data + m->ek.size - 258 - 4, "\0\1\0\1", 4);
}
BEGINS(ek_exponent)

static void change_ak_for_ek(struct forge *f, struct api_fixture_machine *m,
			     struct api_fixture_machine *o)
{
	(void)f;
	(void)o;
	set(&m->ek, &m->ak);
}
BEGINS(ak_for_ek)

static void change_csr_spoilt(struct forge *f, struct api_fixture_machine *m,
			      struct api_fixture_machine *o)
{
	char *at = strchr((char *)m->csr.data, '\n') + 150;

	(void)f;
	(void)o;
	*at = *at == 'A' ? 'B' : 'A';
}
BEGINS(csr_spoilt)

static void change_csr_of_nothing(struct forge *f, struct api_fixture_machine *m,
				  struct api_fixture_machine *o)
{
	(void)f;
	(void)o;
	buf_clear(&m->csr);
	buf_puts(&m->csr,
		 "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n");
}
BEGINS(csr_of_nothing)

static void change_label_with_space(struct forge *f, struct api_fixture_machine *m,
				    struct api_fixture_machine *o)
{
	(void)f;
	(void)o;
	snprintf(m->label, sizeof(m->label), "one two");
}
BEGINS(label_with_space)

/* Those below go on to the activation. */
static void activate(struct forge_node *m, bool right, struct forge_told *t)
{
	if (forge_node_begin(m, t))
		forge_node_activate(m, right, t);
}

static void wrong_proof(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct forge_node m;

	(void)n;
	machine(f, &m);
	activate(&m, false, t);
	forge_node_done(&m);
}

static void no_session(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct forge_node m;

	(void)n;
	machine(f, &m);
	memset(m.m.session, 'a', 64);
	forge_node_activate(&m, false, t);
	forge_node_done(&m);
}

/* The proof of one session for another. */
static void proof_of_other_session(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct forge_node m;
	char first[65];

	(void)n;
	machine(f, &m);
	if (forge_node_begin(&m, t)) {
		memcpy(first, m.m.session, sizeof(first));
		if (forge_node_begin(&m, t)) {
			memcpy(m.m.session, first, sizeof(first));
			forge_node_activate(&m, true, t);
		}
	}
	forge_node_done(&m);
}

/* EK and certificate are no secrets, and a token was found: the TPM itself is not there. */
static void as_one(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct forge_node m;

	machine(f, &m);
	set(&m.m.ek, &n->m.ek);
	set(&m.m.ek_cert, &n->m.ek_cert);
	memcpy(m.m.id, n->m.id, sizeof(m.m.id));
	activate(&m, true, t);
	forge_node_done(&m);
}

/* All of one that is no secret; what follows changes some of it, and asks for a certificate anew. */
static void as_one_again(struct forge *f, struct forge_node *m, const struct forge_node *n)
{
	machine(f, m);
	m->again = true;
	m->m.token[0] = 0;
	snprintf(m->m.label, sizeof(m->m.label), "%s", n->m.label);
	memcpy(m->m.id, n->m.id, sizeof(m->m.id));
	set(&m->m.ek, &n->m.ek);
	set(&m->m.ek_cert, &n->m.ek_cert);
	set(&m->m.ak, &n->m.ak);
	set(&m->m.event, &n->m.event);
	set(&m->m.attest, &n->m.attest);
	set(&m->m.sig, &n->m.sig);
}

static void again_for_own_key(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct forge_node m;
	struct fake_tpm *own;

	as_one_again(f, &m, n);
	/* The TPM is there, as for root on the node; the key is not the node's. */
	own = m.m.tpm;
	m.m.tpm = n->m.tpm;
	activate(&m, true, t);
	m.m.tpm = own;
	forge_node_done(&m);
}

static void again_without_tpm(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct forge_node m;

	as_one_again(f, &m, n);
	set(&m.m.csr, &n->m.csr);
	activate(&m, true, t);
	forge_node_done(&m);
}

static void again_with_own_ak(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct forge_node m, own;

	machine(f, &own);
	as_one_again(f, &m, n);
	set(&m.m.csr, &n->m.csr);
	set(&m.m.ak, &own.m.ak);
	set(&m.m.event, &own.m.event);
	set(&m.m.attest, &own.m.attest);
	set(&m.m.sig, &own.m.sig);
	activate(&m, true, t);
	forge_node_done(&m);
	forge_node_done(&own);
}

static void again_of_nobody(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct forge_node m;

	(void)n;
	machine(f, &m);
	m.again = true;
	activate(&m, true, t);
	forge_node_done(&m);
}

static void unknown_token(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct forge_node m;

	(void)n;
	machine(f, &m);
	m.m.token[strlen(m.m.token) - 1] ^= 1;
	activate(&m, true, t);
	forge_node_done(&m);
}

static void token_twice(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct forge_node first, m;

	(void)n;
	machine(f, &first);
	machine(f, &m);
	memcpy(m.m.token, first.m.token, sizeof(m.m.token));
	memcpy(m.m.label, first.m.label, sizeof(m.m.label));
	activate(&first, true, t);
	/* Its label is free again. */
	if (strcmp(t->answer, "200") == 0)
		forge_action(f, &f->alice, &f->alice, "retire", first.m.id, "test", 0, t);
	activate(&m, true, t);
	forge_node_done(&first);
	forge_node_done(&m);
}

static void token_of_other_label(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct forge_node m;

	(void)n;
	machine(f, &m);
	snprintf(m.m.label, sizeof(m.m.label), "liar-elsewhere");
	activate(&m, true, t);
	forge_node_done(&m);
}

static void token_late(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct forge_node m;

	(void)n;
	machine(f, &m);
	if (!forge_token(f, m.m.label, 1, m.m.token))
		abort();
	usleep(1200000);
	activate(&m, true, t);
	forge_node_done(&m);
}

static void label_of_one(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct forge_node m;

	machine(f, &m);
	if (!forge_token(f, "", 600, m.m.token))
		abort();
	snprintf(m.m.label, sizeof(m.m.label), "%s", n->m.label);
	activate(&m, true, t);
	forge_node_done(&m);
}

/* Retired is for good. */
static void retired(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct forge_node m;

	(void)n;
	machine(f, &m);
	activate(&m, true, t);
	forge_action(f, &f->alice, &f->alice, "retire", m.m.id, "test", 0, t);
	if (!forge_token(f, "", 600, m.m.token))
		abort();
	activate(&m, true, t);
	forge_node_done(&m);
}

/* A request that asks for more than a node's certificate: openssl makes it. */
static void asked_for_more(struct forge *f, const char *how, struct forge_told *t)
{
	struct forge_node m;
	struct why why = {""};
	char command[512], text[8192];
	size_t size;
	FILE *p;

	machine(f, &m);
	snprintf(command, sizeof(command),
		 "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "
		 "'%s/csr.key' -out '%s/csr.pem' %s "
		 "2>/dev/null && cat '%s/csr.key' && cat '%s/csr.pem'",
		 f->dir, f->dir, how, f->dir, f->dir);
	p = popen(command, "r");
	size = p ? fread(text, 1, sizeof(text) - 1, p) : 0;
	text[size] = 0;
	if (!p || pclose(p) != 0 || !strstr(text, "-----BEGIN CERTIFICATE REQUEST"))
		abort();
	sign_key_free(m.m.person.key);
	m.m.person.key = NULL;
	if (sign_key_from_pem(text, (size_t)(strstr(text, "-----BEGIN CERTIFICATE REQUEST") - text),
			      &m.m.person.key, &why) < 0)
		abort();
	buf_clear(&m.m.csr);
	buf_puts(&m.m.csr, strstr(text, "-----BEGIN CERTIFICATE REQUEST"));
	activate(&m, true, t);
	forge_node_done(&m);
}

static void asks_to_be_ca(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	asked_for_more(f, "-subj /CN=liar -addext 'basicConstraints=critical,CA:TRUE'", t);
}

static void asks_to_be_operator(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	asked_for_more(f, "-subj /O=plumb/OU=operator:approver/CN=alice", t);
}

#define NO_ANSWER "the TPM did not answer the credential"

static const struct forge_lie lies[] = {
	{"an event key that no AK certified", "403", "attest: signature is not the AK's",
	 .tell = uncertified},
	{"an event key certified by another TPM", "403", "attest: signature is not the AK's",
	 .tell = certified_by_other},
	{"an event key other than the one certified", "403",
	 "attest: is bound to other qualifying data", .tell = other_event_key},
	{"an AK that signs anything", "403", "AK: attribute restricted", .tell = unrestricted_ak},
	{"an AK that may leave its TPM", "403", "AK: attribute fixedTPM", .tell = duplicable_ak},
	{"an event key that is restricted", "403", "event key: attribute restricted",
	 .tell = restricted_event},
	{"AK and event key swapped", "403", "AK: attribute restricted", .tell = keys_swapped},
	{"an EK without a certificate", "403", "EK certificate: there is none", .tell = no_ek_cert},
	{"an EK certificate by an unknown maker", "403", "EK certificate", .tell = unknown_maker},
	{"another TPM's EK certificate", "403", "EK certificate", .tell = ek_of_other},
	{"an EK certificate cut short", "403", "EK certificate", .tell = ek_cert_cut},
	{"an EK that signs", "403", "EK: attribute", .tell = ek_that_signs},
	{"its own EK with an attribute more", "403",
	 "EK: attributes 0x304b2 are not the template's", .tell = ek_alias},
	{"its own EK with a reserved attribute", "403",
	 "EK: attributes 0x800300b2 are not the template's", .tell = ek_reserved_bit},
	{"an EK with its exponent written out", "403", "EK: exponent 65537 is not the template's",
	 .tell = ek_exponent},
	{"the AK for an EK", "403", "EK: attribute", .tell = ak_for_ek},
	{"a request that was changed", "403", "request", .tell = csr_spoilt},
	{"a request that is none", "403", "request", .tell = csr_of_nothing},
	{"a request to be a CA", "403", "request", .tell = asks_to_be_ca},
	{"a request to be an operator", "403", "request", .tell = asks_to_be_operator},
	{"a label with a space", "400", "\"label\"", .tell = label_with_space},
	{"a proof that no TPM gave", "403", NO_ANSWER, .tell = wrong_proof},
	{"a session that nobody began", "409", "this enrolment's time is over", .tell = no_session},
	{"the proof of another session", "403", NO_ANSWER, .tell = proof_of_other_session},
	{"another node's EK, without its TPM", "403", NO_ANSWER, .tell = as_one},
	{"a certificate anew, for a key of its own", "403",
	 "its keys are not those that it was enrolled with", .tell = again_for_own_key},
	{"a certificate anew, without the TPM", "403", NO_ANSWER, .tell = again_without_tpm},
	{"a certificate anew, with another AK", "403", NO_ANSWER, .tell = again_with_own_ak},
	{"a certificate anew, of a node that never had one", "403", "is not enrolled",
	 .tell = again_of_nobody},
	{"a token that nobody made", "403", "the join token is not known", .tell = unknown_token},
	{"a token used before", "403", "the join token is not known, or was used before",
	 .tell = token_twice},
	{"another label's token", "403", "the join token is for label",
	 .tell = token_of_other_label},
	{"a token whose time is over", "403", "the join token's time is over", .tell = token_late},
	{"another node's label", "409", "is another node's", .tell = label_of_one},
	{"a retired node's TPM", "403", "is retired", .tell = retired},
};
FORGE_TABLE(lies_enrol, "enrolment", lies);
