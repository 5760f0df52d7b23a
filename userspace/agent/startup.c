/* SPDX-License-Identifier: Apache-2.0 */
#include "startup.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "boot_keep.h"
#include "cert.h"
#include "cleanup.h"
#include "enrol_client.h"
#include "log.h"
#include "tpm.h"

#define TPM_DEVICE "/dev/tpmrm0"
#define BOOT_LOG "/sys/kernel/security/tpm0/binary_bios_measurements"
#define MEASURE_LOG "/run/log/systemd/tpm2-measure.log"
#define MAX_PEM 65536
#define MAX_UNSENT (2ull << 30)

int startup_exit_code(int r, int rest)
{
	switch (r < 0 ? r : 0) {
	case 0:
	case -EINTR:
		return 0;
	case -EBADMSG:
		return STARTUP_CORRUPT;
	case -EXDEV:
	case -EKEYREJECTED:
		return STARTUP_OTHER_NODE;
	case -ENOTSUP:
		return STARTUP_NO_SENSOR;
	case -EALREADY:
		return STARTUP_RUNNING;
	}
	return rest;
}

void startup_done(struct startup *s)
{
	identity_done(&s->identity);
	tpm_free(s->tpm);
	baseline_free(s->baseline);
	redact_free(s->redact);
	isolate_free(s->isolate);
	for (uint32_t i = 0; i < s->n_operators; i++)
		sign_key_free(s->operators[i]);
	buf_done(&s->ca);
	buf_done(&s->cert);
	if (s->key.data)
		OPENSSL_cleanse(s->key.data, s->key.size);
	buf_done(&s->key);
}

/* auto: the kernel's resource manager when it is there. A node that had a TPM and has none now is refused by its ledger's origin. */
static int open_tpm(const struct settings *s, struct startup *st, struct why *ret_why)
{
	bool automatic = strcmp(s->tpm, "auto") == 0;

	if (strcmp(s->tpm, "none") == 0) {
		snprintf(st->absent, sizeof(st->absent), "tpm: none");
		return 0;
	}
	if (automatic && access(TPM_DEVICE, F_OK) < 0) {
		snprintf(st->absent, sizeof(st->absent), "no %s", TPM_DEVICE);
		return 0;
	}
	return tpm_open(automatic ? "device:" TPM_DEVICE : s->tpm, &st->tpm, ret_why);
}

/* The kernel's copy is of the kernel's first TPM, and so is systemd's log, which an emulated one is not. */
static const char *log_of(const struct settings *s, const char *configured, const char *usual)
{
	if (strcmp(configured, "auto") != 0)
		return configured;
	return strcmp(s->tpm, "auto") == 0 || strncmp(s->tpm, "device:", 7) == 0 ? usual : NULL;
}

static struct identity_options identity_options(const struct settings *s)
{
	return (struct identity_options){
		.io = fsio_system(),
		.clock = clock_system(),
		.ledger_dir = s->ledger_dir,
		.state_dir = s->state_dir,
		.log_name = s->log_name,
		.pcr_index = (uint8_t)s->pcr_index,
		.boot_log = log_of(s, s->boot_log, BOOT_LOG),
		.measure_log = log_of(s, s->measure_log, MEASURE_LOG),
		.enrolment = s->verifier ? ENROL_CLIENT_CERT : NULL,
		.rekey = s->verifier ? STARTUP_REKEY_FILE : NULL,
		.of_machine = {ENROL_CLIENT_KEY, ENROL_CLIENT_CA, STARTUP_BASELINE_FILE},
	};
}

static int read_pem(const struct settings *s, const char *name, struct buf *ret,
		    struct why *ret_why)
{
	char path[PATH_MAX];
	int r = snprintf(path, sizeof(path), "%s/%s", s->state_dir, name) < (int)sizeof(path)
			? 0
			: -ENAMETOOLONG;

	if (r >= 0)
		r = fsio_read_file(fsio_system(), path, MAX_PEM, ret);
	return r < 0 ? why_set(ret_why, r, "%.150s: %s", path, strerror(-r)) : 0;
}

int startup_want_rekey(const struct settings *s)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", s->state_dir, STARTUP_REKEY_FILE) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	return fsio_replace_file(fsio_system(), path, "", 0, 0600);
}

static const char *label_of(const struct settings *s, const struct identity *i)
{
	return s->label ? s->label : i->record.label;
}

