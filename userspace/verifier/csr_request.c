/* SPDX-License-Identifier: Apache-2.0 */
#include "csr_request.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "cert.h"
#include "cleanup.h"
#include "kube_patch.h"

#define BEGIN "-----BEGIN CERTIFICATE REQUEST-----"
#define END "-----END CERTIFICATE REQUEST-----"
#define ORGANISATION "system:nodes"
#define COMMON "system:node:"

static void req_free_p(X509_REQ **q)
{
	X509_REQ_free(*q);
}

/* One block and nothing round it: what an API server would sign past, another reader might take for the request. */
static int check_block(const char *pem, size_t size, struct why *ret_why)
{
	const char *end = memmem(pem, size, END, strlen(END));
	size_t after = end ? (size_t)(end - pem) + strlen(END) : 0;

	if (size < strlen(BEGIN) || memcmp(pem, BEGIN, strlen(BEGIN)) != 0 || !end)
		return why_set(ret_why, -EBADMSG, "request is no certificate request in PEM");
	if (memchr(pem, ':', size))
		return why_set(ret_why, -EBADMSG, "request's block has headers");
	if (memmem(pem + 1, size - 1, "-----BEGIN", 10))
		return why_set(ret_why, -EBADMSG, "request has more than one block");
	while (after < size && (pem[after] == '\n' || pem[after] == '\r'))
		after++;
	return after == size ? 0 : why_set(ret_why, -EBADMSG, "request has bytes after its block");
}

/* The text of the only entry of that kind, copied; it may have no NUL in it. */
static int entry_text(const X509_NAME *name, int nid, char *ret, size_t room)
{
	int at = X509_NAME_get_index_by_NID((X509_NAME *)name, nid, -1);
	const ASN1_STRING *s;
	size_t size;

	if (at < 0)
		return -ENOENT;
	s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
	size = (size_t)ASN1_STRING_length(s);
	if (size >= room || memchr(ASN1_STRING_get0_data(s), 0, size))
		return -E2BIG;
	memcpy(ret, ASN1_STRING_get0_data(s), size);
	ret[size] = 0;
	return 0;
}

static int check_subject(X509_REQ *q, struct csr_request *ret, struct why *ret_why)
{
	const X509_NAME *name = X509_REQ_get_subject_name(q);
	char organisation[64], common[sizeof(COMMON) + CSR_REQUEST_MAX_NAME];

	if (X509_NAME_entry_count(name) != 2 ||
	    entry_text(name, NID_organizationName, organisation, sizeof(organisation)) < 0 ||
	    entry_text(name, NID_commonName, common, sizeof(common)) < 0 ||
	    strcmp(organisation, ORGANISATION) != 0 ||
	    strncmp(common, COMMON, strlen(COMMON)) != 0 ||
	    !kube_patch_is_name(common + strlen(COMMON)))
		return why_set(ret_why, -EPERM,
			       "subject is not O=" ORGANISATION ", CN=" COMMON "NAME alone");
	snprintf(ret->node, sizeof(ret->node), "%.253s", common + strlen(COMMON));
	return 0;
}

static X509_REQ *open_pem(const char *pem, size_t size)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)size);
	X509_REQ *q = bio ? PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return q;
}

/* What the block says and what was read of it are the same bytes: two readers of PEM may differ in what they pass over. */
static int check_same(X509_REQ *q, const char *pem, size_t size, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf text = {0};
	unsigned char *der = NULL;
	int n = i2d_X509_REQ(q, &der);
	size_t at = strlen(BEGIN), k = 0;
	int r;

	if (n <= 0)
		return -EBADMSG;
	digest_base64(&text, der, (size_t)n);
	OPENSSL_free(der);
	r = buf_status(&text);
	for (; r >= 0 && at < size && pem[at] != '-'; at++)
		if (pem[at] != '\n' && pem[at] != '\r' &&
		    (k == text.size || (uint8_t)pem[at] != text.data[k++]))
			r = -EBADMSG;
	return r < 0 || k != text.size
		       ? why_set(ret_why, -EBADMSG, "request is not plain PEM of its DER")
		       : 0;
}

int csr_request_read(const void *pem, size_t size, struct csr_request *ret, struct why *ret_why)
{
	CLEANUP(req_free_p) X509_REQ *q = NULL;
	struct sign_key *key = NULL;
	struct csr_request found = {.node = ""};
	int r = size <= CSR_REQUEST_MAX
			? check_block(pem, size, ret_why)
			: why_set(ret_why, -EBADMSG, "request has more than %d bytes",
				  CSR_REQUEST_MAX);

	if (r >= 0)
		r = cert_csr_key(pem, size, &key, ret_why);
	if (r < 0)
		return r == -EKEYREJECTED ? -EPERM : r;
	r = sign_key_kind(key) == SIGN_P256
		    ? sign_key_id(key, &found.key)
		    : why_set(ret_why, -EPERM, "request's key is not of ECDSA P-256");
	sign_key_free(key);
	q = open_pem(pem, size);
	if (r >= 0)
		r = q ? check_same(q, pem, size, ret_why) : -EBADMSG;
	if (r >= 0 && X509_REQ_get_attr_count(q) > 0)
		r = why_set(ret_why, -EPERM,
			    "request asks for extensions: a kubelet's has none, no other name "
			    "among them");
	if (r >= 0)
		r = check_subject(q, &found, ret_why);
	if (r >= 0)
		*ret = found;
	return r;
}
