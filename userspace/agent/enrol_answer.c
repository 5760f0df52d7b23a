/* SPDX-License-Identifier: Apache-2.0 */
#include "enrol_answer.h"

#include <errno.h>
#include <string.h>

#include "cert.h"
#include "cleanup.h"
#include "jsonl.h"

#define MAX_PEM 65536
#define MAX_BLOB 4096

void enrol_answer_begun_done(struct enrol_answer_begun *b)
{
	buf_done(&b->credential);
	buf_done(&b->secret);
	*b = (struct enrol_answer_begun){.session = ""};
}

int enrol_answer_begun_parse(const void *data, size_t size, struct enrol_answer_begun *ret,
			     struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct enrol_answer_begun b = {.session = ""};
	uint8_t session[32];
	int r = jsonl_parse(data, size, ENROL_ANSWER_MAX, &o, ret_why);

	if (r >= 0)
		r = jsonl_get_hex(o, "session", session, sizeof(session), ret_why);
	if (r >= 0)
		r = jsonl_get_base64(o, "credential", MAX_BLOB, &b.credential, ret_why);
	if (r >= 0)
		r = jsonl_get_base64(o, "secret", MAX_BLOB, &b.secret, ret_why);
	if (r < 0) {
		enrol_answer_begun_done(&b);
		return r == -ENOENT ? -EBADMSG : r;
	}
	digest_bytes_hex(session, sizeof(session), b.session);
	*ret = b;
	return 0;
}

void enrol_answer_done(struct enrol_answer *a)
{
	record_done(&a->record);
	buf_done(&a->cert_pem);
	buf_done(&a->ca_pem);
	*a = (struct enrol_answer){.pending = false};
}

static int get_pem(const json_t *o, const char *key, struct buf *ret, struct why *ret_why)
{
	const char *text;
	int r = jsonl_get_str(o, key, MAX_PEM, &text, ret_why);

	if (r < 0)
		return r;
	buf_puts(ret, text);
	return buf_status(ret);
}

static int get_identity(const json_t *o, struct enrol_answer *a, struct why *ret_why)
{
	CLEANUP_FREE char *record = NULL;
	const char *status;
	json_t *part;
	int r = jsonl_get_str(o, "status", 32, &status, ret_why);

	if (r < 0)
		return r;
	a->pending = strcmp(status, "pending") == 0;
	if (a->pending)
		return 0;
	if (strcmp(status, "enrolled") != 0)
		return why_set(ret_why, -EBADMSG, "\"status\" is neither enrolled nor pending");
	r = jsonl_get_object(o, "record", &part, ret_why);
	if (r < 0)
		return r;
	record = json_dumps(part, JSON_COMPACT);
	r = record ? record_parse(record, strlen(record), &a->record, ret_why) : -ENOMEM;
	if (r >= 0)
		r = get_pem(o, "certificate", &a->cert_pem, ret_why);
	return r < 0 ? r : get_pem(o, "ca", &a->ca_pem, ret_why);
}

int enrol_answer_parse(const void *data, size_t size, struct enrol_answer *ret, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct enrol_answer a = {.pending = false};
	int r = jsonl_parse(data, size, ENROL_ANSWER_MAX, &o, ret_why);

	if (r >= 0)
		r = get_identity(o, &a, ret_why);
	if (r < 0) {
		enrol_answer_done(&a);
		return r == -ENOENT ? -EBADMSG : r;
	}
	*ret = a;
	return 0;
}

static bool same(const struct buf *a, const struct buf *b)
{
	return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

static int check_record(const struct record *got, const struct record *own, struct why *ret_why)
{
	if (strcmp(got->node, own->node) != 0 || !same(&got->ek_public, &own->ek_public) ||
	    !same(&got->ak_public, &own->ak_public) ||
	    !same(&got->event_public, &own->event_public))
		return why_set(ret_why, -EKEYREJECTED,
			       "the verifier's record is not of this node's keys");
	if (got->incarnation == 0 || got->witness_key.size == 0 || got->order_key.size == 0)
		return why_set(ret_why, -EKEYREJECTED,
			       "the verifier's record has no incarnation or keys");
	if (got->pcr_index != own->pcr_index)
		return why_set(ret_why, -EKEYREJECTED,
			       "the verifier anchors ledgers in PCR %u, and this node in %u; set "
			       "pcr_index: %u here, or another one there",
			       got->pcr_index, own->pcr_index, got->pcr_index);
	return 0;
}

int enrol_answer_check(const struct enrol_answer *a, const struct record *own,
		       const struct digest *key_id, const struct digest *ca, struct why *ret_why)
{
	struct cert_identity id;
	struct digest got;
	int r = check_record(&a->record, own, ret_why);

	if (r < 0)
		return r;
	if (cert_identity_pem((char *)a->cert_pem.data, a->cert_pem.size, &id, ret_why) < 0)
		return -EKEYREJECTED;
	if (id.kind != CERT_NODE || strcmp(id.name, own->node) != 0 ||
	    !digest_equal(&id.key_id, key_id))
		return why_set(ret_why, -EKEYREJECTED,
			       "the verifier's certificate is not for this node's key");
	if (cert_fingerprint_pem((char *)a->ca_pem.data, a->ca_pem.size, &got, ret_why) < 0)
		return -EKEYREJECTED;
	if (ca && !digest_equal(&got, ca))
		return why_set(ret_why, -EKEYREJECTED, "the verifier's CA is not the join token's");
	return 0;
}