static int enrol(const struct settings *s, struct startup *st, bool (*stopped)(void *ctx),
		 void *ctx, struct why *ret_why)
{
	const struct identity_options io = identity_options(s);
	const struct enrol_client_options o = {
		.io = fsio_system(),
		.clock = clock_system(),
		.state_dir = s->state_dir,
		.url = s->verifier,
		.token_file = s->join_token_file,
		.ca_file = s->verifier_ca,
		.label = label_of(s, &st->identity),
		.kube_token_file = s->kube_token_file,
		.own = &st->identity.record,
		.tpm = st->tpm,
		.stopped = stopped,
		.ctx = ctx,
	};
	struct record record;
	int r = enrol_client_run(&o, &record, ret_why);

	return r < 0 ? r : identity_adopt(&io, &st->identity, &record, ret_why);
}

/* What TLS would say only much later, and less clearly. */
static int check_cert(const struct settings *s, const struct startup *st, struct cert_identity *ret,
		      struct why *ret_why)
{
	struct sign_key *key = NULL;
	struct digest id;
	char until[CLOCK_TEXT_SIZE];
	int r = sign_key_from_pem((char *)st->key.data, st->key.size, &key, ret_why);

	if (r >= 0)
		r = sign_key_id(key, &id);
	sign_key_free(key);
	if (r >= 0)
		r = cert_identity_pem((char *)st->cert.data, st->cert.size, ret, ret_why);
	if (r >= 0 && (ret->kind != CERT_NODE || !digest_equal(&ret->key_id, &id) ||
		       strcmp(ret->name, st->identity.record.node) != 0))
		r = why_set(ret_why, -EKEYREJECTED,
			    "the key is not the certificate's, or the "
			    "certificate is another node's");
	if (r < 0)
		return r;
	clock_text(ret->not_after_s * 1000000000, until);
	if (clock_utc_ns(clock_system()) / 1000000000 >= ret->not_after_s)
		log_error("certificate=ended at=%s file=%s/%s next=\"another is asked for, by the "
			  "TPM's word; the ledger is written all the same\"",
			  until, s->state_dir, ENROL_CLIENT_CERT);
	return 0;
}

static void add_watch(const struct settings *s, struct agent_options *o)
{
	const struct claims_source host = {.root = NULL};
	const char *files[CLAIMS_RUNTIME_MAX_FILES];
	uint32_t n = s->watch_runtime ? claims_runtime_files(&host, files) : 0;

	for (uint32_t i = 0; i < s->watch.n_items; i++)
		o->watch[o->n_watch++] = s->watch.items[i];
	for (uint32_t i = 0; i < n; i++)
		o->watch[o->n_watch++] = files[i];
}

/* The way out that needs nobody: a boot with these words, which the boot claims have, and the measured boot where there is one. */
static bool is_glass_broken(void)
{
	CLEANUP(buf_done) struct buf line = {0};
	char *word, *rest = NULL;

	if (fsio_read_file(fsio_system(), "/proc/cmdline", MAX_PEM, &line) < 0 || line.size == 0)
		return false;
	for (word = strtok_r((char *)line.data, " \n", &rest); word;
	     word = strtok_r(NULL, " \n", &rest))
		if (strcmp(word, STARTUP_BREAK_GLASS) == 0)
			return true;
	return false;
}

static void add_own(const struct settings *s, struct startup *st)
{
	struct agent_options *o = &st->options;
	uint32_t n = 0;

	o->protect = strcmp(s->protect, "enforce") == 0;
	o->protect_why_not = "";
	if (o->protect && is_glass_broken()) {
		o->protect = false;
		o->protect_why_not = "by the kernel's command line";
		log_warning("protect=observe why=\"" STARTUP_BREAK_GLASS
			    " on the kernel's command line\"");
	}
	o->own_paths[n++] = "/proc/self/exe";
	o->own_paths[n++] = s->ledger_dir;
	if (access(s->state_dir, F_OK) == 0)
		o->own_paths[n++] = s->state_dir;
	if (access(s->file, F_OK) == 0)
		o->own_paths[n++] = s->file;
}

