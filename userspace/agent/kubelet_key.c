/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet_key.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "kubelet_proof.h"
#include "log.h"
#include "owned_file.h"

#define MAX_FILES 2
#define MAX_PEM 65536

/* The first is there while a certificate is waited for; the second, once there is one, has it and its key. */
static const char *const usual[MAX_FILES] = {
	"var/lib/kubelet/pki/kubelet-client.key.tmp",
	"var/lib/kubelet/pki/kubelet-client-current.pem",
};

struct seen {
	char path[PATH_MAX];
	struct timespec changed;
	ino_t inode;
	int told; /* the error that was last told; 0: none */
};

struct kubelet_key {
	struct kubelet_key_options o;
	struct event *timer;
	struct seen files[MAX_FILES];
	uint32_t n_files;
	struct digest
		proven[MAX_FILES *
		       2]; /* of this run: a key that moves from one file to the other is no news */
	uint32_t n_proven;
};

static bool is_proven(const struct kubelet_key *k, const struct digest *key)
{
	for (uint32_t i = 0; i < k->n_proven && i < ARRAY_SIZE(k->proven); i++)
		if (digest_equal(&k->proven[i], key))
			return true;
	return false;
}

static int tell(struct kubelet_key *k, const struct digest *key, const struct buf *members)
{
	char hex[DIGEST_HEX_SIZE];
	int r = ledger_writer_record(k->o.writer, PLUMB_TYPE_KUBELET_KEY, "agent",
				     (char *)members->data);

	if (r < 0)
		return r;
	k->proven[k->n_proven++ % ARRAY_SIZE(k->proven)] = *key;
	digest_hex(key, hex);
	log_notice("kubelet_key=%s next=\"the verifier hears that this node has it\"", hex);
	if (k->o.told)
		k->o.told(k->o.ctx);
	return 0;
}

/* The current one is a link to the file of a date: what it leads to must be root's. */
static int prove(struct kubelet_key *k, const struct seen *f, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf pem = {0};
	CLEANUP(buf_done) struct buf members = {0};
	CLEANUP_FREE char *path = realpath(f->path, NULL);
	struct digest key;
	int r = path ? owned_file_read(path, MAX_PEM, &pem) : -errno;

	if (r < 0)
		return why_set(ret_why, r, "%s",
			       r == -EACCES ? "others than root may write it" : strerror(-r));
	r = kubelet_proof_make((char *)pem.data, pem.size, k->o.origin, &members, &key, ret_why);
	if (pem.data)
		OPENSSL_cleanse(pem.data, pem.size);
	if (r >= 0 && !is_proven(k, &key))
		r = tell(k, &key, &members);
	return r;
}

/* A file that is being written is looked at again: it changes once more. */
static void look(struct kubelet_key *k, struct seen *f)
{
	struct why why = {""};
	struct stat st;
	int r;

	if (stat(f->path, &st) < 0) {
		f->inode = 0;
		return;
	}
	if (st.st_ino == f->inode && st.st_mtim.tv_sec == f->changed.tv_sec &&
	    st.st_mtim.tv_nsec == f->changed.tv_nsec)
		return;
	r = prove(k, f, &why);
	/* The line could not be written: it is tried again, as long as the file is there. */
	if (r >= 0 || r == -ENOENT || r == -EACCES || r == -EFBIG) {
		f->inode = st.st_ino;
		f->changed = st.st_mtim;
	}
	if (r < 0 && r != f->told)
		log_warning("kubelet_key=unproven file=\"%s\" error=\"%s\" next=\"looked at again "
			    "when it changes\"",
			    f->path, why.text[0] ? why.text : strerror(-r));
	f->told = r < 0 ? r : 0;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct kubelet_key *k = ctx;

	(void)fd;
	(void)what;
	for (uint32_t i = 0; i < k->n_files; i++)
		look(k, &k->files[i]);
}

static int name_files(struct kubelet_key *k)
{
	bool is_auto = strcmp(k->o.file, "auto") == 0;

	k->n_files = is_auto ? MAX_FILES : 1;
	for (uint32_t i = 0; i < k->n_files; i++) {
		int n = is_auto ? snprintf(k->files[i].path, PATH_MAX, "%s/%s",
					   k->o.root ? k->o.root : "", usual[i])
				: snprintf(k->files[i].path, PATH_MAX, "%s", k->o.file);

		if (n >= PATH_MAX)
			return -ENAMETOOLONG;
	}
	return 0;
}

int kubelet_key_open(struct event_base *base, const struct kubelet_key_options *o,
		     struct kubelet_key **ret)
{
	uint32_t ms = o->look_ms ? o->look_ms : KUBELET_KEY_LOOK_MS;
	const struct timeval tv = {ms / 1000, (suseconds_t)(ms % 1000) * 1000};
	struct kubelet_key *k;
	int r;

	if (!o->file)
		return 0;
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->o = *o;
	r = name_files(k);
	k->timer = event_new(base, -1, EV_PERSIST, on_timer, k);
	if (r >= 0 && (!k->timer || event_add(k->timer, &tv) < 0))
		r = -ENOMEM;
	if (r < 0) {
		kubelet_key_free(k);
		return r;
	}
	*ret = k;
	return 0;
}

struct kubelet_key *kubelet_key_free(struct kubelet_key *k)
{
	if (!k)
		return NULL;
	if (k->timer)
		event_free(k->timer);
	free(k);
	return NULL;
}
