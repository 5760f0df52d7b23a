/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_fixture.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "record.h"

#define MUST(x)                                                           \
	do {                                                              \
		if (!(x)) {                                               \
			fprintf(stderr, "api_fixture_machine: %s\n", #x); \
			abort();                                          \
		}                                                         \
	} while (0)

static const char names[] =
	"[full]\n1.2.23.133.2.1=id:4D494E54\n2.2.23.133.2.2=m\n3.2.23.133.2.3=id:1\n";

static void add_extension(X509 *cert, CONF *conf, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	X509V3_set_nconf(&ctx, conf);
	e = X509V3_EXT_nconf_nid(conf, &ctx, nid, value);
	MUST(e && X509_add_ext(cert, e, -1) == 1);
	X509_EXTENSION_free(e);
}

static X509 *mint(EVP_PKEY *key, EVP_PKEY *by, bool ca)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_NAME_new(), *from = X509_NAME_new();
	CONF *conf = NCONF_new(NULL);
	BIO *bio = BIO_new_mem_buf(names, -1);
	const uint8_t *cn = (const uint8_t *)(ca ? "maker" : "ek");
	long line;

	MUST(NCONF_load_bio(conf, bio, &line) == 1);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, cn, -1, -1, 0);
	X509_NAME_add_entry_by_txt(from, "CN", MBSTRING_ASC, (const uint8_t *)"maker", -1, -1, 0);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
	X509_set_subject_name(cert, name);
	X509_set_issuer_name(cert, from);
	ASN1_TIME_set(X509_getm_notBefore(cert), 1600000000);
	ASN1_TIME_set(X509_getm_notAfter(cert), 2000000000);
	X509_set_pubkey(cert, key);
	add_extension(cert, conf, NID_basic_constraints,
		      ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_extension(cert, conf, NID_key_usage,
		      ca ? "critical,keyCertSign" : "critical,keyAgreement");
	if (!ca) {
		add_extension(cert, conf, NID_ext_key_usage, "2.23.133.8.1");
		add_extension(cert, conf, NID_subject_alt_name, "dirName:full");
	}
	MUST(X509_sign(cert, by, EVP_sha256()) > 0);
	X509_NAME_free(name);
	X509_NAME_free(from);
	NCONF_free(conf);
	BIO_free(bio);
	return cert;
}

void api_fixture_maker_file(EVP_PKEY *maker, const char *path)
{
	X509 *root = mint(maker, maker, true);
	FILE *file = fopen(path, "w");

	MUST(file && PEM_write_X509(file, root) == 1);
	fclose(file);
	X509_free(root);
}

void api_fixture_mint(struct api_fixture_machine *m, EVP_PKEY *maker)
{
	struct sign_key *ek = NULL;
	unsigned char *der = NULL;
	X509 *cert;
	int size;

	MUST(quote_public_key(m->ek.data, m->ek.size, &ek, NULL) == 0);
	cert = mint(sign_key_evp(ek), maker, false);
	size = i2d_X509(cert, &der);
	MUST(size > 0);
	buf_clear(&m->ek_cert);
	buf_put(&m->ek_cert, der, (size_t)size);
	OPENSSL_free(der);
	X509_free(cert);
	sign_key_free(ek);
}

static struct buf_view view(const struct buf *b)
{
	return (struct buf_view){b->data, b->size};
}

void api_fixture_certify_event(struct api_fixture_machine *m)
{
	const struct buf_view ak = view(&m->ak), event = view(&m->event);
	struct tpm *t = fake_tpm_door(m->tpm);
	struct digest d;

	buf_clear(&m->attest);
	buf_clear(&m->sig);
	MUST(record_certify_data(&ak, &event, &d) == 0);
	MUST(t->ops->certify_event(t->ctx, &d, &m->attest, &m->sig) == 0);
}

void api_fixture_machine_open(struct api_fixture *f, struct api_fixture_machine *m, EVP_PKEY *maker,
			      const char *label)
{
	struct buf none = {0};
	struct digest d;
	struct tpm *t;

	(void)f;
	memset(m, 0, sizeof(*m));
	snprintf(m->label, sizeof(m->label), "%s", label);
	MUST(fake_tpm_open(&m->tpm) == 0);
	t = fake_tpm_door(m->tpm);
	MUST(t->ops->ek_public(t->ctx, &m->ek, &none) == 0);
	MUST(t->ops->keys_open(t->ctx, &m->blobs, &m->ak, &m->event) == 0);
	MUST(quote_public_digest(m->ek.data, m->ek.size, &d, NULL) == 0);
	digest_hex(&d, m->id);
	api_fixture_mint(m, maker);
	api_fixture_certify_event(m);
	MUST(sign_key_generate(SIGN_P256, &m->person.key) == 0);
	MUST(cert_csr_make(m->person.key, m->id, &m->csr) == 0);
	buf_done(&none);
}

void api_fixture_machine_done(struct api_fixture_machine *m)
{
	struct buf *all[] = {&m->ek,
			     &m->ek_cert,
			     &m->ak,
			     &m->event,
			     &m->attest,
			     &m->sig,
			     &m->blobs,
			     &m->csr,
			     &m->credential,
			     &m->secret,
			     &m->person.cert_pem,
			     &m->person.key_pem};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		buf_done(all[i]);
	sign_key_free(m->person.key);
	fake_tpm_free(m->tpm);
}