static int open_verifier(const struct settings *s, struct startup *st, struct why *ret_why)
{
	struct cert_identity id;
	struct why why = {""};
	int r = read_pem(s, ENROL_CLIENT_CA, &st->ca, &why);

	if (r >= 0)
		r = read_pem(s, ENROL_CLIENT_CERT, &st->cert, &why);
	if (r >= 0)
		r = read_pem(s, ENROL_CLIENT_KEY, &st->key, &why);
	if (r >= 0)
		r = check_cert(s, st, &id, &why);
	if (r < 0)
		return why_set(
			ret_why, r,
			"%.160s; to enrol this node anew, remove %s from the state directory "
			"and give a join token",
			why.text, ENROL_CLIENT_CERT);
	snprintf(st->cert_path, sizeof(st->cert_path), "%s/%s", s->state_dir, ENROL_CLIENT_CERT);
	snprintf(st->record_path, sizeof(st->record_path), "%s/record.json", s->ledger_dir);
	st->verifier = (struct agent_verifier){
		.record_path = st->record_path,
		.url = s->verifier,
		.ca_pem = (char *)st->ca.data,
		.cert_pem = (char *)st->cert.data,
		.key_pem = (char *)st->key.data,
		.client_key = id.key_id,
		.interval_ms = s->evidence_interval,
		.cert_path = st->cert_path,
		.cert_not_after_s = id.not_after_s,
		.baseline_path = st->baseline_path,
		.max_unsent = MAX_UNSENT,
	};
	st->options.verifier = &st->verifier;
	return 0;
}

static int add_key(struct sign_key *keys[], uint32_t *n, const struct buf *spki,
		   struct why *ret_why)
{
	int r = *n < CONF_MAX_LIST + RECORD_MAX_KEYS
			? sign_key_from_spki(spki->data, spki->size, &keys[*n], ret_why)
			: -E2BIG;

	*n += r >= 0;
	return r;
}

static int read_keys(const struct settings *s, const struct startup *st, struct sign_key *keys[],
		     uint32_t *n, struct why *ret_why)
{
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < s->baseline_keys.n_items; i++) {
		CLEANUP(buf_done) struct buf pem = {0};

		r = fsio_read_file(fsio_system(), s->baseline_keys.items[i], MAX_PEM, &pem);
		if (r < 0)
			why_set(ret_why, r, "%.200s: %s", s->baseline_keys.items[i], strerror(-r));
		else
			r = sign_key_from_pem((const char *)pem.data, pem.size, &keys[*n], ret_why);
		*n += r >= 0;
	}
	for (uint32_t i = 0; r >= 0 && i < st->identity.record.n_baseline_keys; i++)
		r = add_key(keys, n, &st->identity.record.baseline_keys[i], ret_why);
	if (r >= 0 && *n == 0)
		r = why_set(ret_why, -EKEYREJECTED, "baseline is given without baseline_keys");
	return r;
}

static void open_ordered(struct startup *st, const struct sign_key *const *keys, uint32_t n,
			 bool other, struct why *ret_why)
{
	int r = baseline_open(fsio_system(), st->baseline_path, keys, n, 0, &st->baseline, ret_why);

	/* A copy that was spoilt: evidence tells that another one judges, or none, and the verifier orders it again. */
	if (r < 0)
		log_error("baseline=refused error=\"%s\" next=\"%s until the verifier orders one "
			  "again\"",
			  ret_why->text, other ? "the configured one judges" : "nothing is judged");
}

/* The last that the verifier ordered, else the one that is configured. Without a key nothing that is signed can be believed. */
static int open_baseline(const struct settings *s, struct startup *st, struct why *ret_why)
{
	struct sign_key *keys[CONF_MAX_LIST + RECORD_MAX_KEYS] = {NULL};
	const struct sign_key *const *trusted = (const struct sign_key *const *)keys;
	bool ordered = st->options.verifier && access(st->baseline_path, F_OK) == 0;
	uint32_t n = 0;
	int r;

	if (!ordered && !s->baseline)
		return 0;
	r = read_keys(s, st, keys, &n, ret_why);
	if (r < 0 && !s->baseline)
		log_error("baseline=refused error=\"%s\" next=\"nothing is judged until the "
			  "verifier orders one again\"",
			  ret_why->text);
	if (r >= 0 && ordered)
		open_ordered(st, trusted, n, s->baseline != NULL, ret_why);
	if (r >= 0 && !st->baseline && s->baseline)
		r = baseline_open(fsio_system(), s->baseline, trusted, n, 0, &st->baseline,
				  ret_why);
	for (uint32_t i = 0; i < n; i++)
		sign_key_free(keys[i]);
	return s->baseline ? r : 0;
}

/* What failed before there was a ledger: the disk, or else the TPM. */
static int identity_exit_code(int r, const struct settings *s)
{
	if (r == -ENOSPC || r == -EDQUOT || r == -EROFS || r == -ENOMEM)
		return STARTUP_REST;
	return startup_exit_code(r, strcmp(s->tpm, "none") != 0 || r == -ENODEV ? STARTUP_NO_TPM
										: STARTUP_REST);
}

static int open_identity(const struct settings *s, struct startup *st, bool (*stopped)(void *ctx),
			 void *ctx, struct why *ret_why)
{
	const struct identity_options o = identity_options(s);
	int r = open_tpm(s, st, ret_why);

	if (r >= 0)
		r = identity_open(&o, st->tpm, &st->identity, ret_why);
	if (r < 0)
		return identity_exit_code(r, s);
	if (!s->verifier)
		return 0;
	if (!st->identity.enrolled) {
		r = enrol(s, st, stopped, ctx, ret_why);
		if (r < 0)
			return r == -EKEYREJECTED || r == -EINVAL ? STARTUP_REFUSED
			       : r == -EINTR			  ? 0
								  : STARTUP_REST;
	}
	return open_verifier(s, st, ret_why) < 0 ? STARTUP_REFUSED : 0;
}

static int read_operators(const struct settings *s, struct startup *st, struct why *ret_why)
{
	uint32_t *n = &st->n_operators;
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < s->operator_keys.n_items; i++) {
		CLEANUP(buf_done) struct buf pem = {0};
		struct why why = {""};

		r = fsio_read_file(fsio_system(), s->operator_keys.items[i], MAX_PEM, &pem);
		if (r < 0)
			why_set(&why, r, "%s", strerror(-r));
		else
			r = sign_key_from_pem((const char *)pem.data, pem.size, &st->operators[*n],
					      &why);
		*n += r >= 0;
		if (r < 0)
			why_set(ret_why, r, "operator_keys: %.100s: %.100s",
				s->operator_keys.items[i], why.text);
	}
	return r;
}

/* Before anything else: an isolation that is in force waits for no TPM and no verifier. */
static int open_isolation(const struct settings *s, struct startup *st, struct why *ret_why)
{
	struct isolate_options o = {
		.io = fsio_system(),
		.clock = clock_system(),
		.state_dir = s->state_dir,
		.cut = {.peers = (const char *const *)s->isolate_peers.items,
			.n_peers = s->isolate_peers.n_items,
			.verifier = s->verifier},
	};
	int r;

	for (uint32_t i = 0; i < s->isolate.n_items; i++)
		o.armed |= isolate_state_way_of(s->isolate.items[i]);
	r = isolate_open(&o, &st->isolate, ret_why);
	return r < 0 ? r : read_operators(s, st, ret_why);
}

/* The ledger is written all the same: it proves what ran, and not what was booted. */
static void keep_boot(const struct settings *s, const struct identity *i)
{
	int r = boot_keep(fsio_system(), s->ledger_dir, LEDGER_BOOT_LOG, &i->boot_log_data);

	if (r >= 0)
		r = boot_keep(fsio_system(), s->ledger_dir, LEDGER_BOOT_MEASURED,
			      &i->measure_log_data);
	if (r < 0)
		log_error("boot_log=unkept dir=%s/" LEDGER_BOOT_DIR
			  " error=\"%s\" next=\"the ledger's directory alone does not prove what "
			  "this machine booted\"",
			  s->ledger_dir, strerror(-r));
}

static void add_isolation(const struct settings *s, struct startup *st)
{
	st->options.isolation = (struct isolate_all_settings){
		.isolate = st->isolate,
		.operators = (const struct sign_key *const *)st->operators,
		.n_operators = st->n_operators,
		.release_dir = s->release_dir,
		.freeze = (const char *const *)s->isolate_freeze.items,
		.n_freeze = s->isolate_freeze.n_items,
		.exec_forbidden = is_glass_broken() ? "by the kernel's command line" : NULL,
		.state_dir = s->state_dir,
		.boot_id = st->identity.now.boot_id,
		.io = fsio_system(),
		.redact = st->redact,
		.standing_after_ms = s->standing_after,
		.standing_keys = (const char *const *)s->standing_keys.items,
		.n_standing_keys = s->standing_keys.n_items,
	};
	for (uint32_t i = 0; i < s->standing.n_items; i++)
		st->options.isolation.standing |= isolate_state_way_of(s->standing.items[i]);
}

static enum ima_list_covers ima_measures(const struct settings *s)
{
	return strcmp(s->ima_measures, "programs") == 0 ? IMA_LIST_PROGRAMS
	       : strcmp(s->ima_measures, "other") == 0	? IMA_LIST_OTHER
							: IMA_LIST_UNKNOWN;
}