int api_fixture_begin(struct api_fixture *f, struct api_fixture_machine *m)
{
	return api_fixture_begin_at(f, m, WIRE_ROUTE_ENROL);
}

int api_fixture_begin_at(struct api_fixture *f, struct api_fixture_machine *m, const char *route)
{
	struct buf b = {0};
	json_t *o = NULL;
	struct jsonl j;
	int status;

	jsonl_begin(&j, &b);
	jsonl_uint(&j, "v", 1);
	jsonl_str(&j, "token", m->token);
	jsonl_str(&j, "label", m->label);
	jsonl_base64(&j, "ek_public", m->ek.data, m->ek.size);
	jsonl_base64(&j, "ek_cert", m->ek_cert.data, m->ek_cert.size);
	jsonl_base64(&j, "ak_public", m->ak.data, m->ak.size);
	jsonl_base64(&j, "event_public", m->event.data, m->event.size);
	jsonl_base64(&j, "event_attest", m->attest.data, m->attest.size);
	jsonl_base64(&j, "event_sig", m->sig.data, m->sig.size);
	jsonl_strn(&j, "csr", (char *)m->csr.data, m->csr.size);
	jsonl_str(&j, "agent", "0.1.0");
	jsonl_end(&j);
	status = api_fixture_call(f, "POST", route, NULL, b.data, b.size);
	buf_done(&b);
	if (status != 200)
		return status;
	buf_clear(&m->credential);
	buf_clear(&m->secret);
	MUST(jsonl_parse(f->reply.body.data, f->reply.body.size, 65536, &o, NULL) == 0);
	MUST(jsonl_get_text(o, "session", m->session, sizeof(m->session), NULL) == 0);
	MUST(jsonl_get_base64(o, "credential", 4096, &m->credential, NULL) == 0);
	MUST(jsonl_get_base64(o, "secret", 4096, &m->secret, NULL) == 0);
	json_decref(o);
	return status;
}

/* What the certificate of the answer says is who it is from here on. */
static void take_identity(struct api_fixture *f, struct api_fixture_machine *m)
{
	const char *pem;
	json_t *o = NULL;

	MUST(jsonl_parse(f->reply.body.data, f->reply.body.size, 1 << 20, &o, NULL) == 0);
	MUST(jsonl_get_str(o, "certificate", 65536, &pem, NULL) == 0);
	buf_clear(&m->person.cert_pem);
	buf_clear(&m->person.key_pem);
	buf_puts(&m->person.cert_pem, pem);
	MUST(sign_key_private_pem(m->person.key, &m->person.key_pem) == 0);
	MUST(cert_identity_pem(pem, strlen(pem), &m->person.who, NULL) == 0);
	json_decref(o);
}

int api_fixture_activate(struct api_fixture *f, struct api_fixture_machine *m, bool right)
{
	const struct buf_view ek = view(&m->ek), ak = view(&m->ak), event = view(&m->event);
	struct tpm *t = fake_tpm_door(m->tpm);
	struct buf plain = {0}, body = {0};
	struct digest transcript, client;
	uint8_t proof[32] = {0};
	struct jsonl j;
	int status;

	if (right && t->ops->activate(t->ctx, m->credential.data, m->credential.size,
				      m->secret.data, m->secret.size, &plain) == 0) {
		MUST(sign_key_id(m->person.key, &client) == 0);
		MUST(record_transcript(m->session, &ek, &ak, &event, &client, m->label,
				       &transcript) == 0);
		HMAC(EVP_sha256(), plain.data, (int)plain.size, transcript.bytes, 32, proof, NULL);
	}
	jsonl_begin(&j, &body);
	jsonl_str(&j, "session", m->session);
	jsonl_base64(&j, "proof", proof, sizeof(proof));
	if (m->kube_token)
		jsonl_str(&j, "kube_token", m->kube_token);
	jsonl_end(&j);
	status = api_fixture_call(f, "POST", WIRE_ROUTE_ENROL_ACTIVATE, NULL, body.data, body.size);
	if (status == 200)
		take_identity(f, m);
	buf_done(&plain);
	buf_done(&body);
	return status;
}

void api_fixture_token(struct api_fixture *f, const char *label, uint64_t life_s, char ret[128])
{
	char body[160];
	json_t *o = NULL;

	snprintf(body, sizeof(body), "{\"label\":\"%s\",\"life_s\":%llu}", label,
		 (unsigned long long)life_s);
	MUST(api_fixture_call(f, "POST", WIRE_ROUTE_TOKENS, &f->approver.who, body, strlen(body)) ==
	     200);
	MUST(jsonl_parse(f->reply.body.data, f->reply.body.size, 4096, &o, NULL) == 0);
	MUST(jsonl_get_text(o, "token", ret, 128, NULL) == 0);
	json_decref(o);
}

void api_fixture_enrol(struct api_fixture *f, struct api_fixture_machine *m, EVP_PKEY *maker,
		       const char *label)
{
	api_fixture_machine_open(f, m, maker, label);
	api_fixture_token(f, label, 3600, m->token);
	MUST(api_fixture_begin(f, m) == 200);
	MUST(api_fixture_activate(f, m, true) == 200);
}