/* awk and sed are none: their text is an argument, and what they open is data. */
static void add_interpreters(const struct settings *s, struct agent_options *o)
{
	static const char *const usual[] = {
		"sh",	"bash", "dash",	  "ash",     "busybox", "zsh",	"ksh",	"mksh",
		"fish", "csh",	"tcsh",	  "python",  "pypy",	"perl", "ruby", "node",
		"php",	"lua",	"luajit", "Rscript", "tclsh",	"pwsh"};

	o->interpreters =
		s->interpreters.n_items ? (const char *const *)s->interpreters.items : usual;
	o->n_interpreters = s->interpreters.n_items ? s->interpreters.n_items : ARRAY_SIZE(usual);
}

static int own_list(const struct host_view *v, struct conf_list *l)
{
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < l->n_items; i++)
		r = host_view_own(v, &l->items[i]);
	return r;
}

int startup_enter_host(struct settings *s, struct host_view **ret, struct why *ret_why)
{
	char **const files[] = {&s->file,	 &s->baseline,	      &s->join_token_file,
				&s->verifier_ca, &s->kube_token_file, &s->release};
	struct why why = {""};
	int r;

	*ret = NULL;
	if (!s->host_view)
		return 0;
	r = host_view_enter(s->host_view, ret, &why);
	if (r < 0)
		return why_set(ret_why, r, "host_view: %.230s", why.text);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(files); i++)
		r = host_view_own(*ret, files[i]);
	if (r >= 0)
		r = own_list(*ret, &s->baseline_keys);
	return r < 0 ? r : own_list(*ret, &s->operator_keys);
}

int startup_open(const struct settings *s, bool (*stopped)(void *ctx), void *ctx,
		 struct startup *ret, struct why *ret_why)
{
	struct agent_options *o = &ret->options;
	int code;

	*ret = (struct startup){.identity = {.lock_fd = -1}};
	ret_why->text[0] = 0;
	snprintf(ret->baseline_path, sizeof(ret->baseline_path), "%s/%s", s->state_dir,
		 STARTUP_BASELINE_FILE);
	if (open_isolation(s, ret, ret_why) < 0)
		return STARTUP_REST;
	/* A configured baseline that cannot be used is said before anything is made or asked for. */
	if (s->baseline && !s->verifier && open_baseline(s, ret, ret_why) < 0)
		return STARTUP_BASELINE;
	code = open_identity(s, ret, stopped, ctx, ret_why);
	if (code == 0)
		keep_boot(s, &ret->identity);
	if (code == 0 && !ret->baseline && open_baseline(s, ret, ret_why) < 0)
		code = STARTUP_BASELINE;
	*o = (struct agent_options){.io = fsio_system(),
				    .clock = clock_system(),
				    .ledger_dir = s->ledger_dir,
				    .identity = &ret->identity,
				    .tpm_absent = ret->absent,
				    .baseline = ret->baseline,
				    .batch_ms = s->batch,
				    .kubelet_csr_key = s->kubelet_csr_key,
				    .quote_ms = s->quote_interval,
				    .container_root = s->container_root,
				    .diff = (const char *const *)s->diff.items,
				    .n_diff = s->diff.n_items,
				    .scan_ms = (uint32_t)s->scan_interval,
				    .slow_scan_ms = (uint32_t)s->slow_scan_interval,
				    .rescan_ms = (uint32_t)s->rescan_interval,
				    .keep_ms = s->keep_age,
				    .keep_size = s->keep_size,
				    .exec_all = strcmp(s->exec, "all") == 0,
				    .ima_measures = ima_measures(s),
				    .verifier = o->verifier};
	add_watch(s, o);
	ret->strict = (struct strict_keeper_options){
		.wait_ms = (uint32_t)s->strict_wait,
		.closed = strcmp(s->strict_timeout, "closed") == 0,
		.paths = (const char *const *)s->strict_paths.items,
		.n_paths = s->strict_paths.n_items,
	};
	if (strcmp(s->exec, "strict") == 0)
		o->strict = &ret->strict;
	if (code == 0 &&
	    (strcmp(s->exec_args, "on") == 0 || s->diff.n_items > 0 || s->isolate.n_items > 0) &&
	    redact_open((const char *const *)s->redact.items, s->redact.n_items, &ret->redact,
			ret_why) < 0)
		code = STARTUP_REST;
	o->redact = strcmp(s->exec_args, "on") == 0 ? ret->redact : NULL;
	o->diff_redact = ret->redact;
	add_interpreters(s, o);
	add_isolation(s, ret);
	add_own(s, ret);
	return code;
}
